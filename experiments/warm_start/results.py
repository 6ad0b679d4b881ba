"""What the runs of a warm start measured, as tables."""

from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.evaluation.estimate import estimate

METRIC = "ndcg@100"
SCRATCH = "scratch"


def table(done: list[dict[str, Any]]) -> str:
    """Format a table for each model as Markdown: of each share and kind of vectors the means over the seeds."""
    parts = []
    for model in dict.fromkeys(one["model"] for one in done):
        head = ["% of the users", "vectors", "seeds", f"validation {METRIC}", "best epoch"]
        head += ["epochs to reach scratch's best", f"test {METRIC}", "Δ to scratch [95 %]", "s"]
        lines = [f"**{model}**", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for share in dict.fromkeys(one["share"] for one in done):
            group = [one for one in done if (one["model"], one["share"]) == (model, share)]
            kinds = dict.fromkeys(one["vectors"] for one in group)
            for kind in sorted(kinds, key=lambda kind: -_of(group, kind, "best").mean()):
                lines.append(f"| {' | '.join([str(share), *_cells(group, kind)])} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _cells(group: list[dict[str, Any]], kind: str) -> list[str]:
    best, epochs = _of(group, kind, "best"), _of(group, kind, "epoch")
    cells = [kind, str(len(best)), f"{best.mean():.4f}", f"{epochs.mean():.0f}", _reached(group, kind)]
    cells += [*_tested(group, kind), f"{_of(group, kind, 'seconds').mean():.0f}"]
    return cells


def _of(group: list[dict[str, Any]], kind: str, what: str) -> np.ndarray:
    """Return a number of each seed's run."""
    values = {
        "best": lambda one: max(one["validation"]),
        "epoch": lambda one: int(np.argmax(one["validation"])) + 1,
        "seconds": lambda one: one["seconds"],
    }
    return np.array([values[what](one) for one in group if one["vectors"] == kind])


def _reached(group: list[dict[str, Any]], kind: str) -> str:
    """Say after how many epochs a run was as good as the one from scratch ever was, and how many that saves."""
    goals = {one["seed"]: max(one["validation"]) for one in group if one["vectors"] == SCRATCH}
    took = {one["seed"]: int(np.argmax(one["validation"])) + 1 for one in group if one["vectors"] == SCRATCH}
    own = {one["seed"]: one["validation"] for one in group if one["vectors"] == kind}
    seeds = [seed for seed in own if seed in goals]
    if kind == SCRATCH or not seeds:
        return "–"
    first = {seed: np.flatnonzero(np.array(own[seed]) >= goals[seed]) for seed in seeds}
    reached = {seed: int(found[0]) + 1 for seed, found in first.items() if len(found)}
    if len(reached) < len(seeds):
        return f"not by {len(seeds) - len(reached)} of {len(seeds)}"
    mean, saved = np.mean(list(reached.values())), 1 - np.mean([reached[seed] / took[seed] for seed in seeds])
    return f"{mean:.0f} ({-100 * saved:+.0f} %)"


def _tested(group: list[dict[str, Any]], kind: str) -> list[str]:
    """Return the mean over the test users and its paired difference; of each user the mean of the same seeds."""
    values = {
        (one["vectors"], one["seed"]): pd.Series(one["test"], one["test users"], name=METRIC)
        for one in group
        if "test" in one
    }
    seeds = [seed for name, seed in values if name == kind]
    if not seeds:
        return ["–", "–"]
    own = pd.concat([values[kind, seed] for seed in seeds]).groupby(level=0).mean()
    found = [f"{own.mean():.4f}"]
    if kind == SCRATCH or any((SCRATCH, seed) not in values for seed in seeds):
        return [*found, "–"]
    other = pd.concat([values[SCRATCH, seed] for seed in seeds]).groupby(level=0).mean()
    one = estimate(own.to_frame(), n_resamples=1000, seed=0, minus=other[own.index].to_frame())[METRIC]
    return [*found, f"{one.mean:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"]
