"""Users and their histories for `recommend` and `predict`, unknown users, and lists of allowed or denied items."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from recsys_ae.errors import DataError

from .. import ids
from ..data_options import load
from ..display import note

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    from recsys_ae.data.interactions import Ids, Interactions
    from recsys_ae.data.reading import Reading
    from recsys_ae.data.recipe import DataRecipe
    from recsys_ae.recommender.recommender import Recommender

ALL = "all"


class Audience(NamedTuple):
    """Users, their histories as input of the model, and all their interactions, ``(n, n_items)`` each.

    ``in_data`` is False for users who are in no data, ``(n,)``.
    """

    users: "Ids"
    histories: "csr_matrix"
    seen: "csr_matrix"
    in_data: "np.ndarray"

    @classmethod
    def of(cls, read: "Interactions", filtered: "Interactions", items: "Ids", *, tell: bool = True) -> "Audience":
        """Return all users of the data as read; users who are not in the filtered data have empty histories.

        With ``tell`` the number of interactions is printed whose items are unknown.
        """
        import numpy as np  # noqa: PLC0415

        from recsys_ae.data.splits.holdout import histories_of  # noqa: PLC0415

        inputs = filtered.onto(items)
        if tell and inputs.nnz < filtered.nnz:
            skipped = f"Skipped {filtered.nnz - inputs.nnz:,} of {filtered.nnz:,} interactions"
            note(f"{skipped}, because the model does not know their items")
        for remark in inputs.remarks if tell else ():
            note(f"Note: {remark}")
        matrices = histories_of(inputs, read.users), read.onto(items).matrix
        return cls(read.users, *matrices, np.ones(len(read.users), dtype=bool))

    def part(self, rows: "slice | np.ndarray") -> "Audience":
        """Return a selection of the users."""
        return Audience(self.users[rows], self.histories[rows], self.seen[rows], self.in_data[rows])

    def has(self, listed: "Sequence[Any] | pd.Series[Any]") -> bool:
        """Return True if all listed users are among these."""
        return bool((ids.positions(self.users, listed) >= 0).all())

    def pick(self, listed: "Sequence[Any]") -> "Audience":
        """Return the listed users, each once, in this order; unknown users as they are listed, without a history."""
        import numpy as np  # noqa: PLC0415
        import pandas as pd  # noqa: PLC0415
        from scipy.sparse import csr_matrix  # noqa: PLC0415

        from recsys_ae.data.id_forms import normal_text  # noqa: PLC0415
        from recsys_ae.data.id_matching import mismatch  # noqa: PLC0415

        positions = ids.positions(self.users, listed)
        for remark in mismatch(self.users, listed, positions, "listed users", owner="the data set"):
            note(f"Warning: {remark}")
        known, first_row = np.unique(positions[positions >= 0], return_index=True)
        order = np.flatnonzero(positions >= 0)[first_row]
        picked = self.part(known)
        # The last of these assignments is the first row with an id.
        unknown = {normal_text(listed[row]): row for row in np.flatnonzero(positions < 0)[::-1]}
        if unknown:
            rows = np.fromiter(unknown.values(), np.int64, len(unknown))
            users = pd.Index([listed[row] for row in rows], dtype=object).infer_objects()
            entries = np.zeros(0, np.float32), (np.zeros(0, np.int64), np.zeros(0, np.int64))
            nothing = csr_matrix(entries, shape=(len(rows), self.histories.shape[1]))
            picked = picked._followed_by(Audience(users, nothing, nothing, np.zeros(len(rows), dtype=bool)))
            order = np.concatenate([order, rows])
        return picked.part(np.argsort(order))

    def joined(self, other: "Audience") -> "Audience":
        """Add the users of another audience; users of both have the other's history."""
        theirs = ids.as_known(self.users, other.users)
        remaining = self.part(theirs.get_indexer(self.users) < 0)
        return remaining._followed_by(other._replace(users=theirs))

    def _followed_by(self, other: "Audience") -> "Audience":
        import numpy as np  # noqa: PLC0415
        from scipy.sparse import csr_matrix, vstack  # noqa: PLC0415

        histories, seen = (
            csr_matrix(vstack(matrices)) for matrices in ((self.histories, other.histories), (self.seen, other.seen))
        )
        users, in_data = self.users.append(other.users), np.concatenate([self.in_data, other.in_data])
        return Audience(users, histories, seen, in_data)


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
    for remark in data.remarks:
        note(f"Note: {path}: {remark}")
    for step in data.steps:
        note(f"Note: {path}: {step}")
    rated = bool((data.matrix.data != 1).any())
    if model.spec.feedback == "explicit" and not rated:
        note(f"{path}: every rating is 1; if the file has ratings, name their column with --rating-column")
    if threshold is not None and rated:
        from recsys_ae.data.filters import MinRating  # noqa: PLC0415

        liked = MinRating(threshold)(data)
    audience = Audience.of(data, liked, model.items)
    return audience._replace(users=ids.as_known(model.users, audience.users))


def listed(path: Path, reading: "Reading", fitted: "Reading") -> list[Any]:
    """Read a list of users, whose column may have the name that it has in the data of the fit."""
    return read_ids(path, reading, fitted, "user")["user"].tolist()


def read_ids(path: Path, reading: "Reading", fitted: "Reading", *roles: str, every: bool = False) -> "pd.DataFrame":
    """Read a list of ids, whose columns may have the names that they have in the data of the fit; print remarks."""
    table = reading.read_ids(path, *roles, fitted=fitted, every=every)
    for remark in table.attrs["remarks"]:
        note(f"Note: {path}: {remark}")
    return table


def served(audience: Audience, unknown_users: str, source: str | None) -> Audience:
    """Return the users who get a list; report those without a history that the model can use.

    ``unknown_users`` says what they get: the most popular items (``popular``), nothing (``skip``), or an error.
    ``source`` is the value of ``--users``.
    """
    place = "" if source in (None, ALL) else f"{source}: "
    has_input = audience.histories.getnnz(axis=1) > 0
    reasons = {
        "because they are in no data; give their histories with --histories": ~audience.in_data,
        "because the filters of the fit or unknown items remove their whole history": audience.in_data & ~has_input,
    }
    for reason, rows in reasons.items():
        names = audience.users[rows]
        if len(names) == 0:
            continue
        count = f"{len(names):,} of {len(has_input):,} users"
        if unknown_users == "error":
            way_out = "serve them with --unknown-users popular, or leave them out with --unknown-users skip"
            raise DataError(f"{place}nothing is known of {count}, {reason}: {ids.named(names)}; {way_out}")
        outcome = "are skipped" if unknown_users == "skip" else "get the most popular items"
        note(f"Warning: {place}{count} {outcome}, {reason}: {ids.named(names)}")
    return audience.part(has_input.nonzero()[0]) if unknown_users == "skip" else audience


class ItemFilter:
    """A list of items for all users, or, with columns of users and items, a list for each user."""

    def __init__(self, path: Path, items: "Ids", reading: "Reading", fitted: "Reading") -> None:
        table = read_ids(path, reading, fitted, "user", "item")
        self.path, self.n_items, self.n_known = path, len(items), 0
        self.columns = positions_in(path, items, table["item"], "items", "the model")
        self.users = table.get("user")

    def of(self, audience: Audience) -> "np.ndarray | csr_matrix":
        """Return the positions of the items for all users, or a row for each user of an audience."""
        import numpy as np  # noqa: PLC0415
        from scipy.sparse import csr_matrix  # noqa: PLC0415

        if self.users is None:
            return self.columns[self.columns >= 0]
        rows = ids.positions(audience.users, self.users)
        is_known = (rows >= 0) & (self.columns >= 0)
        self.n_known += int(is_known.sum())
        shape = (len(audience.users), self.n_items)
        entries = np.ones(int(is_known.sum()), np.float32), (rows[is_known], self.columns[is_known])
        return csr_matrix(entries, shape=shape)

    def say(self) -> None:
        """Print the number of rows of the file that no user or item has; call this after the last audience."""
        n, n_all = (self.n_known, "pairs with an unknown user or item") if self.users is not None else (
            int((self.columns >= 0).sum()), "unknown items"
        )  # fmt: skip
        if n < len(self.columns):
            note(f"{self.path}: skipped {len(self.columns) - n:,} {n_all}")


def positions_in(path: Path, known_ids: "Ids", listed: "pd.Series[Any]", noun: str, owner: str) -> "np.ndarray":
    """Return the position of each id of a file, −1 if it is unknown; print an example of each side if few are known."""
    from recsys_ae.data.id_matching import mismatch  # noqa: PLC0415

    positions = ids.positions(known_ids, listed)
    for remark in mismatch(known_ids, listed.tolist(), positions, noun, owner=owner):
        note(f"Warning: {path}: {remark}")
    return positions


def say_skipped(path: Path, is_known: "np.ndarray", noun: str) -> None:
    """Print the number of rows of a file that are skipped."""
    if not is_known.all():
        note(f"{path}: skipped {int((~is_known).sum()):,} {noun}")
