"""Options of a data recipe: defaults, and checks of values and combinations."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from recsys_ae.data.readers.parts.addresses import STANDARD_INPUT, absolute
from recsys_ae.data.reading import Reading
from recsys_ae.data.recipe_table import SPLIT_KIND, Option, RecipeError, option, options, refuse_other_type
from recsys_ae.data.splits import kinds
from recsys_ae.errors import Argument, ConfigError
from recsys_ae.spec.hyper import nearest

AUTO, NONE = "auto", "none"
FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")
USUAL_ITEMS = 5
LATER = {"where"}
"""Options that the first versions do not know."""


@dataclass(frozen=True, kw_only=True)
class RecipeOptions(Reading):
    """Options to read, filter and split data.

    Attributes
    ----------
    data
        Name of a data set, or path of a file or a folder; also a pattern, an address or ``-``, as for
        `read_interactions`.
    data_dir
        Folder of the named data sets; the default is that of `load_dataset`.
    min_rating
        Lowest rating that is kept, as 1; ``"none"`` keeps all ratings unchanged. ``"auto"`` is 4 for data with
        ratings, and ``"none"`` for other data and for a split of ratings.
    min_user_items, min_item_users, k_core
        ``user``, ``item`` and ``repeat`` of `MinInteractions`. The default of ``min_user_items`` is 5, or 0 if the
        training part is given.
    split_kind
        Name of a split. The options after it belong to some splits only, and each split has its own defaults.
    split_settings
        Options that only this split has.
    whole_histories
        True if test users keep their histories although a minimum count removes them from a given training part.
        False only in the recipes of models saved by early versions.
    """

    data: str = option("sample", "place", "data")
    data_dir: str | None = option(None, "place", "folder")
    min_rating: float | str = option(AUTO, "filters", "rating", (AUTO, NONE))
    min_user_items: int = option(None, "filters", "whole", low=0)
    min_item_users: int = option(0, "filters", "whole", low=0)
    k_core: bool = option(False, "filters", "flag")
    split_kind: str = option("strong", "split", "split", name="split")
    split_recipe: Literal["liang2018"] | None = option(None, "split", "choice", ("liang2018",))
    split_seed: int = option(98765, "split", "whole", low=0, high=2**32 - 1)
    valid_users: int | float | None = option(None, "split", "users", low=0)
    test_users: int | float | None = option(None, "split", "users", low=1)
    valid_share: float | None = option(None, "split", "share")
    test_data: str | None = option(None, "split", "file", of_parts=True)
    fold: str | None = option(None, "split", "choice", FOLDS, of_parts=True)
    split_settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    whole_histories: bool = dataclasses.field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self._refuse_other_values()
        has_parts = self.kind.parts
        defaults = {"min_user_items": 0 if has_parts else USUAL_ITEMS, "whole_histories": has_parts}
        paths = ("data_dir", "test_data") if self.named else ("data", "data_dir", "test_data")
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        for name in paths:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, absolute(getattr(self, name)))
        self._refuse_misfits()

    @property
    def kind(self) -> kinds.Kind:
        """The split that ``split_kind`` names."""
        return kinds.kind(self.split_kind)

    @property
    def named(self) -> bool:
        """True if the data are a named data set, False if they are a file."""
        return self.data in catalog_names()

    @property
    def title(self) -> str:
        """Short name of the data, for titles and messages."""
        if self.named or self.data == STANDARD_INPUT:
            return self.data if self.named else "standard-input"
        parts = [part for part in Path(self.data).parts if not set("*?[") & set(part)]
        return Path(*parts).name.partition(".")[0] or "data"

    @property
    def threshold(self) -> float | None:
        """Resolved rating threshold; None if there is none, or if ``min_rating`` is still ``"auto"``."""
        return float(self.min_rating) if not isinstance(self.min_rating, str) else None

    @property
    def split_options(self) -> dict[str, Any]:
        """Options of this split that are set, by name."""
        values = {entry.name: getattr(self, entry.field) for entry in options(type(self), "split")}
        chosen = {name: values[name] for name in self.kind.options if values.get(name) is not None}
        return {**chosen, **self.split_settings}

    def as_json(self) -> dict[str, Any]:
        """Return the recipe as a JSON object: all options by name, and ``whole_histories``.

        Options that earlier versions do not know are left out unless they are set, so that those read the recipe.
        """
        values = {entry.name: getattr(self, entry.field) for entry in options(type(self))}
        values = {name: value for name, value in values.items() if name not in LATER or value is not None}
        return {**values, "whole_histories": self.whole_histories, **self.split_settings}

    @classmethod
    def from_options(cls, values: Mapping[str, Any]) -> Self:
        """Return the recipe for a mapping of option names to values, None if not set; other names are ignored."""
        fields = {entry.field: values[entry.name] for entry in options(cls) if entry.name in values}
        settings = {name: values[name] for name in own_options(cls) if values.get(name) is not None}
        return cls(**fields, split_settings=settings)

    def _refuse_other_values(self) -> None:
        for entry in options(type(self)):
            value = getattr(self, entry.field)
            if not (value is None and entry.default is None):
                refuse_other_type(entry, value)
            number = entry.kind == "rating" and isinstance(value, (int, float))
            if entry.choices and value is not None and not number and value not in entry.choices:
                expected = "a number, or one of" if entry.kind == "rating" else "one of"
                raise ConfigError(Argument(entry.field, value), f": expected {expected} {', '.join(entry.choices)}")
        if self.split_kind not in kinds.names():
            near = nearest(self.split_kind, kinds.names())
            raise ConfigError(Argument(SPLIT_KIND, self.split_kind), f": there is no such split{near}")
        # A path is not looked up here: the recipe may be that of a model that somebody else saved.
        is_word = not {"/", "\\", ".", *"*?["} & set(self.data) and self.data != STANDARD_INPUT
        if not self.named and is_word and not _exists(Path(self.data)):
            near = nearest(self.data, catalog_names())
            raise RecipeError(Argument("data", self.data), f": there is no such data set and no such file{near}")

    def _refuse_misfits(self) -> None:
        """Raise an error for options that do not apply to the split or to the data."""
        self._refuse_options_of_other_splits()
        if self.named:
            for field in dataclasses.fields(Reading):
                if getattr(self, field.name) != field.default and field.name != "duplicates":
                    raise RecipeError(Argument(field.name), f" applies to files; {self.data} is a named data set")
            if self.test_data is not None:
                raise RecipeError(Argument("test_data"), f" applies to files; {self.data} is a named data set")
        if self.fold is not None and self.data not in (published := catalog_with_folds()):
            sets = ", ".join(published)
            raise RecipeError(Argument("fold"), f" applies to the published folds of {sets}, not to {self.title}")
        if self.kind.parts and self.test_data is None and not self.named:
            raise RecipeError(Argument(SPLIT_KIND, self.split_kind), " needs a test part; set ", Argument("test_data"))

    def _refuse_options_of_other_splits(self) -> None:
        optional = (entry for entry in options(type(self), "split") if entry.default is None)
        takers_of = {entry.name: takers(entry) for entry in optional if getattr(self, entry.field) is not None}
        takers_of |= {name: kinds.that_take(name) for name in self.split_settings}
        for name, splits in takers_of.items():
            if self.split_kind not in splits:
                if not splits:
                    raise RecipeError(Argument(name), " is not an option of any split")
                needed = f" {' or '.join(splits)}, not {self.split_kind}"
                raise RecipeError(Argument(name), " needs ", Argument(SPLIT_KIND), needed)


def takers(entry: Option) -> tuple[str, ...]:
    """Return the names of the splits that take an option of the recipe."""
    return kinds.that_take("test" if entry.of_parts and entry.field != "test_data" else entry.name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


def own_options(recipe: type[RecipeOptions]) -> dict[str, kinds.Kind]:
    """Return the options that only one split has, each with its split."""
    shared = {entry.name for entry in options(recipe)} | set(kinds.PARTS)
    splits = map(kinds.kind, kinds.names())
    return {name: kind for kind in splits for name in kind.options if name not in shared}


def catalog_names() -> tuple[str, ...]:
    """Return the names of the data sets; the import is local because it loads pandas, which the options do not need."""
    from recsys_ae.data import catalog  # noqa: PLC0415

    return catalog.names()


def catalog_with_folds() -> tuple[str, ...]:
    """Return the names of the data sets that have several published folds."""
    from recsys_ae.data import catalog  # noqa: PLC0415

    return tuple(name for name, entry in catalog.entries().items() if entry.folds)
