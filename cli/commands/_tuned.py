"""Output of `tune`: the leaderboards, the verdict on the winner, and its saved models."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_ae.storage import rescue

from ..data_options import titles
from ..display import Display, duration, note
from ..evaluation.boards import show_board

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.recommender.recommender import Recommender
    from recsys_ae.tuning.result import Tested, Tuned
    from recsys_ae.tuning.trial import Trial

BEST, BLEND, REFIT = "best", "blend", "refit"
"""Folders of the saved models."""


def show_tuned(
    display: Display, result: "Tuned", out: Path, notes: Mapping[str, Any], items: "pd.DataFrame | None"
) -> Path:
    """Save the models of a search, with the titles of the ``items``; print its tables and the next commands.

    Returns the folder of the model to use: the refitted one, else the better one of the blend and the winner.
    """
    models = {BEST: result.model, BLEND: result.blend, REFIT: result.refitted}
    saved = {name: _saved(model, out / name, notes, items) for name, model in models.items() if model is not None}
    n, seconds = len(result.trials), max(trial.elapsed for trial in result.trials)
    display.line(
        f"\n{n} trials in {duration(seconds)}. The best of each model on the validation users, who selected it:"
    )
    show_board(display, result.valid)
    if result.test is not None:
        display.line("\nThe test users, who were looked at once, now:")
        show_board(display, result.test.leaderboard)
        display.line()
        for sentence in _verdicts(result.test, result.best, result.metric):
            display.line(sentence)
    for remark in result.remarks:
        note(f"Note: {remark}")
    rows = [("winner", result.best.text()), ("saved in", saved[BEST])]
    rows += [(name, saved[name]) for name in (BLEND, REFIT) if name in saved]
    display.line()
    display.pairs([*rows, ("trials", out / "leaderboard.json")])
    best = saved[BLEND] if BLEND in saved and result.is_blend_better else saved[BEST]
    chosen = saved.get(REFIT, best)
    folder = shlex.quote(str(chosen))
    display.line("\nNext:")
    display.line(f"  recsys-ae recommend {folder} --out top10.csv")
    if REFIT not in saved:
        display.line(f"  recsys-ae refit {folder}")
    return chosen


def _saved(model: "Recommender", path: Path, notes: Mapping[str, Any], items: "pd.DataFrame | None") -> Path:
    model.notes |= {**notes, "titles": titles(items, model.items)}
    rescue.save(model, path, overwrite=True)
    return path


def _verdicts(tested: "Tested", winner: "Trial", metric: str) -> list[str]:
    """Return a sentence on the winner, and on the blend, and each model that it is compared with."""
    from recsys_ae.tuning.trial import sign_of  # noqa: PLC0415

    default = f"the best {'other ' if winner.is_default else ''}default"
    sentences = []
    for model, gains in ((winner.model, tested.gains), (f"the {BLEND}", tested.blend_gains)):
        rivals = dict(gains)
        both = "als" in gains and gains.get("best default") == gains["als"]
        if both:
            del rivals["best default"]
        for name, gain in rivals.items():
            worst, most = sorted((sign_of(metric) * gain.low, sign_of(metric) * gain.high))
            word = "better than" if worst > 0 else "worse than" if most < 0 else "not distinguishable from"
            numbers = f"{gain.mean:+.4f} ± {gain.standard_error:.4f} {metric} [{gain.low:+.4f}, {gain.high:+.4f}]"
            other = default if name == "best default" else f"als, {default}" if both else "als"
            sentences.append(f"{model} is {word} {other}: {numbers}")
    return sentences
