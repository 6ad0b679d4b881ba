"""Line charts by matplotlib, as SVG and PNG, with intervals and colours for colour-blind readers."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys_ae.errors import MissingPackageError
from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Picture

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#8c510a", "#5e3c99", "#000000")
"""Okabe and Ito's colours, without the yellow that is hard to see on white, and four more."""
MARKERS = "os^Dv<>PXdp*h"
"""More markers than colours, so that the eleventh line has the first one's colour but another marker."""
DASHES = ("-", "--", "-.", ":")
GREY = "#595959"
PLAIN: dict[Any, Any] = {
    "font.size": 9, "font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "recsys_ae", "axes.grid": True,
    "grid.color": "#e3e3e3", "axes.edgecolor": GREY, "axes.spines.top": False, "axes.spines.right": False,
    "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": 8, "lines.linewidth": 1.5,
    "lines.markersize": 4, "text.parse_math": False,
}  # fmt: skip
WIDTH, HEIGHT = 4.6, 3.3
LONG = 16
"""Length of a name, in letters, from which on the legend has two columns instead of three."""
USUAL, ROW = 4, 0.17
"""Rows of the legend that fit into a chart, and inches that each further row adds to its height."""
METADATA = {"Date": None, "Creator": "recsys_ae"}


@dataclass(frozen=True)
class Line:
    """Values over x, and half the width of their intervals; None where a value has no interval."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    half: Sequence[float | None]
    style: int

    @classmethod
    def of(cls, name: str, curve: Iterable[tuple[float, Mean]], style: int) -> "Line":
        """Return the line of a curve of means."""
        points = list(curve)
        return cls(name, [x for x, _ in points], [m.mean for _, m in points], [m.half for _, m in points], style)


def chart(
    name: str,
    lines: Sequence[Line],
    *,
    x: str,
    y: str,
    caption: str,
    log: bool = False,
    log_y: bool = False,
    flat: Mapping[str, float] | None = None,
    note: str = "",
) -> Picture | None:
    """Draw lines over x, and horizontal lines of the values of ``flat``; return None if there is nothing to draw.

    ``log`` and ``log_y`` make the axes logarithmic, the second one only if all values are above 0.
    """
    lines = [line for line in lines if len(line.x)]
    if not lines:
        return None
    names = [line.name for line in lines] + list(flat or {})
    columns = min(len(names), 3 if max(map(len, names)) < LONG else 2)
    extra_rows = max(0, math.ceil(len(names) / columns) - USUAL)
    with drawing(height=HEIGHT + extra_rows * ROW) as (figure, save):
        from matplotlib.ticker import NullFormatter, NullLocator  # noqa: PLC0415

        axes = figure.subplots()
        for line in lines:
            _draw(axes, line)
        for index, (label, value) in enumerate((flat or {}).items()):
            axes.axhline(value, color=GREY, linestyle=DASHES[1 + index % 3], linewidth=1.2, label=label)
        if log:
            axes.set_xscale("log")
            ends = [end for line in lines for end in (min(line.x), max(line.x))]
            axes.set_xticks(_ticks(min(ends), max(ends)))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        if log_y and min(value for line in lines for value in line.y) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_ylim(*_limits(lines, list((flat or {}).values())))
        figure.legend(loc="outside lower center", ncols=columns)
        svg, png = save()
    alt = f"{y} by {x}. {told(lines)}{note}"
    return Picture(name, caption, alt, svg, png)


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval, None without one, and the number of its colour."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    style: int = 0


def intervals(name: str, rows: Sequence[Interval], *, x: str, caption: str, zero: str | None = None) -> Picture | None:
    """Draw values and their intervals, one per row, the first one at the top; None without rows.

    ``zero`` is the text at a line at 0, such as the name of what the others are compared with.
    """
    if not rows:
        return None
    height = 1.0 + 0.28 * len(rows)
    with drawing(height=height) as (figure, save):
        axes = figure.subplots()
        for place, row in enumerate(rows):
            colour = COLOURS[row.style % len(COLOURS)]
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([row.value], [place], color=colour, marker="o", markersize=6)
        if zero is not None:
            axes.axvline(0, color=GREY, linestyle="--", linewidth=1.2)
            axes.text(0, -0.7, zero, ha="center", va="center", fontsize=8, color=GREY, backgroundcolor="white")
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.9 if zero is not None else -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(x)
        svg, png = save()
    return Picture(name, caption, f"{x}. {' '.join(map(_told, rows))}", svg, png)


def scatter(name: str, points: Sequence[tuple[str, float, float]], *, x: str, y: str, caption: str) -> Picture | None:
    """Draw named points; None without points."""
    if not points:
        return None
    with drawing() as (figure, save):
        axes = figure.subplots()
        for style, (label, at, value) in enumerate(points):
            colour, marker = COLOURS[style % len(COLOURS)], MARKERS[style % len(MARKERS)]
            axes.plot([at], [value], color=colour, marker=marker, linestyle="", markersize=7, label=label)
        axes.margins(x=0.1, y=0.1)
        figure.legend(loc="outside lower center", ncols=min(3, len(points)))
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        svg, png = save()
    told_points = " ".join(f"{label}: {at:.3g}, {value:.3g}." for label, at, value in points)
    return Picture(name, caption, f"{y} by {x}. {told_points}", svg, png)


def _told(row: Interval) -> str:
    ends = "" if row.low is None or row.high is None else f" ({row.low:.3g} to {row.high:.3g})"
    return f"{row.name}: {row.value:.3g}{ends}."


def _ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between two numbers, or the two numbers if there are fewer than two."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside if len(inside) > 1 else sorted({low, high})


def _limits(lines: Sequence[Line], flat: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the y axis: all values, and intervals as far as the values keep a third of the axis."""
    values = [value for line in lines for value in line.y] + list(flat)
    wide = [
        value + sign * half
        for line in lines
        for value, half in zip(line.y, line.half, strict=True)
        if half is not None
        for sign in (-1, 1)
    ]
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    low, high = max(min([low, *wide]), low - span), min(max([high, *wide]), high + span)
    return low - 0.05 * span, high + 0.05 * span


def told(lines: Sequence[Line]) -> str:
    """Describe lines by their ends, for readers who do not see them."""
    descriptions = []
    for line in lines:
        ends = f"{line.y[0]:.3g} at {line.x[0]:g}"
        if len(line.x) > 1:
            ends += f" to {line.y[-1]:.3g} at {line.x[-1]:g}"
        descriptions.append(f"{line.name}: {ends}.")
    return " ".join(descriptions)


def _draw(axes: Any, line: Line) -> None:
    colour, marker = COLOURS[line.style % len(COLOURS)], MARKERS[line.style % len(MARKERS)]
    dash = DASHES[(line.style // len(COLOURS)) % len(DASHES)]
    axes.plot(line.x, line.y, color=colour, marker=marker, linestyle=dash, label=line.name)
    positions = [position for position, half in enumerate(line.half) if half is not None]
    if positions:
        x, y = np.take(line.x, positions), np.take(line.y, positions)
        half = np.array([line.half[position] for position in positions], float)
        axes.errorbar(x, y, half, fmt="none", ecolor=colour, elinewidth=1, capsize=2)


class drawing:  # noqa: N801  used like a function
    """Context of a figure in the report's style, and of the function that returns it as SVG and PNG."""

    def __init__(self, width: float = WIDTH, height: float = HEIGHT) -> None:
        try:
            import matplotlib as mpl  # noqa: PLC0415
            from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
            from matplotlib.figure import Figure  # noqa: PLC0415
        except ImportError as error:
            raise MissingPackageError(
                "the report of a study needs the package matplotlib: pip install matplotlib"
            ) from error
        self._style = mpl.rc_context(PLAIN)
        with self._style:
            self.figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
            FigureCanvasAgg(self.figure)
        self._style = mpl.rc_context(PLAIN)

    def __enter__(self) -> tuple[Any, Any]:
        """Return the figure, and the function that saves it."""
        self._style.__enter__()
        return self.figure, self._saved

    def __exit__(self, *error: Any) -> None:
        """Restore matplotlib's settings."""
        self._style.__exit__(*error)

    def _saved(self) -> tuple[str, bytes]:
        svg, png = io.StringIO(), io.BytesIO()
        self.figure.savefig(svg, format="svg", metadata=METADATA)
        self.figure.savefig(png, format="png")
        text = svg.getvalue()
        return text[text.index("<svg") :], png.getvalue()
