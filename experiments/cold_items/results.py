"""What was measured of each row and seed, as a table."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.evaluation.estimate import estimate

METRICS = ("recall@20", "ndcg@20")


def table(done: dict[tuple[str, int], dict[str, Any]]) -> str:
    """Format the means over all users of all seeds as Markdown, with paired differences user by user.

    From the content baseline, and from PCA's codes of the same size (of the largest size that was measured for what has
    no size).
    """
    per_user = {row: _means(done, row) for row in dict.fromkeys(row for row, _ in done)}
    names = [f"{kind} {metric}" for kind in ("cold", "mixed") for metric in METRICS]
    rows = sorted(per_user, key=lambda row: -per_user[row][names[1]].mean())
    head = [*names, f"Δ {names[1]} to content_knn [95 %]", "to pca of the size [95 %]", "seeds", "s"]
    lines = [f"| row | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for row in rows:
        values = per_user[row]
        cells = [f"{values[name].mean():.4f}" if name in values else "–" for name in names]
        cells += [_difference(per_user, row, other, names[1]) for other in ("content_knn", _pca(per_user, row))]
        seconds = [one["seconds"] for (name, _), one in done.items() if name == row]
        lines.append(f"| {row} | {' | '.join([*cells, str(len(seconds)), f'{np.mean(seconds):.0f}'])} |")
    return "\n".join(lines)


def _pca(rows: Iterable[str], row: str) -> str:
    """Name PCA's row with codes of the size of a row's."""
    _, _, size = row.rpartition("-")
    known = [int(name.removeprefix("pca-")) for name in rows if name.startswith("pca-")]
    return f"pca-{size if size.isdigit() else max(known, default=0)}"


def _means(done: dict[tuple[str, int], dict[str, Any]], row: str) -> pd.DataFrame:
    """Return each user's mean over the seeds in which the user liked a new item."""
    parts = [pd.DataFrame(one["values"]) for (name, _), one in done.items() if name == row]
    return pd.concat(parts).groupby("user").mean()


def _difference(per_user: dict[str, pd.DataFrame], row: str, other: str, name: str) -> str:
    if other == row or other not in per_user:
        return "–"
    both = (per_user[row] - per_user[other])[[name]].dropna()
    found = estimate(both, n_resamples=1000, seed=0)[name]
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
