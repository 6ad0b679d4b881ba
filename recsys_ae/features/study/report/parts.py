"""What a page is made of: sections with sentences, tables, figures and maps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from recsys_ae.features.study.results import Mean

Better = Literal["low", "high", ""]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is shown, what it is sorted by, and whether it is the best of its column."""

    text: str
    value: float | str | None = None
    best: bool = False


@dataclass(frozen=True)
class Column:
    """A column: its heading, its unit or explanation, and which values are the better ones."""

    title: str
    help: str = ""
    better: Better = ""
    digits: int = 4


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first column names the rows."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A figure: its files' name, its caption, the text for who does not see it, and the SVG and PNG themselves."""

    name: str
    caption: str
    alt: str
    svg: str
    png: bytes
    wide: bool = False


@dataclass(frozen=True)
class Map:
    """Codes in the plane, to be hovered over: places from 0 to 1, labels and, where there are any, pictures."""

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
    """A part of the page."""

    anchor: str
    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    maps: tuple[Map, ...] = field(default=())
    number: int | None = None
    """Of the step; tasks have none."""
    paired: bool = False
    """Whether every two pictures belong together, and stand side by side where there is room."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.sentences or self.tables or self.pictures or self.maps)


def table(
    name: str, caption: str, columns: Sequence[Column], rows: Sequence[tuple[str, Sequence[Any]]]
) -> Table | None:
    """Make a table of row names and values: numbers, means, texts or nothing; None where no row has any."""
    rows = [(title, values) for title, values in rows if any(value is not None for value in values)]
    if not rows:
        return None
    best = [_best(column, [values[place] for _, values in rows]) for place, column in enumerate(columns[1:])]
    cells = tuple(
        (
            Cell(title, title),
            *(_cell(value, column, top) for value, column, top in zip(values, columns[1:], best, strict=True)),
        )
        for title, values in rows
    )
    return Table(name, caption, tuple(columns), cells)


def number(value: float, digits: int = 4) -> str:
    """Write a number."""
    return f"{value:,.{digits}f}"


def with_interval(mean: Mean, digits: int = 4) -> str:
    """Write a mean, with its interval where there is one; what is the same each time has none."""
    return number(mean.mean, digits) + (f" ± {number(mean.half, digits)}" if mean.half else "")


def there(*parts: Any) -> tuple[Any, ...]:
    """Return those that are there."""
    return tuple(part for part in parts if part is not None)


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
    return Cell(text, worth, best is not None and worth == best)
