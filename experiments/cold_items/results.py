"""Results table of the cold-item experiment."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from measured import signed  # in the parent folder

from recsys_ae.evaluation.estimate import estimate

METRICS = ("recall@20", "ndcg@20")


def table(measurements: dict[tuple[str, int], dict[str, Any]]) -> str:
    """Format means over users and seeds as a Markdown table, with paired differences over users.

    The differences are those from content kNN, and from PCA with codes of the same size. A row without a code size is
    compared with PCA's largest codes.
    """
    per_user = {row: _means(measurements, row) for row in dict.fromkeys(row for row, _ in measurements)}
    names = [f"{kind} {metric}" for kind in ("cold", "mixed") for metric in METRICS]
    rows = sorted(per_user, key=lambda row: -per_user[row][names[1]].mean())
    head = [*names, f"Δ {names[1]} vs content_knn [95 %]", "vs pca of equal size [95 %]", "seeds", "seconds"]
    lines = [f"| row | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for row in rows:
        values = per_user[row]
        cells = [f"{values[name].mean():.4f}" if name in values else "–" for name in names]
        cells += [_difference(per_user, row, baseline, names[1]) for baseline in ("content_knn", _pca(per_user, row))]
        seconds = [measured["seconds"] for (name, _), measured in measurements.items() if name == row]
        lines.append(f"| {row} | {' | '.join([*cells, str(len(seconds)), f'{np.mean(seconds):.0f}'])} |")
    return "\n".join(lines)


def _pca(rows: Iterable[str], row: str) -> str:
    """Return the name of PCA's row with the code size of a row."""
    _, _, size = row.rpartition("-")
    pca_sizes = [int(name.removeprefix("pca-")) for name in rows if name.startswith("pca-")]
    return f"pca-{size if size.isdigit() else max(pca_sizes, default=0)}"


def _means(measurements: dict[tuple[str, int], dict[str, Any]], row: str) -> pd.DataFrame:
    """Return each user's mean over the seeds in which the user liked a cold item."""
    frames = [pd.DataFrame(measured["values"]) for (name, _), measured in measurements.items() if name == row]
    return pd.concat(frames).groupby("user").mean()


def _difference(per_user: dict[str, pd.DataFrame], row: str, baseline: str, name: str) -> str:
    if baseline == row or baseline not in per_user:
        return "–"
    differences = (per_user[row] - per_user[baseline])[[name]].dropna()
    difference = estimate(differences, n_resamples=1000, seed=0)[name]
    return f"{signed(difference.mean)} [{signed(difference.low)}, {signed(difference.high)}]"
