"""Which column of a table holds what."""

from collections.abc import Mapping, Sequence
from typing import Any

from recsys_ae.data.parsing import Column, listing
from recsys_ae.errors import Argument, DataError, Message

# Names under which a column is recognised, the first that is there; case, spaces and punctuation do not count.
KNOWN = {
    "user": ("user", "userid", "uid", "userno", "reviewer", "reviewerid", "customer", "customerid", "visitorid"),
    "item": (
        "item", "itemid", "iid", "itemno", "movie", "movieid", "mid", "film", "filmid", "product", "productid",
        "parentasin", "asin", "book", "bookid", "isbn", "song", "songid", "track", "trackid", "artist", "artistid",
        "article", "articleid", "business", "businessid", "game", "gameid",
    ),
    "rating": ("rating", "ratings", "score", "value", "stars", "overall"),
    "timestamp": ("timestamp", "time", "ts", "unixreviewtime", "datetime", "date"),
}  # fmt: skip
REQUIRED = ("user", "item")


def has_header(first: Sequence[str], wanted: Mapping[Any, Column | None], header: bool | None) -> bool:
    """Say whether the first row of a table holds names.

    Raises
    ------
    DataError
        Where it may be either: no name in it is known or asked for, and the ids are not numbers.
    """
    if header is not None:
        return header
    if any(isinstance(column, str) for column in wanted.values()):
        return True
    plain = {_plain(field) for field in first}
    if any(plain.intersection(names) for names in KNOWN.values()):
        return True
    ids = [_position(wanted.get(role), default) for default, role in enumerate(REQUIRED)]
    if all(_is_number(first[position]) for position in ids if position < len(first)):
        return False
    raise DataError(
        f"the first line may hold column names or data: {listing(first)}; say which with ",
        Argument("header", value=True),
        " or ",
        Argument("header", value=False),
        ", or set ",
        Argument("user"),
        " and ",
        Argument("item"),
        " to the names of the columns",
    )


def assign(
    first: Sequence[str], wanted: Mapping[str, Column | None], *, header: bool, described: Message = ()
) -> dict[str, int]:
    """Return the position of the column of each role; ``rating`` and ``timestamp`` only where there is one.

    Columns not asked for are found by their names, without a header by their order: user, item, rating, timestamp.
    """
    found = {
        role: position_of(first, column, role, header=header, described=described)
        for role, column in wanted.items()
        if column is not None
    }
    by_order = not header and not any(role in found for role in REQUIRED)
    for default, role in enumerate(KNOWN):
        if role in found:
            continue
        if header:
            position = _recognised(first, role, set(found.values()))
        else:
            usable = by_order or role in REQUIRED
            position = default if usable and default < len(first) and default not in found.values() else None
        if position is not None:
            found[role] = position
        elif role in REQUIRED:
            raise DataError(
                f"no column was recognised as the {role}; set ",
                Argument(role),
                f" to its name or position; {_there(first, header=header)} (",
                *described,
                ")",
            )
    return found


def position_of(first: Sequence[str], column: Column, role: str, *, header: bool, described: Message = ()) -> int:
    """Return the position of the column asked for by name or position."""
    if isinstance(column, str):
        if not header:
            header_option = Argument("header", value=False)
            raise DataError(Argument(role, column), " is a name, but ", header_option, "; give the column's position")
        same = [position for position, name in enumerate(first) if name == column]
        same = same or [position for position, name in enumerate(first) if name.strip() == column]
        if len(same) > 1:
            times = f" occurs {len(same)} times among the names of the columns; give a position"
            raise DataError(Argument(role, column), times)
        if same:
            return same[0]
    elif 0 <= column < len(first):
        return column
    raise DataError(
        Argument(role, column), f": there is no such column; {_there(first, header=header)} (", *described, ")"
    )


def _there(first: Sequence[str], *, header: bool) -> str:
    return f"the columns are: {listing(first)}" if header else f"there are {len(first)} columns, counted from 0"


def _recognised(names: Sequence[str], role: str, taken: set[int]) -> int | None:
    plain = [_plain(name) for name in names]
    for known in KNOWN[role]:
        for position, name in enumerate(plain):
            if name == known and position not in taken:
                return position
    return None


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _position(column: Column | None, default: int) -> int:
    return column if isinstance(column, int) else default


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
