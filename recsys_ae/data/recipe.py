"""Data recipe: options to read, filter and split data, saved with a model."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recsys_ae.data.origin import FINGERPRINT, RECIPE, UntrustedRecipe
from recsys_ae.data.readers.parts.addresses import absolute
from recsys_ae.data.recipe_options import AUTO, NONE, RecipeOptions, catalog_names
from recsys_ae.data.recipe_table import SPLIT_KIND, RecipeError, options
from recsys_ae.errors import Argument, DataError, arguments_named, renamed

if TYPE_CHECKING:
    from recsys_ae.data.dataset_info import Dataset
    from recsys_ae.data.interactions import Interactions
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.splits.holdout import Split

USUAL_RATING = 4.0
OPTIONS_OF_FILTERS = {"rating": "min_rating", "user": "min_user_items", "item": "min_item_users"}
"""The recipe's names of the filters' arguments."""


@dataclass(frozen=True, kw_only=True)
class DataRecipe(RecipeOptions):
    """A data recipe: `read` returns filtered data, and `split` a training, validation and test part.

    `RecipeOptions` describes its fields. A recipe holds the path or name of its data, not the data.

    Attributes
    ----------
    expected
        Fingerprint of the split that a model was fitted on, in the recipe of a fitted model; `split` raises an error
        for any other split. It is not part of the JSON.
    doubt
        Why nothing shows that this user saved the model whose recipe this is; None for any other recipe. The data that
        such a recipe names are neither read nor downloaded until the caller names them (`at`). It is not part of the
        JSON.
    """

    expected: str | None = dataclasses.field(default=None, compare=False, repr=False)
    doubt: str | None = dataclasses.field(default=None, compare=False, repr=False)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], expected: str | None = None) -> Self:
        """Return the recipe for the output of `as_json`, of this version or an earlier one."""
        fields = {entry.name: entry.field for entry in options(cls)} | {"whole_histories": "whole_histories"}
        values = {fields[name]: value for name, value in stored.items() if name in fields}
        settings = {name: value for name, value in stored.items() if name not in fields}
        return cls(**{"whole_histories": False, **values}, split_settings=settings, expected=expected)

    @classmethod
    def of_notes(cls, notes: Mapping[str, Any]) -> Self:
        """Return the recipe in the notes of a fitted model."""
        recipe, fingerprint = notes.get(RECIPE), notes.get(FINGERPRINT)
        if not isinstance(recipe, Mapping):
            raise DataError("the model has no data recipe: it was fitted on data in memory")
        if not isinstance(fingerprint, str | None):
            raise DataError("the fingerprint of the split in the notes of the model is no text; fit the model again")
        doubt = recipe.doubt if isinstance(recipe, UntrustedRecipe) else None
        return dataclasses.replace(cls.from_json(recipe, fingerprint), doubt=doubt)

    def at(
        self,
        data: str | Path | None = None,
        data_dir: str | Path | None = None,
        test_data: str | Path | None = None,
    ) -> Self:
        """Return the recipe with other places of the same data.

        Parameters
        ----------
        data, test_data
            Path of the file, or name of the data set, and path of the file of the test part.
        data_dir
            Folder of the named data sets.
        """
        given = {"data": data, "data_dir": data_dir, "test_data": test_data}
        moved: dict[str, Any] = {name: absolute(path) for name, path in given.items() if path is not None}
        if data is not None and str(data) in catalog_names():
            moved["data"] = str(data)
        if self.doubt is not None and data is not None and (self.test_data is None or test_data is not None):
            moved = {"data_dir": None, **moved, "doubt": None}  # nothing that is read is named by the model now
        return dataclasses.replace(self, **moved)

    def unsplit(self) -> Self:
        """Return the recipe that reads and filters the same data but holds nothing out, not even a test part."""
        unset: dict[str, Any] = {entry.field: None for entry in options(type(self), "split") if entry.default is None}
        kept = {"test_data": self.test_data, "min_rating": NONE if self._keeps_ratings() else self.min_rating}
        return dataclasses.replace(self, split_kind="none", **{**unset, **kept}, split_settings={}, expected=None)

    def _keeps_ratings(self) -> bool:
        """Return True if the split keeps all ratings, because the recipe sets no threshold."""
        return self.kind.rated and self.min_rating == AUTO

    def load(
        self,
        *,
        cache: bool = False,
        progress: Callable[[int, int], None] | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> "Dataset":
        """Read the data without filters; a missing named data set is downloaded.

        ``cache`` is that of `read_interactions`; ``progress`` and ``announce`` are those of `load_dataset`.

        Raises
        ------
        DataError
            If nothing shows that this user saved the model whose recipe this is, and the caller has not named the data.
        """
        self._refuse_doubtful()
        from recsys_ae.data import named  # noqa: PLC0415
        from recsys_ae.data.dataset_info import Dataset  # noqa: PLC0415

        if self.named:
            return named.load(
                self.data,
                data_dir=None if self.data_dir is None else Path(self.data_dir),
                fold=self.fold,
                duplicates=self.duplicates,
                cache=cache,
                progress=progress,
                announce=announce,
            )
        train = self.read_file(self.data, cache=cache)
        if self.test_data is None:
            return Dataset(self.title, train)
        test = self.read_file(self.test_data, cache=cache)
        if self.kind.joins:
            from recsys_ae.data.splits.joined import joined  # noqa: PLC0415

            return Dataset(self.title, joined(train, test, self.duplicates))
        return Dataset(self.title, train, given=(train, test))

    def read(self, dataset: "Dataset | None" = None, *, cache: bool = False) -> "Prepared":
        """Filter the data, and read them first if ``dataset`` is None."""
        from recsys_ae.data.filters import MinInteractions, MinRating, apply  # noqa: PLC0415
        from recsys_ae.data.prepared import Prepared, has_ratings  # noqa: PLC0415

        dataset = dataset or self.load(cache=cache)
        train, test = self._parts(dataset)
        rating = self.min_rating
        if rating == AUTO:
            # A split of ratings evaluates predicted ratings; a threshold would make all of them equal.
            rating = USUAL_RATING if not self.kind.rated and has_ratings(train, self) else NONE
        minimums = []
        with arguments_named(renamed(OPTIONS_OF_FILTERS)):
            threshold = [] if isinstance(rating, str) else [MinRating(rating)]
            if self.min_user_items or self.min_item_users:
                minimums = [MinInteractions(user=self.min_user_items, item=self.min_item_users, repeat=self.k_core)]
        rated_train = apply(train, *threshold)
        data = apply(rated_train, *minimums)
        test = None if test is None else apply(test, *threshold)
        before_minimums = rated_train if minimums and self.kind.parts and self.whole_histories else None
        return Prepared(
            dataclasses.replace(self, min_rating=rating), data, dataset.items, dataset, test, before_minimums
        )

    def split(
        self,
        *,
        data: str | Path | None = None,
        data_dir: str | Path | None = None,
        test_data: str | Path | None = None,
        cache: bool = False,
    ) -> "Split":
        """Read, filter and split the data.

        Parameters
        ----------
        data, data_dir, test_data
            Places of the data, as for `at`, if they have moved or nothing shows that this user saved the model; by
            default those in the recipe.
        cache
            As for `read_interactions`.

        Raises
        ------
        DataError
            If this is the recipe of a fitted model, and the split differs from the one that it was fitted on; or if
            nothing shows that this user saved the model, and ``data`` is not given.
        """
        split = self.at(data, data_dir, test_data).read(cache=cache).split()
        if self.expected not in (None, split.fingerprint):
            raise DataError(
                f"the split of {data or self.data} is {split.fingerprint}, but the model was fitted on "
                f"{self.expected}: the data have changed since; fit again, or restore the data"
            )
        return split

    def _refuse_doubtful(self) -> None:
        if self.doubt is None:
            return
        from recsys_ae.data.parsing import shown  # noqa: PLC0415

        names = " and ".join(shown(path, 200) for path in (self.data, self.test_data) if path is not None)
        wanted: list[str | Argument] = [Argument("data", self.data) if self.named else Argument("data")]
        if self.test_data is not None:
            wanted += [" and ", Argument("test_data")]
        raise DataError(
            f"{self.doubt}, so the data that the model names are not read ({names}); give ",
            *wanted,
            ", or load and save the model again if you trust it",
        )

    def _parts(self, dataset: "Dataset") -> "tuple[Interactions, Interactions | None]":
        """Return the data to filter and split: all interactions and None, or a given training and test part."""
        if not self.kind.parts:
            return dataset.interactions, None
        if dataset.given is None:
            raise RecipeError(f"{self.data} has no test part of its own; choose another ", Argument(SPLIT_KIND))
        return dataset.given
