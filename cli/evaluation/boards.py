"""Options of `compare`, for top-N lists and the gate, and tables of leaderboards."""

import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.spec.text_table import aligned

from .. import options
from ..display import Display
from ..framework import Option
from ..param_types import Column, Whole

if TYPE_CHECKING:
    from recsys_ae.evaluation import Leaderboard

LISTS, GATE = "Lists of other systems", "Gate"
FORMAT = {"user_column", "item_column", "separator", "header", "encoding", "quote", "decimal", "comment", "skip_lines",
          "missing"}  # fmt: skip
OUTCOME = 2
"""Columns of the comparison in the first of two tables: the difference and its interval."""


def format_of_lists() -> list[Option]:
    """Return the options for the columns and the format of the lists."""
    chosen = [option for option in options.columns() if option.name in FORMAT]
    for option in chosen:
        option.section = LISTS
    rank = "Column of the ranks, of which the smallest is the best: its name or position.  [default: recognised]"
    score = "Column of the scores, of which the largest is the best: its name or position.  [default: recognised]"
    places = [
        Option(["--rank-column"], type=Column(), metavar="NAME", section=LISTS, help=rank),
        Option(["--score-column"], type=Column(), metavar="NAME", section=LISTS, help=score),
    ]
    return [*chosen[:2], *places, *chosen[2:]]


def gate() -> list[Option]:
    """Return the options of the gate."""
    gate = (
        "Metric by which one candidate may replace --baseline. Exit status: 0 promoted, 3 rejected, 4 suspicious, "
        "5 ungated."
    )
    tolerance = "Largest accepted loss: promoted if the interval of the gain begins at -NUMBER or above."
    number: dict[str, Any] = {"type": click.FLOAT, "show_default": True, "metavar": "NUMBER", "section": GATE}
    return [
        Option(["--gate"], metavar="METRIC", section=GATE, help=gate),
        Option(["--tolerance"], default=0.002, help=tolerance, **number),
        Option(["--max-gain"], default=0.1, help="Largest believed gain: suspicious above it.", **number),
        Option(
            ["--min-users"],
            type=Whole(2),
            default=200,
            show_default=True,
            section=GATE,
            help="Smallest number of users: ungated below it.",
        ),
    ]


def show_board(shown: Display, board: "Leaderboard") -> None:
    """Print a table per metric, or two or three tables if the terminal is too narrow for all columns."""
    from recsys_ae.evaluation.standings import TESTS  # noqa: PLC0415

    tests = [f">{name}" for name in TESTS]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for metric in board.metrics:
        headers, rows = board.table(metric)
        parts = [headers]
        if columns is not None and len(next(aligned(headers, rows))) > columns:
            outcome = [f">{metric}", *tests[:OUTCOME]]
            details = [header for header in headers[1:] if header not in (*outcome, *tests)]
            parts = [[headers[0], *part] for part in (outcome, tests[OUTCOME:], details) if part]
        for part in parts:
            positions = [headers.index(header) for header in part]
            shown.table(part, [[row[position] for position in positions] for row in rows])
        shown.line()
    for line in board.described():
        shown.line(line)
