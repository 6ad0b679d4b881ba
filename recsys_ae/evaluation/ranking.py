"""Ranking all items for held-out users, and measuring the lists."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.datasets.interactions import Ids
from recsys_ae.datasets.splitting import Holdout
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.evaluation.estimate import estimate
from recsys_ae.evaluation.report import Report
from recsys_ae.metrics import DEFAULT, parse, per_user


class Ranker(Protocol):
    """Whatever recommends items for histories."""

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return positions of items, ``(n, k)``, best first and -1 where there are no more, and their scores."""
        ...


def evaluate(
    model: Ranker,
    holdout: Holdout,
    metrics: Sequence[str] = DEFAULT,
    *,
    users: Ids | None = None,
    exclude_seen: bool = True,
    n_resamples: int = 1000,
    seed: int = 0,
    fingerprint: str | None = None,
) -> Report:
    """Rank every item for the users of a holdout and measure how well their targets are found.

    Parameters
    ----------
    metrics
        Names as ``recsys_ae.metrics`` defines them.
    users
        The ids of the holdout's rows, usually ``holdout.users``, for models that know their training users apart.
    exclude_seen
        Keep the items of a user's history out of the list.
    n_resamples, seed
        How many resamples of the users the 95 % intervals rest on, and the seed that draws them.
    fingerprint
        That of the split, to stand in the report; the holdout's own unless given.

    Notes
    -----
    Users without targets are left out and counted.
    """
    if isinstance(metrics, str) or not metrics:
        raise ConfigError(f"metrics = {metrics!r} is not a list of at least one name, such as {DEFAULT}")
    k = min(max(parse(name).k for name in metrics), holdout.targets.shape[1])
    judged = np.flatnonzero(np.diff(holdout.targets.indptr))
    if len(judged) == 0:
        raise DataError(f"none of the {len(holdout.users):,} users of the holdout has a target; hold out more")
    some = holdout if len(judged) == len(holdout.users) else holdout.select(judged)
    known: dict[str, Ids] = {} if users is None else {"users": pd.Index(users)[judged]}
    items, _ = model.recommend(some.histories, k, exclude_seen=exclude_seen, **known)
    values = pd.DataFrame(per_user(items, some.targets, metrics), index=some.users)
    return Report(
        values,
        estimate(values, n_resamples=n_resamples, seed=seed),
        without_targets=len(holdout.users) - len(judged),
        unknown_targets=holdout.unknown,
        exclude_seen=exclude_seen,
        n_resamples=n_resamples,
        fingerprint=fingerprint or holdout.fingerprint,
    )
