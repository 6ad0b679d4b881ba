"""Counts of what was noticed in the top-N lists of another system."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ListCounts:
    """What the evaluation of top-N lists noticed and how often; ``str`` has a line for each problem.

    Attributes
    ----------
    rows
        Number of rows of the table.
    skipped_rows
        Rows without a user, item, rank or score, which were skipped; the items after them move up.
    other_users, other_rows
        Users who are not evaluated, because they are not in the holdout or have no targets, and their rows. All other
        counts are of the evaluated users.
    missing_users
        Users without a list, who count as empty lists.
    unknown_items
        Rows whose item is not in the training data. They keep their places and count as misses.
    repeated_items
        Rows whose item is in the user's list already. They keep their places and count as misses.
    history_items
        Rows whose item is in the user's history. They are removed if ``history_excluded``, so that the items after them
        move up; else they keep their places and count as misses.
    history_excluded
        True if the items of the history are removed.
    users_with_ties
        Users with equal ranks or equal scores, which keep the order of the table.
    users_with_gaps
        Users whose ranks are not consecutive from 0 or 1 on. Only the order of the ranks counts.
    short_lists
        Users whose lists end before the largest cut-off; users without a list are not among them.
    remarks
        Examples of ids, if few of them match.
    """

    rows: int
    skipped_rows: int
    other_users: int
    other_rows: int
    missing_users: int
    unknown_items: int
    repeated_items: int
    history_items: int
    history_excluded: bool
    users_with_ties: int
    users_with_gaps: int
    short_lists: int
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the counts and remarks as JSON values."""
        return {**dataclasses.asdict(self), "remarks": list(self.remarks)}

    def lines(self) -> Iterator[str]:
        """Yield a line for each problem that occurred."""
        history = "removed; the items after them move up" if self.history_excluded else "counted as misses"
        texts = {
            "skipped_rows": ("rows without a user, item, rank or score", "skipped"),
            "other_users": ("users who are not evaluated", f"whose {self.other_rows:,} rows are ignored"),
            "missing_users": ("users without a list", "counted as empty lists"),
            "unknown_items": ("rows of items that are not in the training data", "counted as misses"),
            "repeated_items": ("rows that repeat an item of the list", "counted as misses"),
            "history_items": ("rows of items of the user's history", history),
            "users_with_ties": ("users with equal ranks or scores", "which keep the order of the table"),
            "users_with_gaps": ("users with gaps between ranks", "which are closed"),
            "short_lists": ("users with lists shorter than the largest cut-off", "evaluated as they are"),
        }
        for name, (noun, outcome) in texts.items():
            count = getattr(self, name)
            if count:
                yield f"{noun}: {count:,}, {outcome}"
        yield from self.remarks

    def __str__(self) -> str:
        return "\n".join(self.lines())
