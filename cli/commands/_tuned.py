"""Output of `tune`: the leaderboards, the verdict on the winner, and its saved models."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_ae.storage import rescue

from ..display import Display, duration, note
from ._comparison import show_board

if TYPE_CHECKING:
    from recsys_ae.evaluation import Leaderboard
    from recsys_ae.recommender.recommender import Recommender
    from recsys_ae.tuning.result import Tuned

BEST, BLEND, REFIT = "best", "blend", "refit"
"""Folders of the saved models."""


def show_tuned(display: Display, result: "Tuned", out: Path, notes: Mapping[str, Any]) -> None:
    """Save the models of a search, and print its tables and the next commands."""
    models = {BEST: result.model, BLEND: result.blend, REFIT: result.refitted}
    saved = {name: _saved(model, out / name, notes) for name, model in models.items() if model is not None}
    n, seconds = len(result.trials), sum(trial.seconds for trial in result.trials)
    display.line(
        f"\n{n} trials in {duration(seconds)}. The best of each model on the validation users, who selected it:"
    )
    show_board(display, result.valid)
    if result.test is not None:
        display.line("\nThe test users, who were looked at once, now:")
        show_board(display, result.test)
        display.line(_verdict(result.test, result.metric))
    for remark in result.remarks:
        note(f"Note: {remark}")
    rows = [("winner", result.best.text()), ("saved in", saved[BEST])]
    rows += [(name, saved[name]) for name in (BLEND, REFIT) if name in saved]
    display.line()
    display.pairs([*rows, ("trials", out / "leaderboard.json")])
    folder = shlex.quote(str(saved.get(REFIT, saved[BEST])))
    display.line("\nNext:")
    display.line(f"  recsys-ae recommend {folder} --out top10.csv")
    if REFIT not in saved:
        display.line(f"  recsys-ae refit {folder}")


def _saved(model: "Recommender", path: Path, notes: Mapping[str, Any]) -> Path:
    model.notes |= notes
    rescue.save(model, path, overwrite=True)
    return path


def _verdict(board: "Leaderboard", metric: str) -> str:
    """Return one sentence about the winner and the baseline of the table."""
    winner = next(standing for standing in board.standings if standing.name.endswith("(winner)"))
    name = winner.name.removesuffix(" (winner)")
    if metric not in winner.differences:
        return f"{name} is the baseline of this table: no other model was selected."
    difference = winner.differences[metric].estimate
    from recsys_ae.metrics import smaller_is_better  # noqa: PLC0415

    sign = -1 if smaller_is_better(metric) else 1
    worst, most = sorted((sign * difference.low, sign * difference.high))
    word = "better than" if worst > 0 else "worse than" if most < 0 else "not distinguishable from"
    numbers = f"{difference.mean:+.4f} ± {difference.standard_error:.4f} {metric}, 95 % interval"
    interval = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    return f"{name} is {word} {board.baseline} on the test users: {numbers} {interval}."
