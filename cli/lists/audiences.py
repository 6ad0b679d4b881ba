"""Users who get lists, all at once or in blocks of users, so that the memory does not grow with their number."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from recsys_ae.errors import DataError

from .. import ids
from ..display import note
from ..saved import reading_of, recipe_of, threshold_of
from . import user_rows
from .user_rows import ALL, Audience

if TYPE_CHECKING:
    from recsys_ae.data.interactions import Interactions
    from recsys_ae.data.readers.parts.read_blocks import UserBlock
    from recsys_ae.data.reading import Reading
    from recsys_ae.data.recipe import DataRecipe
    from recsys_ae.recommender.recommender import Recommender

Skip = Callable[[int], bool]


class Block(NamedTuple):
    """Users of a block: its number from 0, the number of blocks, and the users."""

    number: int
    n_blocks: int
    audience: Audience


@dataclasses.dataclass(frozen=True)
class Request:
    """What the options of `recommend` say of the users: of whom, their histories, and unknown users."""

    model: "Recommender"
    folder: Path
    users: str | None
    histories: Path | None
    settings: Mapping[str, Any]

    @property
    def reading(self) -> "Reading":
        """Options by which files are read."""
        from recsys_ae.data.reading import Reading  # noqa: PLC0415

        return Reading.from_options(self.settings)

    def at_once(self) -> Audience:
        """Return all users; the data of the fit are read only if necessary."""
        model, histories = self.model, self.histories

        def of_fit() -> Audience:
            return user_rows.known(self._recipe, model.items, cache=self.settings["cache"])

        fitted = reading_of(model)
        wanted = None if self.users in (None, ALL) else user_rows.listed(Path(str(self.users)), self.reading, fitted)
        if histories is None:
            found = of_fit() if wanted is None else of_fit().pick(wanted)
            return self._served(found)
        reading = self.reading.like(fitted, histories)
        new = user_rows.new(histories, reading, threshold_of(model), model, cache=self.settings["cache"])
        if wanted is not None:
            found = new.pick(wanted) if new.has(wanted) else of_fit().joined(new).pick(wanted)
        else:
            found = new if self.users is None else of_fit().joined(new)
        return self._served(found)

    @property
    def why_at_once(self) -> str | None:
        """Why the users cannot be read in blocks; None if they can."""
        if self.users is not None and not (self.users == ALL and self.histories is None):
            return "--users names users of several sources"
        if self.histories is not None:
            return None
        recipe = self._recipe
        if recipe.named:
            return f"{recipe.data} is a named data set"
        if recipe.test_data is not None:
            return "the data have a test part of their own"
        if not recipe.whole_histories and (recipe.min_item_users or recipe.k_core):
            return "the filters of the fit count the users of each item"
        return None

    @property
    def place(self) -> str:
        """Place of the histories that are read in blocks."""
        return str(self._recipe.data) if self.histories is None else str(self.histories)

    def in_blocks(self, skip: Skip, *, n_blocks: int | None = None, room: Path | None = None) -> Iterator[Block]:
        """Yield the users in blocks, without the blocks that ``skip`` names."""
        if self.histories is None:
            recipe = self._recipe
            read: Iterator[UserBlock] = recipe.read_blocks(recipe.data, n_blocks=n_blocks, folder=room, skip=skip)
        else:
            reading = self.reading.like(reading_of(self.model), self.histories)
            read = reading.read_blocks(self.histories, n_blocks=n_blocks, folder=room, skip=skip)
        said = _Said(self.place)
        for block in read:
            said.take(block.data)
            audience = self._of_fit(block.data) if self.histories is None else self._new(block)
            yield Block(block.number, block.n_blocks, audience)
        said.say()

    def _of_fit(self, data: "Interactions") -> Audience:
        import numpy as np  # noqa: PLC0415

        from recsys_ae.data.dataset_info import Dataset  # noqa: PLC0415
        from recsys_ae.data.filters import NothingLeftError  # noqa: PLC0415

        recipe = self._recipe
        if recipe.whole_histories:
            recipe = dataclasses.replace(recipe, min_user_items=0, min_item_users=0)
        try:
            filtered = recipe.unsplit().read(Dataset(recipe.title, data)).data
        except NothingLeftError:  # of this block; its users have no history then
            filtered = data.take(np.zeros(data.nnz, dtype=bool))
        return Audience.of(data, filtered, self.model.items, tell=False)

    def _new(self, block: "UserBlock") -> Audience:
        data = liked = block.data
        threshold = threshold_of(self.model)
        if threshold is not None and block.is_rated:
            from recsys_ae.data.filters import MinRating  # noqa: PLC0415

            liked = MinRating(threshold)(data)
        audience = Audience.of(data, liked, self.model.items, tell=False)
        return audience._replace(users=ids.as_known(self.model.users, audience.users))

    def _served(self, audience: Audience) -> Audience:
        return user_rows.served(audience, self.settings["unknown_users"], self.users)

    @property
    def _recipe(self) -> "DataRecipe":
        return recipe_of(self.model, self.folder, self.settings)


class _Said:
    """Remarks and steps of the blocks, which are printed once."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.remarks: Counter[str] = Counter()
        self.steps: dict[str, list[int]] = {}

    def take(self, data: "Interactions") -> None:
        self.remarks.update(data.remarks)
        for step in data.steps:
            before, after = self.steps.setdefault(step.name, [0, 0])
            self.steps[step.name] = [before + step.before[0], after + step.after[0]]

    def say(self) -> None:
        for remark in self.remarks:
            note(f"Note: {self.place}: {remark}")
        for name, (before, after) in self.steps.items():
            note(f"Note: {self.place}: {name}: {before:,} → {after:,} interactions")


class Unknown:
    """Users without a history that the model can use, block by block; see `user_rows.served`."""

    def __init__(self, unknown_users: str) -> None:
        self.unknown_users = unknown_users
        self.count = self.total = 0
        self.first: list[Any] = []

    def served(self, audience: Audience) -> Audience:
        """Return the users of a block who get a list."""
        has_input = audience.histories.getnnz(axis=1) > 0
        names = audience.users[~has_input]
        self.count += len(names)
        self.total += len(has_input)
        self.first += names[: ids.LISTED - len(self.first)].tolist()
        if self.unknown_users == "error" and self.count:
            raise DataError(f"nothing is known of {self._said()}; {WAY_OUT}")
        return audience.part(has_input.nonzero()[0]) if self.unknown_users == "skip" else audience

    def say(self) -> None:
        """Print the number of these users, and the first of them."""
        if self.count:
            outcome = "are skipped" if self.unknown_users == "skip" else "get the most popular items"
            note(f"Warning: {self.count:,} of {self.total:,} users {outcome}, {REASON}: {self._names()}")

    def _said(self) -> str:
        return f"{self.count:,} users, {REASON}: {self._names()}"

    def _names(self) -> str:
        return ids.named(self.first, self.count)


REASON = "because the filters of the fit or unknown items remove their whole history"
WAY_OUT = "serve them with --unknown-users popular, or leave them out with --unknown-users skip"
