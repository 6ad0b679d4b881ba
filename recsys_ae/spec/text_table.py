"""Aligned text tables."""

from collections.abc import Iterator, Sequence

RIGHT = ">"
"""First character of the headings of columns that are right-aligned; it is not shown."""


def aligned(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: the headings, then the rows; columns are separated by two blanks."""
    table = [[header.removeprefix(RIGHT) for header in headers], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(headers))]
    for row in table:
        cells = [
            f"{cell:>{width}}" if header.startswith(RIGHT) else f"{cell:<{width}}"
            for cell, width, header in zip(row, widths, headers, strict=True)
        ]
        yield "  ".join(cells).rstrip()
