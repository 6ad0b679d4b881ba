"""Results tables of the warm-start experiment."""

from typing import Any

import numpy as np
import pandas as pd
from measured import signed  # in the parent folder

from recsys_ae.evaluation.estimate import estimate

METRIC = "ndcg@100"
SCRATCH = "scratch"


def table(runs: list[dict[str, Any]]) -> str:
    """Format a Markdown table per model; a row holds the means over the seeds for one share of users and one start."""
    tables = []
    for model in dict.fromkeys(run["model"] for run in runs):
        head = ["% of users", "vectors", "seeds", f"validation {METRIC}", "best epoch"]
        head += ["epochs to scratch's best", f"test {METRIC}", "Δ vs scratch [95 %]", "seconds"]
        lines = [f"**{model}**", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for share in dict.fromkeys(run["share"] for run in runs):
            group = [run for run in runs if (run["model"], run["share"]) == (model, share)]
            kinds = dict.fromkeys(run["vectors"] for run in group)
            for kind in sorted(kinds, key=lambda kind: -_of(group, kind, "best").mean()):
                lines.append(f"| {' | '.join([str(share), *_cells(group, kind)])} |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def _cells(group: list[dict[str, Any]], kind: str) -> list[str]:
    best, epochs = _of(group, kind, "best"), _of(group, kind, "epoch")
    cells = [kind, str(len(best)), f"{best.mean():.4f}", f"{epochs.mean():.0f}", _reached(group, kind)]
    cells += [*_tested(group, kind), f"{_of(group, kind, 'seconds').mean():.0f}"]
    return cells


def _of(group: list[dict[str, Any]], kind: str, quantity: str) -> np.ndarray:
    """Return one quantity of all runs with these vectors, one number per seed."""
    values = {
        "best": lambda run: max(run["validation"]),
        "epoch": lambda run: int(np.argmax(run["validation"])) + 1,
        "seconds": lambda run: run["seconds"],
    }
    return np.array([values[quantity](run) for run in group if run["vectors"] == kind])


def _reached(group: list[dict[str, Any]], kind: str) -> str:
    """Return the epochs until a run reaches the best validation metric from scratch, with the change in per cent."""
    goals = {run["seed"]: max(run["validation"]) for run in group if run["vectors"] == SCRATCH}
    took = {run["seed"]: int(np.argmax(run["validation"])) + 1 for run in group if run["vectors"] == SCRATCH}
    curves = {run["seed"]: run["validation"] for run in group if run["vectors"] == kind}
    seeds = [seed for seed in curves if seed in goals]
    if kind == SCRATCH or not seeds:
        return "–"
    epochs_above = {seed: np.flatnonzero(np.array(curves[seed]) >= goals[seed]) for seed in seeds}
    reached = {seed: int(epochs[0]) + 1 for seed, epochs in epochs_above.items() if len(epochs)}
    if len(reached) < len(seeds):
        return f"not by {len(seeds) - len(reached)} of {len(seeds)}"
    mean, saved = np.mean(list(reached.values())), 1 - np.mean([reached[seed] / took[seed] for seed in seeds])
    return f"{mean:.0f} ({-100 * saved:+.0f} %)".replace("-", "−")


def _tested(group: list[dict[str, Any]], kind: str) -> list[str]:
    """Return the mean over test users and its paired difference from scratch; values of a user are means over seeds."""
    values = {
        (run["vectors"], run["seed"]): pd.Series(run["test"], run["test users"], name=METRIC)
        for run in group
        if "test" in run
    }
    seeds = [seed for name, seed in values if name == kind]
    if not seeds:
        return ["–", "–"]
    per_user = pd.concat([values[kind, seed] for seed in seeds]).groupby(level=0).mean()
    mean = f"{per_user.mean():.4f}"
    if kind == SCRATCH or any((SCRATCH, seed) not in values for seed in seeds):
        return [mean, "–"]
    scratch = pd.concat([values[SCRATCH, seed] for seed in seeds]).groupby(level=0).mean()
    minus = scratch[per_user.index].to_frame()
    difference = estimate(per_user.to_frame(), n_resamples=1000, seed=0, minus=minus)[METRIC]
    return [mean, f"{signed(difference.mean)} [{signed(difference.low)}, {signed(difference.high)}]"]
