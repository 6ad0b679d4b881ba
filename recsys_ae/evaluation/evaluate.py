"""Ranking all items for held-out users, or predicting their ratings, and measuring what comes out."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Ids
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import Argument, ConfigError, DataError, UnsupportedError
from recsys_ae.evaluation.estimate import estimate
from recsys_ae.evaluation.report import Report
from recsys_ae.metrics import DEFAULT, errors_per_user, parse, per_user, smaller_is_better


class Ranker(Protocol):
    """Whatever recommends items for histories."""

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return positions of items, ``(n, k)``, best first and -1 where there are no more, and their scores."""
        ...


@runtime_checkable
class Rater(Protocol):
    """Whatever predicts ratings, which only errors of ratings ask of a ranker."""

    def predict(self, histories: csr_matrix, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Return the predicted rating, ``(m,)``, of each pair of a row of the histories and an item."""
        ...


@runtime_checkable
class KnowsUsers(Protocol):
    """Whatever may have learnt something of each training user; if so, ``users=`` says whose the rows are."""

    @property
    def knows_users(self) -> bool:
        """Whether it tells its training users apart."""
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
) -> Report:
    """Measure how well the targets of held-out users are found among all items, or their ratings predicted.

    Parameters
    ----------
    model
        A ranker; it needs ``predict``, too, for rmse and mae. A model that tells its training users apart
        (``knows_users``) is given the ids of the holdout's users; ids that were not in the training are new users.
    metrics
        Names as ``recsys_ae.metrics`` defines them. Lists are only made where a metric of lists is among them.
    exclude_seen
        Keep the items of a user's history out of the list: those that the model is shown, as the holdout has them.
        What a filter took from the data before the split is not left out, unlike in lists for users
        (`Recommender.recommend` with ``exclude``).
    n_resamples, seed
        How many resamples of the users the 95 % intervals rest on, and the seed that draws them. A user is drawn with
        all targets: those of a user are not independent. For rmse and mae, which are over all ratings of all users
        and not means of the users' own, each resample computes the error anew.
    fingerprint
        That of the split, to stand in the report; the holdout's own unless given.

    Notes
    -----
    Users without targets are left out and counted.

    Raises
    ------
    UnsupportedError
        Where rmse or mae is asked of a model that predicts no ratings; before anything else is computed.
    """
    if isinstance(metrics, str) or not metrics:
        raise ConfigError(
            Argument("metrics", metrics), f" must be a list of at least one metric, such as {list(DEFAULT)}"
        )
    k = min(max(parse(name).k for name in metrics), holdout.targets.shape[1])
    judged = np.flatnonzero(np.diff(holdout.targets.indptr))
    if len(judged) == 0:
        raise DataError(
            f"none of the {len(holdout.users):,} users of the holdout has a target; hold out more interactions"
        )
    some = holdout if len(judged) == len(holdout.users) else holdout.select(judged)
    knows_users = isinstance(model, KnowsUsers) and model.knows_users
    known: dict[str, Ids] = {"users": some.users} if knows_users else {}
    errors = [name for name in metrics if smaller_is_better(name)]
    measured = _errors(model, some, errors, known) if errors else {}
    ratings: pd.Series[Any] | None = None
    if errors:
        ratings = pd.Series(np.diff(some.targets.indptr), index=some.users, name="ratings")
    if k:
        lists = [name for name in metrics if name not in errors]
        items, _ = model.recommend(some.histories, k, exclude_seen=exclude_seen, **known)
        measured |= per_user(items, some.targets, lists)
    values = pd.DataFrame({name: measured[name] for name in metrics}, index=some.users)
    return Report(
        values,
        estimate(values, n_resamples=n_resamples, seed=seed, ratings=ratings),
        without_targets=len(holdout.users) - len(judged),
        unknown_targets=holdout.unknown,
        exclude_seen=exclude_seen,
        n_resamples=n_resamples,
        fingerprint=fingerprint or holdout.fingerprint,
        ratings=ratings,
    )


def _errors(model: Any, holdout: Holdout, names: Sequence[str], known: Mapping[str, Ids]) -> dict[str, np.ndarray]:
    """Predict every rating that was held out and return the users' errors."""
    if not isinstance(model, Rater):
        raise UnsupportedError(
            f"{type(model).__name__} predicts no ratings, so {', '.join(names)} cannot be computed; choose metrics of "
            "top-N lists"
        )
    targets = holdout.targets
    pairs = np.repeat(np.arange(targets.shape[0]), np.diff(targets.indptr)), targets.indices.astype(np.int64)
    return errors_per_user(model.predict(holdout.histories, pairs, **known), targets, names)
