"""Options and steps that `evaluate` and `compare` share: metrics, the part of the split, and models that do not fit."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recsys_ae.errors import DataError

from ..framework import Option, wrong_usage
from ..param_types import Names
from ..saved import refuse_rankers

if TYPE_CHECKING:
    from recsys_ae.data.splits.split import Holdout, Split
    from recsys_ae.recommender.recommender import Recommender

REPORT = "Report"
METRICS = (
    "Metrics, separated by commas, such as recall@20,ndcg@100,mrr@10. Models that learn from ratings also have rmse "
    "and mae, which are their default."
)


def metrics() -> Option:
    """Return the option for the metrics."""
    return Option(["--metrics"], type=Names(), metavar="NAMES", section=REPORT, help=METRICS)


def on(noun: str) -> Option:
    """Return the option for the part of the split that models are evaluated on."""
    return Option(
        ["--on"],
        type=click.Choice(["test", "valid"]),
        default="test",
        show_default=True,
        section=REPORT,
        help=f"Part of the split that the {noun} evaluated on.",
    )


def as_json(noun: str) -> Option:
    """Return the option that prints JSON."""
    return Option(["--json", "as_json"], is_flag=True, section=REPORT, help=f"Print the {noun} as JSON.")


def parsed(names: Iterable[str], option: str = "--metrics") -> tuple[str, ...]:
    """Return names of metrics in their usual form; a usage error that names the option for an unknown one."""
    from recsys_ae import metrics  # noqa: PLC0415

    with wrong_usage(option):
        return tuple(str(metrics.parse(name)) for name in names)


def usual(feedback: Iterable[str]) -> tuple[str, ...]:
    """Return the default metrics for the kinds of feedback of all models: errors if all of them learn from ratings."""
    from recsys_ae import metrics  # noqa: PLC0415

    return metrics.ERRORS if set(feedback) == {"explicit"} else metrics.DEFAULT


def refuse_misfits(model: "Recommender", names: Iterable[str]) -> None:
    """Raise an error if a metric needs predicted ratings and the model predicts none."""
    from recsys_ae.metrics import smaller_is_better  # noqa: PLC0415

    if any(map(smaller_is_better, names)):
        refuse_rankers(model)


def part(split: "Split", on: str, folder: Path, split_kind: str) -> "Holdout":
    """Return the part of a split that ``--on`` names; raise an error if there is none."""
    holdout = split.test if on == "test" else split.valid
    if holdout is None:
        raise DataError(f"{folder} was fitted with --split {split_kind}, which has no part for --on {on}")
    return holdout
