"""Terminal output: tables by rich on a terminal and as aligned text in a pipe; progress on standard error.

All text is `printable`, whatever the ids, titles and paths in it.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.errors import printable
from recsys_ae.spec.text_table import RIGHT, aligned

if TYPE_CHECKING:
    from recsys_ae.nn.runtime import Progress


class Display:
    """Standard output, which ``quiet`` turns off."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def line(self, text: str = "") -> None:
        """Print a line."""
        if not self.quiet:
            click.echo(printable(text))

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table; columns whose heading begins with ``>`` are right-aligned."""
        if self.quiet:
            return
        headers, cells = [printable(header) for header in headers], [[_text(cell) for cell in row] for row in rows]
        if not (sys.stdout.isatty() and _rich_table(headers, cells)):
            for line in aligned(headers, cells):
                click.echo(line)

    def pairs(self, rows: Sequence[tuple[str, Any]]) -> None:
        """Print names and their values."""
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            text = " ".join(value.split("\n")) if isinstance(value, str) else _text(value)
            self.line(f"{name:<{width}}  {text}")


def note(text: str) -> None:
    """Print one line on standard error, whatever the lines of the text; if it cannot be written, go on."""
    with suppress(OSError):
        click.echo(printable(" ".join(text.split("\n"))), err=True)


def duration(seconds: float | None) -> str:
    """Return a duration as text."""
    if seconds is None:
        return "unknown"
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def as_json(content: Any) -> None:
    """Print JSON on standard output, with an escape for each character that is not printable ASCII."""
    click.echo(json.dumps(content, indent=2, allow_nan=False).replace("\x7f", "\\u007f"))


@contextmanager
def epochs(*, quiet: bool, monitor: str) -> Iterator["Callable[[Progress], None] | None"]:
    """Show a progress bar of the training with the latest monitor; yield None if nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    bar = _bar("{task.description}")
    if bar is None:
        yield None
        return
    with bar:

        def show(progress: "Progress") -> None:
            # A closed form reports no progress, and gets no bar.
            if not bar.tasks:
                bar.add_task("", total=None)
            completed = (progress.epoch - 1) * progress.n_rows + progress.rows
            text = f"epoch {progress.epoch}/{progress.epochs}"
            if f"valid/{monitor}" in progress.metrics:
                text += f" {monitor} {progress.metrics[f'valid/{monitor}']:.4f}"
            bar.update(bar.task_ids[0], total=progress.epochs * progress.n_rows, completed=completed, description=text)

        yield show


@contextmanager
def counted(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar; yield a function of the completed and the total amount."""
    bar = _bar("{task.description}") if sys.stderr.isatty() else None
    if bar is None:
        yield lambda _done, _total: None
        return

    def show(completed: int, total: int) -> None:
        # Work that reports no progress, such as a download of an existing file, gets no bar.
        if not bar.tasks:
            bar.add_task(label, total=None)
        bar.update(bar.task_ids[0], completed=completed, total=total or None)

    with bar:
        yield show


def _bar(description: str) -> Any:
    try:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    except ImportError:
        return None
    console = Console(file=_plain(sys.stderr), markup=False, highlight=False)
    columns = (TextColumn(description, markup=False), BarColumn(bar_width=None), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, expand=True)


def _rich_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    try:
        from rich import box  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
    except ImportError:
        return False
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for header in headers:
        right = header.startswith(RIGHT)
        table.add_column(
            header.removeprefix(RIGHT), justify="right" if right else "left", overflow="fold", no_wrap=right
        )
    for row in rows:
        table.add_row(*row)
    Console(file=_plain(sys.stdout), markup=False, highlight=False, emoji=False).print(table)
    return True


def _plain(stream: Any) -> Any:
    """Return the stream behind the guard, for the escape codes of rich itself; its texts are printable already."""
    return getattr(stream, "plain", stream)


def _text(value: Any) -> str:
    """Return a cell's text: one line, numbers with separators, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    return printable(" ".join(str(value).split()))
