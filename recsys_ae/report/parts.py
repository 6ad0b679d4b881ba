"""Elements of the report page: sections with sentences, tables, figures and maps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from recsys_ae.report.numbers import Mean

Better = Literal["low", "high", ""]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, the value that it is sorted by, and whether it is the best of its column."""

    text: str
    value: float | str | None = None
    best: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, its unit or explanation, and whether low or high values are better."""

    title: str
    help: str = ""
    better: Better = ""
    digits: int = 4


@dataclass(frozen=True)
class Table:
    """A table with a caption. Its leftmost column names the rows."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A figure: the name of its files, its caption, its text for readers who do not see it, and its SVG and PNG."""

    name: str
    caption: str
    alt: str
    svg: str
    png: bytes
    wide: bool = False
    drawn: bool = True
    """True for a chart, whose light and dark are exchanged on a dark page; False for photographs and the like."""


@dataclass(frozen=True)
class Map:
    """An interactive map of codes: their coordinates from 0 to 1, labels and, if there are any, pictures."""

    name: str
    caption: str
    alt: str
    places: list[tuple[float, float]]
    names: list[str]
    groups: list[int]
    labels: list[str]
    centres: list[tuple[float, float]]
    sprite: str = ""
    side: tuple[int, int] = (0, 0)
    across: int = 1


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    anchor: str
    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    maps: tuple[Map, ...] = field(default=())
    number: int | None = None
    """Number of the step; tasks have none."""
    paired: bool = False
    """True if pictures belong together in pairs, which are shown side by side if the page is wide enough."""

    @property
    def empty(self) -> bool:
        """True if there is nothing to show."""
        return not (self.sentences or self.tables or self.pictures or self.maps)


def table(
    name: str, caption: str, columns: Sequence[Column], rows: Sequence[tuple[str, Sequence[Any]]]
) -> Table | None:
    """Return a table of row names and values (numbers, means, texts or None); None if all values are None."""
    rows = [(title, values) for title, values in rows if any(value is not None for value in values)]
    if not rows:
        return None
    bests = [_best(column, [values[index] for _, values in rows]) for index, column in enumerate(columns[1:])]
    cells = tuple(
        (
            Cell(title, title),
            *(_cell(value, column, best) for value, column, best in zip(values, columns[1:], bests, strict=True)),
        )
        for title, values in rows
    )
    return Table(name, caption, tuple(columns), cells)


def number(value: float, digits: int = 4) -> str:
    """Format a number, with a minus sign instead of a hyphen."""
    return f"{value:,.{digits}f}".replace("-", "−")


def ends(low: float, high: float, digits: int = 4) -> str:
    """Format the ends of an interval of a difference, with their signs."""
    return f"{low:+.{digits}f} to {high:+.{digits}f}".replace("-", "−")


def with_interval(mean: Mean, digits: int = 4) -> str:
    """Format a mean with its interval, if it has one; equal values have none."""
    return number(mean.mean, digits) + (f" ± {number(mean.half, digits)}" if mean.half else "")


def there(*elements: Any) -> tuple[Any, ...]:
    """Return the elements that are not None."""
    return tuple(element for element in elements if element is not None)


def _worth(value: Any) -> float | None:
    if isinstance(value, Mean):
        return value.mean
    return float(value) if isinstance(value, int | float) else None


def _best(column: Column, values: Sequence[Any]) -> float | None:
    worths = [worth for worth in map(_worth, values) if worth is not None]
    if not column.better or len(worths) < 2:
        return None
    return min(worths) if column.better == "low" else max(worths)


def _cell(value: Any, column: Column, best: float | None) -> Cell:
    if value is None:
        return Cell("–")
    if isinstance(value, str):
        return Cell(value, value)
    worth = _worth(value)
    if isinstance(value, Mean):
        text = with_interval(value, column.digits)
    else:
        text = f"{value:,}" if isinstance(value, int) else number(value, column.digits)
    is_best = best is not None and worth is not None and number(worth, column.digits) == number(best, column.digits)
    return Cell(text, worth, is_best)
