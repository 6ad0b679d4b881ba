"""Evaluation of a model on held-out users, by ranking all items or by predicting ratings."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Ids
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import UnsupportedError
from recsys_ae.evaluation.evaluated import Evaluated
from recsys_ae.evaluation.report import Report
from recsys_ae.metrics import (
    DEFAULT,
    Catalog,
    errors_per_user,
    is_overall,
    overall,
    per_user,
    refuse_without_catalog,
    smaller_is_better,
)


class Ranker(Protocol):
    """Model that recommends items for histories."""

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return item positions ``(n, k)``, best first and -1 where a list ends early, and their scores ``(n, k)``."""
        ...


@runtime_checkable
class Rater(Protocol):
    """Model that predicts ratings, as rmse and mae need."""

    def predict(self, histories: csr_matrix, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Return the predicted ratings ``(m,)`` of pairs of a row of ``histories`` and an item position."""
        ...


@runtime_checkable
class KnowsUsers(Protocol):
    """Model that may have learnt parameters of each training user; if so, its methods take ``users``."""

    @property
    def knows_users(self) -> bool:
        """True if the model has learnt parameters of each training user."""
        ...


def evaluate(
    model: Ranker,
    holdout: Holdout,
    metrics: Sequence[str] = DEFAULT,
    *,
    exclude_seen: bool = True,
    n_resamples: int = 1000,
    seed: int = 0,
    fingerprint: str | None = None,
    catalog: Catalog | None = None,
) -> Report:
    """Evaluate a model on held-out users: rank all items against their targets, or predict their ratings.

    Parameters
    ----------
    model
        Fitted `Recommender`, or any object with its ``recommend``, and with its ``predict`` for rmse and mae. If
        ``model.knows_users`` is true, it gets the ids of the holdout's users.
    holdout
        Users with fold-in histories and targets, such as ``split.test``. Users without targets are left out and
        counted.
    metrics
        Names of metrics, as `recsys_ae.metrics` defines them: ``"recall@20"``, ``"ndcg@100"``, ``"rmse"``, … Items are
        ranked only if a metric of lists is among them.
    exclude_seen
        Exclude the items of a user's fold-in history from the list. Interactions that a filter removed before the split
        are not excluded here; when recommending, exclude them by ``exclude`` of `Recommender.recommend`.
    n_resamples, seed
        Number of bootstrap resamples for the 95 % intervals, and their random seed. Users are drawn with all their
        targets, because targets of a user are not independent. Rmse and mae are errors over all ratings, not means over
        users; each resample computes them again.
    fingerprint
        Fingerprint of the split for the report; the default is that of the holdout.
    catalog
        Items in the training data, ``Catalog(split.train.matrix)``, for metrics beyond accuracy (`metrics.BEYOND`).

    Returns
    -------
    Report
        Values of each user, and the mean, standard error and interval of each metric.

    Raises
    ------
    ConfigError
        If a metric is unknown or needs a catalog, ``n_resamples`` is below 1, or ``seed`` is below 0.
    DataError
        If no user has a target.
    UnsupportedError
        If rmse or mae is among the metrics and the model does not predict ratings. It is raised before any ranking.
    """
    evaluated = Evaluated.of(holdout, metrics)
    refuse_without_catalog(metrics, catalog)
    users = evaluated.users
    knows_users = isinstance(model, KnowsUsers) and model.knows_users
    user_ids: dict[str, Ids] = {"users": users.users} if knows_users else {}
    errors = [name for name in metrics if smaller_is_better(name)]
    measured = _errors(model, users, errors, user_ids) if errors else {}
    ratings: pd.Series[Any] | None = None
    if errors:
        ratings = pd.Series(np.diff(users.targets.indptr), index=users.users, name="ratings")
    of_all = [name for name in metrics if is_overall(name)]
    together: dict[str, float] = {}
    if evaluated.k:
        lists = [name for name in metrics if name not in (*errors, *of_all)]
        items, _ = model.recommend(users.histories, evaluated.k, exclude_seen=exclude_seen, **user_ids)
        measured |= per_user(items, users.targets, lists, catalog=catalog, histories=users.histories)
        together = overall(items, users.targets.shape[1], of_all)
    return evaluated.report(
        measured,
        exclude_seen=exclude_seen,
        n_resamples=n_resamples,
        seed=seed,
        fingerprint=fingerprint,
        ratings=ratings,
        overall=together,
    )


def _errors(model: Any, holdout: Holdout, names: Sequence[str], user_ids: Mapping[str, Ids]) -> dict[str, np.ndarray]:
    """Predict all held-out ratings, and return the errors of each user."""
    if not isinstance(model, Rater):
        raise UnsupportedError(
            f"{type(model).__name__} predicts no ratings, so {', '.join(names)} cannot be computed; choose metrics of "
            "top-N lists"
        )
    targets = holdout.targets
    pairs = np.repeat(np.arange(targets.shape[0]), np.diff(targets.indptr)), targets.indices.astype(np.int64)
    return errors_per_user(model.predict(holdout.histories, pairs, **user_ids), targets, names)
