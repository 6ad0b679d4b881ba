"""Forms of files with lists of items: how a line holds a user and the user's items, and how a form is recognised."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from recsys_ae.data.parsing import shown
from recsys_ae.data.readers.column_names import is_header
from recsys_ae.errors import DataError

OUTER = ("\t", ",", ";", "|", "::", ":", " ")
INNER = ("|", ";", ",", " ")
BRACKETS = "[]()"
# Widths of lines that no table of users, items, ratings and timestamps has.
LONG, WIDTHS = 5, 3
FEW = 50  # lines that show soon that a file is a table
GROUPED = r"[0-9]{1,3}([ ,.;][0-9]{3})+"  # a number with separators of thousands, such as 1,234,567


@dataclass(frozen=True)
class ListForm:
    """A form of lines: the separator of the user from the items, and that of the items in a second column, if any.

    A space as ``separator`` means any blanks. ``inner`` is a bracket for lists such as ``[1, 2]``.
    """

    separator: str
    inner: str | None
    header: bool

    def pairs(self, lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield the user and the items of each line that is not empty, without the header."""
        skip = self.header
        for number, fields in enumerate(_rows(lines, self.separator), 0 if skip else 1):
            if skip:
                skip = False
            elif self.inner is None:
                _refuse_lists(fields, number)
                yield fields[0], fields[1:]
            elif len(fields) == 2:
                yield fields[0], _items(fields[1], self.inner)
            else:
                raise DataError(f"row {number} has {len(fields)} columns; expected a user and a list of items")


def form_of(lines: Sequence[str], separator: str | None, *, header: bool | None, certain: bool) -> ListForm | None:
    """Return the form of the first lines of a file; None if it is not ``certain`` that they hold lists of items.

    It is certain if all ids are integers, no user has two lines, no item occurs twice in a line, and either the lines
    are not equally long, as those of a table are, or a second column holds lists of three items or more. A table of
    users, items, ratings and timestamps never fulfils this.
    """
    if certain and len(lines) > FEW and form_of(lines[:FEW], separator, header=header, certain=True) is None:
        return None
    outers = [separator] if separator else OUTER
    for outer in outers:
        rows = list(_rows(lines, outer))
        if rows and all(len(row) == 2 for row in rows):
            named = header if header is not None else _is_header(rows, certain=certain)
            seconds = [second for _, second in rows[named:]]
            for inner in (BRACKETS[0], *INNER):
                if _holds(seconds, inner) and (not certain or _certain(rows[named:], inner)):
                    return ListForm(outer, inner, named)
    flat = [separator] if separator else [mark for mark in ("\t", ",", ";", "|", " ") if _occurs(mark, lines)]
    for mark in flat:
        rows = list(_rows(lines, mark))
        named = header if header is not None else (not certain and bool(rows) and is_header(rows[0]))
        if rows and (not certain or _ragged(rows)):
            return ListForm(mark, None, named)
    return None


def _rows(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Yield the fields of each line that is not empty; a list in brackets at its end is one field."""
    for line in lines:
        in_brackets = "[" in line and re.fullmatch(r"\s*([^\[\]\"]*?)\s*[,;|:\t ]\s*(\[[^\[\]]*\])\s*", line)
        if in_brackets:
            yield [*in_brackets.groups()]
        elif line.strip():
            yield line.split() if separator == " " else _fields(line, separator)


def _fields(line: str, separator: str) -> list[str]:
    """Return the fields of a line, without quotation marks and blanks around them."""
    if '"' not in line:
        return [field.strip() for field in line.split(separator)]
    mark = re.escape(separator)
    quoted = re.findall(rf'(?:^|{mark})\s*("(?:[^"]|"")*"|(?:(?!{mark}).)*)', line)
    return [field.strip().removeprefix('"').removesuffix('"').strip() for field in quoted]


def _items(text: str, inner: str) -> list[str]:
    """Return the items of a list."""
    if inner in BRACKETS:
        text = text.strip(BRACKETS + " ")
        inner = "," if "," in text else " "
        return [item.strip(" '\"") for item in text.split(inner) if item.strip()]
    return [item.strip() for item in text.split(inner) if item.strip()]


def _occurs(mark: str, lines: Sequence[str]) -> bool:
    return any(mark in line for line in lines)


def _holds(seconds: Sequence[str], inner: str) -> bool:
    """Return True if the second fields are lists with this separator or, for a bracket, in brackets."""
    if inner in BRACKETS:
        return bool(seconds) and all(second[:1] in ("[", "(") and second[-1:] in ("]", ")") for second in seconds)
    return any(inner in second for second in seconds)


def _certain(rows: Sequence[Sequence[str]], inner: str) -> bool:
    lists = [_items(second, inner) for _, second in rows]
    users = [user for user, _ in rows]
    if len(set(users)) < len(users) or any(len(set(items)) < len(items) for items in lists):
        return False
    if inner in BRACKETS:
        return True
    grouped = all(re.fullmatch(GROUPED, second) for _, second in rows)
    return all(map(_integers, lists)) and max(map(len, lists)) >= 3 and not grouped


def _ragged(rows: Sequence[Sequence[str]]) -> bool:
    """Return True if lines of integers are lists: not equally long, with different users, and items only once."""
    widths = {len(row) for row in rows}
    if len(widths) == 1 or (max(widths) < LONG and len(widths) < WIDTHS):
        return False
    if not all(map(_integers, rows)) or len({row[0] for row in rows}) < len(rows):
        return False
    return all(len(set(row[1:])) == len(row) - 1 for row in rows)


def _is_header(rows: Sequence[Sequence[str]], *, certain: bool) -> bool:
    """Return True if the first of several rows holds names; any words are names if the ids must be integers."""
    word = certain and re.fullmatch(r"[A-Za-z_][\w -]*", rows[0][1])
    return len(rows) > 1 and (is_header(rows[0]) or bool(word))


def _integers(fields: Sequence[str]) -> bool:
    return all(field.isascii() and field.isdecimal() for field in fields)


def _refuse_lists(fields: Sequence[str], number: int) -> None:
    """Raise an error for a field that seems to be a list itself."""
    for field in fields[1:]:
        if re.search(r"[0-9][ ,;|]+[0-9]", field):
            raise DataError(f"row {number} holds a list between other fields: {shown(field)}")
