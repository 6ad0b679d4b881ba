"""Options of `compare`: columns and format of top-N lists, and the gate."""

from typing import Any

import click

from .. import options
from ..framework import Option
from ..param_types import Column, Whole

LISTS, GATE = "Lists of other systems", "Gate"
FORMAT = {"user_column", "item_column", "separator", "header", "encoding", "quote", "decimal", "comment", "skip_lines",
          "missing"}  # fmt: skip


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
