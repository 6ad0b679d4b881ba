"""For whom, and from what: the histories that `recommend` answers, and its lists of items."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from recsys_ae.errors import DataError

from . import ids
from .data_options import load
from .display import note

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

    from recsys_ae.data.interactions import Ids, Interactions
    from recsys_ae.data.reading import Reading
    from recsys_ae.data.recipe import DataRecipe
    from recsys_ae.recommender.recommender import Recommender

ALL = "all"


class Audience(NamedTuple):
    """Users, their histories as input of the model, and all that they have interacted with: ``(n, n_items)`` each."""

    users: "Ids"
    histories: "csr_matrix"
    seen: "csr_matrix"

    @classmethod
    def of(cls, read: "Interactions", filtered: "Interactions", items: "Ids") -> "Audience":
        """Take everybody in the data as read; who is not in the filtered data has an empty history."""
        from recsys_ae.data.splits.holdout import histories_of  # noqa: PLC0415

        known = filtered.onto(items)
        if known.nnz < filtered.nnz:
            skipped = f"Skipped {filtered.nnz - known.nnz:,} of {filtered.nnz:,} interactions"
            note(f"{skipped}, because the model does not know their items")
        return cls(read.users, histories_of(known, read.users), read.onto(items).matrix)

    def part(self, rows: "slice | np.ndarray") -> "Audience":
        """Return some of the users."""
        return Audience(self.users[rows], self.histories[rows], self.seen[rows])

    def has(self, path: Path) -> bool:
        """Say whether all users whose ids a file lists are among these."""
        return bool((ids.positions(self.users, ids.read_column(path, "user")) >= 0).all())

    def pick(self, path: Path) -> "Audience":
        """Return the users whose ids a file lists, each once, in its order."""
        words = list(dict.fromkeys(ids.read_column(path, "user")))
        places = ids.positions(self.users, words)
        unknown = [word for word, place in zip(words, places, strict=True) if place < 0]
        if unknown:
            raise DataError(
                f"{path}: the data of the fit have no users {ids.named(unknown)}; give their histories with --histories"
            )
        return self.part(places)

    def joined(self, other: "Audience") -> "Audience":
        """Add the other's users; who is in both has the other's history."""
        from scipy.sparse import csr_matrix, vstack  # noqa: PLC0415

        theirs = ids.as_known(self.users, other.users)
        own = self.part(theirs.get_indexer(self.users) < 0)
        histories, seen = (
            csr_matrix(vstack(both)) for both in ((own.histories, other.histories), (own.seen, other.seen))
        )
        return Audience(own.users.append(theirs), histories, seen)


def known(recipe: "DataRecipe", items: "Ids", *, cache: bool, everybody: bool = True) -> Audience:
    """Return the users of the data that the model was fitted on, held out or not, with all that is known of them.

    Their histories are what the filters of the fit leave; where evaluation restores what the minimums take away, so
    does this. Without ``everybody``, users with nothing left are no users.
    """
    if recipe.whole_histories:
        recipe = dataclasses.replace(recipe, min_user_items=0, min_item_users=0)
    dataset = load(recipe, cache=cache)
    # However the data were split for the fit, a user is served from all of them.
    filtered = recipe.unsplit().read(dataset).data
    return Audience.of(dataset.interactions if everybody else filtered, filtered, items)


def new(path: Path, reading: "Reading", threshold: float | None, model: "Recommender", *, cache: bool) -> Audience:
    """Read histories from a file. Ratings below the threshold of the fit are seen, but no input of the model.

    Users that the model knows apart are named as it names them, whether the ids here are read as numbers or as text.
    """
    data = liked = reading.read_file(path, cache=cache)
    rated = bool((data.matrix.data != 1).any())
    if model.spec.feedback == "explicit" and not rated:
        note(f"{path}: every rating is 1; if the file has ratings, name their column with --rating-column")
    if threshold is not None and rated:
        from recsys_ae.data.filters import MinRating  # noqa: PLC0415

        liked = MinRating(threshold)(data)
    found = Audience.of(data, liked, model.items)
    return found._replace(users=ids.as_known(model.users, found.users))


def of_items(path: Path, audience: Audience, items: "Ids") -> "np.ndarray | csr_matrix":
    """Read a list of items for everybody, or, with the columns user and item, a list for each user."""
    found = ids.read_columns(path, ("user", "item"))
    if "item" not in found:
        raise DataError(f"{path} has a column user, but no column item")
    columns = ids.positions(items, found["item"])
    if "user" not in found:
        _say_unknown(path, int((columns < 0).sum()), "unknown items")
        return columns[columns >= 0]
    return _for_each(path, found, columns, audience, items)


def _for_each(
    path: Path, found: Mapping[str, list[str]], columns: "np.ndarray", audience: Audience, items: "Ids"
) -> "csr_matrix":
    import numpy as np  # noqa: PLC0415
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    rows = ids.positions(audience.users, found["user"])
    kept = (rows >= 0) & (columns >= 0)
    _say_unknown(path, int((~kept).sum()), "pairs with an unknown user or item")
    shape = (len(audience.users), len(items))
    return csr_matrix((np.ones(int(kept.sum()), np.float32), (rows[kept], columns[kept])), shape=shape)


def _say_unknown(path: Path, n: int, what: str) -> None:
    if n:
        note(f"{path}: skipped {n:,} {what}")
