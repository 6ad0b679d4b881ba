"""``recsys-ae compare DIR DIR...``: a leaderboard of saved models and top-N lists, and a gate for retraining."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from recsys_ae.errors import DataError, UnsupportedError

from .. import display, options
from ..evaluation import boards, metric_options
from ..evaluation.contestants import Checked, Contestants, Panel, reports
from ..evaluation.page import ModelPage, refuse_page
from ..framework import Option, Positional, as_command, wrong_usage
from ..param_types import FILE, NamedFile
from ..saved import moved, refuse_other_splits

if TYPE_CHECKING:
    from recsys_ae.evaluation import Leaderboard, Report, Verdict

EXIT = {"promoted": 0, "rejected": 3, "suspicious": 4, "ungated": 5}
"""Exit status of each verdict; 1 is an error, 2 wrong usage, and 128 and more a signal."""
LIMITS = ("tolerance", "max_gain", "min_users")
PARAMS = [
    Positional("folders", metavar="DIR...", nargs=-1, required=True, type=FILE, summary="Folders of saved models."),
    Option(
        ["--baseline"],
        metavar="DIR|NAME",
        section=metric_options.REPORT,
        help="Model or lists that the others are compared with.  [default: the best by the first metric]",
    ),
    metric_options.metrics(),
    metric_options.on("models are"),
    metric_options.as_json("leaderboard"),
    *metric_options.beyond(),
    Option(
        ["--html"],
        type=FILE,
        metavar="FILE.html",
        section=metric_options.REPORT,
        help="Also write a page that opens in any browser, and all its numbers to FILE.json.",
    ),
    Option(
        ["--lists"],
        type=NamedFile(),
        multiple=True,
        metavar="NAME=FILE",
        section=boards.LISTS,
        help="Top-N lists of another system: a table of users, items, and ranks or scores, in any format. They must be "
        "made from the histories that `recsys-ae data split` saves, not from the whole data. Repeat the option for "
        "several systems.",
    ),
    *boards.format_of_lists(),
    *boards.gate(),
    *moved(),
    options.data_dir(),
    options.cache(),
    options.device(),
    options.overwrite("page"),
]


@as_command("compare", PARAMS)
def command(folders: tuple[Path, ...], baseline: str | None, on: str, **settings: Any) -> None:
    """Compare saved models and the top-N lists of other systems on the same users.

    All models must have been fitted to the same data and split. Each is compared with the baseline by paired
    differences: with 95 % bootstrap intervals, p-values (paired bootstrap and Wilcoxon signed-rank test, adjusted by
    Holm), an effect size and the shares of users for whom it is better or worse. To select a model, use --on valid.

    With --gate, one candidate is compared with --baseline, and the command ends with a verdict. Promoted: the lower end
    of the 95 % interval of the gain is at least -TOLERANCE, and the gain at most MAX-GAIN. Suspicious: the gain is
    larger. Ungated: too few users, or other splits. Rejected: otherwise.
    """
    contestants = Contestants.of(folders, settings["lists"], baseline)
    gate = _gate_metric(contestants, settings)
    if settings["html"] is not None:
        refuse_page(settings["html"], overwrite=settings["overwrite"])
    names = metric_options.parsed([*gate, *(settings["metrics"] or ())])
    _refuse_errors_of_lists(contestants, names)
    checked = Checked.of(contestants, names, settings["device"])
    if not settings["metrics"]:
        names = (*names, *metric_options.usual(("implicit",) if contestants.lists else checked.feedback))
    try:
        refuse_other_splits(checked.fingerprints)
    except DataError as error:
        if not gate:
            raise
        _finish(on, None, {}, _ungated(str(error), gate[0], settings), as_json=settings["as_json"])
        return
    panel = Panel.of(contestants, checked, on, settings)
    names = metric_options.with_beyond(names, settings)
    page = ModelPage.of(panel, names, on, settings) if settings["html"] is not None else None
    measured = reports(contestants, checked, panel, names, settings, page)
    board = _leaderboard(measured, contestants.baseline, checked.kinds)
    verdict = _verdict(measured, contestants, gate[0], settings) if gate else None
    if page is not None:
        page.write(settings["html"], "Comparison of models", baseline=contestants.baseline)
    _finish(on, board, measured, verdict, as_json=settings["as_json"])


def _gate_metric(contestants: Contestants, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metric of the gate, or nothing; a usage error if there is no single candidate or a wrong limit."""
    ctx = click.get_current_context()
    if settings["gate"] is None:
        for option in LIMITS:
            if ctx.get_parameter_source(option) is not ParameterSource.DEFAULT:
                raise click.UsageError(f"--{option.replace('_', '-')} needs --gate METRIC", ctx)
        return ()
    if contestants.baseline is None:
        raise click.UsageError("--gate needs --baseline, the current model", ctx)
    if len(contestants.candidates) != 1:
        n = len(contestants.candidates)
        raise click.UsageError(f"--gate needs one candidate besides --baseline, but there are {n}", ctx)
    from recsys_ae.evaluation.gate import refuse_limits  # noqa: PLC0415

    with wrong_usage():
        refuse_limits(**_limits(settings))
    return metric_options.parsed([settings["gate"]], "--gate")


def _refuse_errors_of_lists(contestants: Contestants, metrics: Sequence[str]) -> None:
    from recsys_ae.metrics import smaller_is_better  # noqa: PLC0415

    errors = list(filter(smaller_is_better, metrics))
    if errors and contestants.lists:
        raise UnsupportedError(
            f"{', '.join(contestants.lists)}: top-N lists hold no predicted ratings, so {', '.join(errors)} cannot be "
            "computed; choose metrics of top-N lists"
        )


def _limits(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in LIMITS}


def _leaderboard(reports: "Mapping[str, Report]", baseline: str | None, kinds: Mapping[str, str]) -> "Leaderboard":
    from recsys_ae.evaluation import leaderboard  # noqa: PLC0415

    return leaderboard(reports, baseline, details={name: {"kind": kind} for name, kind in kinds.items()})


def _verdict(
    reports: "Mapping[str, Report]", contestants: Contestants, metric: str, settings: Mapping[str, Any]
) -> "Verdict":
    from recsys_ae.evaluation import gate  # noqa: PLC0415

    (candidate,) = contestants.candidates
    return gate(reports[candidate], reports[str(contestants.baseline)], metric, **_limits(settings))


def _ungated(reason: str, metric: str, settings: Mapping[str, Any]) -> "Verdict":
    """Return the verdict on models that cannot be compared."""
    from recsys_ae.evaluation import Verdict  # noqa: PLC0415

    return Verdict("ungated", reason, metric, None, None, **_limits(settings))


def _finish(
    on: str,
    board: "Leaderboard | None",
    reports: "Mapping[str, Report]",
    verdict: "Verdict | None",
    *,
    as_json: bool,
) -> None:
    """Print the leaderboard and the verdict, and end the command with the exit status of the verdict."""
    if as_json:
        lists = {name: report.lists.as_dict() for name, report in reports.items() if report.lists is not None}
        content: dict[str, Any] = {"on": on, "leaderboard": board and board.as_dict(), "lists": lists}
        display.as_json(content if verdict is None else {**content, "gate": verdict.as_dict()})
    else:
        shown = display.Display()
        if board is not None:
            boards.show_board(shown, board)
        if verdict is not None:
            shown.line(f"\n{verdict}" if board is not None else str(verdict))
    if verdict is not None and not verdict.promoted:
        click.get_current_context().exit(EXIT[verdict.outcome])
