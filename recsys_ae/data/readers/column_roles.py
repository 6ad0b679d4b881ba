"""Roles of table columns: user, item, rating and timestamp, by name or position."""

from collections.abc import Mapping, Sequence
from typing import Any

from recsys_ae.data.parsing import Column, listing
from recsys_ae.errors import Argument, DataError, Message

# Names by which a column is recognised, in order of preference, without case, spaces and punctuation.
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


def has_header(first_row: Sequence[str], requested: Mapping[Any, Column | None], header: bool | None) -> bool:
    """Return True if the first row of a table holds the names of the columns.

    Raises
    ------
    DataError
        If that is unclear: no name in it is recognised or requested, and the ids are not numbers.
    """
    if header is not None:
        return header
    if any(isinstance(column, str) for column in requested.values()):
        return True
    plain = {_plain(field) for field in first_row}
    if any(plain.intersection(names) for names in KNOWN.values()):
        return True
    ids = [_position(requested.get(role), default) for default, role in enumerate(REQUIRED)]
    if all(_is_number(first_row[position]) for position in ids if position < len(first_row)):
        return False
    raise DataError(
        f"the first line may hold column names or data: {listing(first_row)}; say which with ",
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
    first_row: Sequence[str], requested: Mapping[str, Column | None], *, header: bool, described: Message = ()
) -> dict[str, int]:
    """Return the position of the column for each role; ``rating`` and ``timestamp`` are optional.

    Columns that are not requested are recognised by name, or without a header by order: user, item, rating, timestamp.
    """
    positions = {
        role: position_of(first_row, column, role, header=header, described=described)
        for role, column in requested.items()
        if column is not None
    }
    by_order = not header and not any(role in positions for role in REQUIRED)
    for default, role in enumerate(KNOWN):
        if role in positions:
            continue
        if header:
            position = _recognised(first_row, role, set(positions.values()))
        else:
            usable = by_order or role in REQUIRED
            position = default if usable and default < len(first_row) and default not in positions.values() else None
        if position is not None:
            positions[role] = position
        elif role in REQUIRED:
            raise DataError(
                f"no column was recognised as the {role}; set ",
                Argument(role),
                f" to its name or position; {_there(first_row, header=header)} (",
                *described,
                ")",
            )
    return positions


def position_of(first_row: Sequence[str], column: Column, role: str, *, header: bool, described: Message = ()) -> int:
    """Return the position of the column requested by name or position."""
    if isinstance(column, str):
        if not header:
            header_option = Argument("header", value=False)
            raise DataError(Argument(role, column), " is a name, but ", header_option, "; give the column's position")
        matches = [position for position, name in enumerate(first_row) if name == column]
        matches = matches or [position for position, name in enumerate(first_row) if name.strip() == column]
        if len(matches) > 1:
            times = f" occurs {len(matches)} times among the names of the columns; give a position"
            raise DataError(Argument(role, column), times)
        if matches:
            return matches[0]
    elif 0 <= column < len(first_row):
        return column
    raise DataError(
        Argument(role, column), f": there is no such column; {_there(first_row, header=header)} (", *described, ")"
    )


def _there(first_row: Sequence[str], *, header: bool) -> str:
    return f"the columns are: {listing(first_row)}" if header else f"there are {len(first_row)} columns, counted from 0"


def _recognised(names: Sequence[str], role: str, taken: set[int]) -> int | None:
    plain = [_plain(name) for name in names]
    for usual_name in KNOWN[role]:
        for position, name in enumerate(plain):
            if name == usual_name and position not in taken:
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
