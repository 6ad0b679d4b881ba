"""Roles of table columns: user, item, rating and timestamp, by name or position."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from recsys_ae.data.parsing import NONE, Column, listing
from recsys_ae.data.readers.column_names import KNOWN, is_header, likely, may_be_events, recognised, without_type
from recsys_ae.data.readers.table import Kind, Table
from recsys_ae.errors import Argument, DataError, Message

KINDS: dict[str, Kind] = {"user": "text", "item": "text", "rating": "float", "timestamp": "int"}
REQUIRED, OPTIONAL = ("user", "item"), ("rating", "timestamp")
LISTED = 10
"""Unused columns that a remark names."""


def left_out(first_row: Sequence[str], requested: Mapping[str, Column | None], header: bool | None) -> set[str]:
    """Return the optional roles that are requested as ``"none"``, unless a column has that name."""
    named_none = header is not False and any(field.strip() == NONE for field in first_row)
    return set() if named_none else {role for role in OPTIONAL if requested.get(role) == NONE}


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
    if is_header(first_row):
        return True
    ids = [_position(requested.get(role), default) for default, role in enumerate(REQUIRED)]
    if all(is_number(first_row[position]) for position in ids if position < len(first_row)):
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
    first_row: Sequence[str],
    requested: Mapping[str, Column | None],
    *,
    header: bool,
    described: Message = (),
    without: Collection[str] = (),
) -> dict[str, int]:
    """Return the position of the column for each role; ``rating`` and ``timestamp`` are optional.

    Columns that are not requested are recognised by a usual name; else the item, rating or timestamp is the only other
    column whose name ends in the word id, rating or timestamp. Without a header they are taken by order: user, item,
    rating, timestamp. Roles in ``without`` have no column. A column has one role, unless it is requested for several.
    """
    positions = {
        role: position_of(first_row, column, role, header=header, described=described)
        for role, column in requested.items()
        if column is not None
    }
    wanted = [role for role in KNOWN if role not in positions and role not in without]
    find = _by_name if header else _by_order
    positions |= find(first_row, wanted, positions)
    for role in REQUIRED:
        if role not in positions:
            raise DataError(
                f"no column was recognised as the {role}{_candidates(first_row, role, positions, header=header)}; set ",
                Argument(role),
                f" to its name or position; {_there(first_row, header=header)} (",
                *described,
                ")",
            )
    return {role: positions[role] for role in KNOWN if role in positions}


class Roles(NamedTuple):
    """Positions of the columns by role, their kinds, whether the first row holds names, and the roles left out."""

    positions: dict[str, int]
    kinds: dict[int, Kind]
    has_names: bool
    without: set[str]


def roles_of(table: Table, requested: Mapping[str, Column | None], header: bool | None) -> Roles:
    """Return the columns of a table of interactions that are to be read."""
    if table.names is None and len(table.first) < 2:
        raise DataError("two columns are needed; ", *table.described)
    if header is None and table.says_names:
        header = True
    without = left_out(table.first, requested, header if table.names is None else True)
    requested = {role: None if role in without else column for role, column in requested.items()}
    names = table.names is not None or has_header(table.first, requested, header)
    roles = assign(table.first, requested, header=names, described=table.described, without=without)
    if not names:
        refuse_wide(table.first, requested)
    # A column with two roles is read as text, which can be converted for both.
    shared = [position for position in roles.values() if [*roles.values()].count(position) > 1]
    kinds = {position: "text" if position in shared else KINDS[role] for role, position in roles.items()}
    return Roles(roles, kinds, names, without)


def refuse_wide(first_row: Sequence[str], requested: Mapping[str, Column | None]) -> None:
    """Raise an error for a table without a header whose columns are too many to be taken by order."""
    if len(first_row) > len(KNOWN) and not any(requested[role] is not None for role in REQUIRED):
        raise DataError(
            f"the file has {len(first_row)} columns and no header, so it is unclear which hold the user and the item; "
            "set ",
            Argument("user"),
            " and ",
            Argument("item"),
            " to positions from 0; if each line holds a user and their items, set ",
            Argument("layout", "lists"),
            "; a matrix of users and items must become one row for each interaction",
        )


def remarks(
    first_row: Sequence[str], roles: Mapping[str, int], requested: Mapping[str, Column | None], *, header: bool
) -> tuple[str, ...]:
    """Return remarks on the columns: those recognised by the end of their name, and those not used."""
    said = []
    for role, position in roles.items():
        usual = not header or requested.get(role) is not None or position in recognised(first_row, role, ())
        if not usual:
            said.append(f"the column {listing([first_row[position]])} is read as the {role}")
    unused = [position for position in range(len(first_row)) if position not in roles.values()]
    if unused:
        names = [first_row[position] if header else "" for position in unused]
        names = [name.strip() or f"position {position}" for name, position in zip(names, unused, strict=True)]
        said.append(f"columns not used: {listing(names, LISTED)}")
    events = [first_row[position] for position in unused if header and may_be_events(first_row[position])]
    if events and "rating" not in roles and requested.get("rating") is None:
        said.append(
            f"no ratings are read, and every interaction counts as 1, but there may be ratings or kinds of events in "
            f"{listing(events, LISTED)}; give the rating column to use one"
        )
    return tuple(said)


def position_of(first_row: Sequence[str], column: Column, role: str, *, header: bool, described: Message = ()) -> int:
    """Return the position of the column requested by name or position."""
    if isinstance(column, str):
        if not header:
            header_option = Argument("header", value=False)
            raise DataError(Argument(role, column), " is a name, but ", header_option, "; give the column's position")
        for form in (str, str.strip, without_type):
            matches = [position for position, name in enumerate(first_row) if form(name) == column]
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


def _by_name(names: Sequence[str], wanted: Sequence[str], requested: Mapping[str, int]) -> dict[str, int]:
    """Return the positions of the roles that the names of the columns show."""
    found: dict[str, int] = {}
    for candidates in (recognised, likely):
        for role in wanted:
            positions = [] if role in found else candidates(names, role, {*requested.values(), *found.values()})
            if len(positions) > 1 and names[positions[0]] in names[positions[0] + 1 :]:
                times = names.count(names[positions[0]])
                message = f"the column {listing([names[positions[0]]])} occurs {times} times; set "
                raise DataError(message, Argument(role), " to a position")
            if len(positions) == 1 or (positions and candidates is recognised):
                found[role] = positions[0]
    return found


def _by_order(first_row: Sequence[str], wanted: Sequence[str], requested: Mapping[str, int]) -> dict[str, int]:
    """Return the usual positions of roles; those of ratings and timestamps only if no id was requested."""
    usable = KNOWN if not any(role in requested for role in REQUIRED) else REQUIRED
    order = {role: position for position, role in enumerate(KNOWN) if role in wanted and role in usable}
    free = set(range(len(first_row))) - set(requested.values())
    return {role: position for role, position in order.items() if position in free}


def _candidates(names: Sequence[str], role: str, positions: Mapping[str, int], *, header: bool) -> str:
    found = likely(names, role, set(positions.values())) if header else []
    return f"; it may be {' or '.join(listing([names[position]]) for position in found)}" if found else ""


def _there(first_row: Sequence[str], *, header: bool) -> str:
    return f"the columns are: {listing(first_row)}" if header else f"there are {len(first_row)} columns, counted from 0"


def _position(column: Column | None, default: int) -> int:
    return column if isinstance(column, int) else default


def is_number(field: str) -> bool:
    """Return True if a field is the text of a number."""
    try:
        float(field)
    except ValueError:
        return False
    return True
