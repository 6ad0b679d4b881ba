"""Data recipe: options to read, filter and split data, saved with a model."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recsys_ae.data.origin import FINGERPRINT, RECIPE
from recsys_ae.data.recipe_options import AUTO, NONE, RecipeOptions
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
    """

    expected: str | None = dataclasses.field(default=None, compare=False, repr=False)

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
        if not isinstance(notes.get(RECIPE), Mapping):
            raise DataError("the model has no data recipe: it was fitted on data in memory")
        return cls.from_json(notes[RECIPE], notes.get(FINGERPRINT))

    def at(self, data: str | Path | None = None, data_dir: str | Path | None = None) -> Self:
        """Return the recipe with another path of the file, or another folder of data sets, for the same data."""
        paths = {"data": data, "data_dir": data_dir}
        moved: dict[str, Any] = {name: str(Path(path).absolute()) for name, path in paths.items() if path is not None}
        return dataclasses.replace(self, **moved)

    def unsplit(self) -> Self:
        """Return the recipe that reads and filters the same data but does not split them."""
        unset: dict[str, Any] = {entry.field: None for entry in options(type(self), "split") if entry.default is None}
        return dataclasses.replace(self, split_kind="none", **unset, split_settings={}, expected=None)

    def load(
        self,
        *,
        cache: bool = False,
        progress: Callable[[int, int], None] | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> "Dataset":
        """Read the data without filters; a missing named data set is downloaded.

        ``cache`` is that of `read_interactions`; ``progress`` and ``announce`` are those of `load_dataset`.
        """
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
        train_and_test = None if self.test_data is None else (train, self.read_file(self.test_data, cache=cache))
        return Dataset(self.title, train, given=train_and_test)

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
        self, *, data: str | Path | None = None, data_dir: str | Path | None = None, cache: bool = False
    ) -> "Split":
        """Read, filter and split the data.

        Parameters
        ----------
        data, data_dir
            Path of the file, or folder of data sets, if it has moved; by default the one in the recipe.
        cache
            As for `read_interactions`.

        Raises
        ------
        DataError
            If this is the recipe of a fitted model, and the split differs from the one that it was fitted on.
        """
        split = self.at(data, data_dir).read(cache=cache).split()
        if self.expected not in (None, split.fingerprint):
            raise DataError(
                f"the split of {data or self.data} is {split.fingerprint}, but the model was fitted on "
                f"{self.expected}: the data have changed since; fit again, or restore the data"
            )
        return split

    def _parts(self, dataset: "Dataset") -> "tuple[Interactions, Interactions | None]":
        """Return the data to filter and split: all interactions and None, or a given training and test part."""
        if not self.kind.parts:
            return dataset.interactions, None
        if dataset.given is None:
            raise RecipeError(f"{self.data} has no test part of its own; choose another ", Argument(SPLIT_KIND))
        return dataset.given
