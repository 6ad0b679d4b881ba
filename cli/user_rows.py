"""Users and their histories for `recommend` and `predict`, and lists of allowed or denied items."""

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
    """Users, their histories as input of the model, and all their interactions, ``(n, n_items)`` each."""

    users: "Ids"
    histories: "csr_matrix"
    seen: "csr_matrix"

    @classmethod
    def of(cls, read: "Interactions", filtered: "Interactions", items: "Ids") -> "Audience":
        """Return all users of the data as read; users who are not in the filtered data have empty histories."""
        from recsys_ae.data.splits.holdout import histories_of  # noqa: PLC0415

        inputs = filtered.onto(items)
        if inputs.nnz < filtered.nnz:
            skipped = f"Skipped {filtered.nnz - inputs.nnz:,} of {filtered.nnz:,} interactions"
            note(f"{skipped}, because the model does not know their items")
        return cls(read.users, histories_of(inputs, read.users), read.onto(items).matrix)

    def part(self, rows: "slice | np.ndarray") -> "Audience":
        """Return a selection of the users."""
        return Audience(self.users[rows], self.histories[rows], self.seen[rows])

    def has(self, path: Path) -> bool:
        """Return True if all users in a file of ids are among these."""
        return bool((ids.positions(self.users, ids.read_column(path, "user")) >= 0).all())

    def pick(self, path: Path) -> "Audience":
        """Return the users in a file of ids, each once, in its order."""
        words = list(dict.fromkeys(ids.read_column(path, "user")))
        positions = ids.positions(self.users, words)
        unknown = [word for word, position in zip(words, positions, strict=True) if position < 0]
        if unknown:
            raise DataError(
                f"{path}: the data of the fit have no users {ids.named(unknown)}; give their histories with --histories"
            )
        return self.part(positions)

    def joined(self, other: "Audience") -> "Audience":
        """Add the users of another audience; users of both have the other's history."""
        from scipy.sparse import csr_matrix, vstack  # noqa: PLC0415

        theirs = ids.as_known(self.users, other.users)
        remaining = self.part(theirs.get_indexer(self.users) < 0)
        histories, seen = (
            csr_matrix(vstack(matrices))
            for matrices in ((remaining.histories, other.histories), (remaining.seen, other.seen))
        )
        return Audience(remaining.users.append(theirs), histories, seen)


def known(recipe: "DataRecipe", items: "Ids", *, cache: bool, everybody: bool = True) -> Audience:
    """Return the users of the data of the fit, held out or not, with their full histories.

    The filters of the fit apply to the histories. If the evaluation restores interactions that the minimum numbers
    removed, this function does so too. Without ``everybody``, users whose whole history was removed are left out.
    """
    if recipe.whole_histories:
        recipe = dataclasses.replace(recipe, min_user_items=0, min_item_users=0)
    dataset = load(recipe, cache=cache)
    # Recommendations use the whole history of a user, whatever the split of the fit.
    filtered = recipe.unsplit().read(dataset).data
    return Audience.of(dataset.interactions if everybody else filtered, filtered, items)


def new(path: Path, reading: "Reading", threshold: float | None, model: "Recommender", *, cache: bool) -> Audience:
    """Read histories from a file. Ratings below the threshold of the fit are seen, but not an input of the model.

    Ids of users of the model take the form that the model has, whether they are read as numbers or as text.
    """
    data = liked = reading.read_file(path, cache=cache)
    rated = bool((data.matrix.data != 1).any())
    if model.spec.feedback == "explicit" and not rated:
        note(f"{path}: every rating is 1; if the file has ratings, name their column with --rating-column")
    if threshold is not None and rated:
        from recsys_ae.data.filters import MinRating  # noqa: PLC0415

        liked = MinRating(threshold)(data)
    audience = Audience.of(data, liked, model.items)
    return audience._replace(users=ids.as_known(model.users, audience.users))


def of_items(path: Path, audience: Audience, items: "Ids") -> "np.ndarray | csr_matrix":
    """Read a list of items for all users, or, with the columns user and item, a list for each user."""
    content = ids.read_columns(path, ("user", "item"))
    if "item" not in content:
        raise DataError(f"{path} has a column user, but no column item")
    columns = ids.positions(items, content["item"])
    if "user" not in content:
        _say_unknown(path, int((columns < 0).sum()), "unknown items")
        return columns[columns >= 0]
    return _for_each(path, content, columns, audience, items)


def _for_each(
    path: Path, content: Mapping[str, list[str]], columns: "np.ndarray", audience: Audience, items: "Ids"
) -> "csr_matrix":
    import numpy as np  # noqa: PLC0415
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    rows = ids.positions(audience.users, content["user"])
    is_known = (rows >= 0) & (columns >= 0)
    _say_unknown(path, int((~is_known).sum()), "pairs with an unknown user or item")
    shape = (len(audience.users), len(items))
    return csr_matrix((np.ones(int(is_known.sum()), np.float32), (rows[is_known], columns[is_known])), shape=shape)


def _say_unknown(path: Path, n: int, noun: str) -> None:
    if n:
        note(f"{path}: skipped {n:,} {noun}")
