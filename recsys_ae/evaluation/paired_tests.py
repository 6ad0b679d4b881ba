"""Significance tests and effect sizes of the paired difference of two models, and Holm's adjustment of p-values."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from recsys_ae.evaluation.estimate import Estimate

DECIMALS = 12
"""Decimals of the gains: smaller differences are rounding errors, and equal gains must have equal ranks."""


@dataclass(frozen=True)
class Difference:
    """Paired difference of a model from the baseline in one metric.

    Attributes
    ----------
    estimate
        Difference, model minus baseline, with its standard error and 95 % bootstrap interval. For rmse and mae it is
        that of the errors over all ratings; a difference below 0 is then better.
    p_bootstrap
        Two-sided p-value of the paired bootstrap: twice the smaller share of resamples on one side of 0, each with one
        resample added, so that it is at least 2 / (resamples + 1). NaN with a single user.
    p_wilcoxon
        Two-sided p-value of the Wilcoxon signed-rank test of the users' gains; users with equal values are left out.
    p_bootstrap_holm, p_wilcoxon_holm
        The same, adjusted for all comparisons with the baseline in this metric (Holm 1979).
    standardized
        Effect size: mean of the users' gains in units of their standard deviation (Cohen's d of paired values). NaN if
        all users gain the same, or with a single user.
    rank_biserial
        Effect size of the Wilcoxon test: the share of the rank sum of users with a gain minus that of users with a
        loss, from −1 to 1; 0 if all users are equal.
    better, worse, equal
        Shares of the users for whom the model is better than the baseline, worse, or equal.

    A gain is a user's difference with the sign changed where smaller is better, so that positive effect sizes are good
    in every metric. For rmse and mae it is the difference of the user's own errors.
    """

    estimate: Estimate
    p_bootstrap: float
    p_wilcoxon: float
    p_bootstrap_holm: float
    p_wilcoxon_holm: float
    standardized: float
    rank_biserial: float
    better: float
    worse: float
    equal: float

    @classmethod
    def of(cls, estimate: Estimate, resamples: np.ndarray, gains: np.ndarray) -> "Difference":
        """Return the tests of one comparison; the adjusted p-values are those of no other comparison.

        Parameters
        ----------
        resamples
            Resampled differences behind the interval, ``(n_resamples,)``; empty for a single user.
        gains
            Gain of each user, ``(n_users,)``; NaN for users for whom the metric is not defined.
        """
        gains = np.round(gains[~np.isnan(gains)], DECIMALS)
        p_bootstrap, p_wilcoxon = bootstrap_p(resamples), wilcoxon_p(gains)
        shares = (float(np.mean(side)) if len(gains) else math.nan for side in (gains > 0, gains < 0, gains == 0))
        return cls(
            estimate,
            p_bootstrap,
            p_wilcoxon,
            p_bootstrap,
            p_wilcoxon,
            standardized(gains),
            rank_biserial(gains),
            *shares,
        )

    def as_dict(self) -> dict[str, float | None]:
        """Return the numbers by name, as JSON values; None for NaN."""
        numbers = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)[1:]}
        plain = {name: None if math.isnan(value) else value for name, value in numbers.items()}
        return {**self.estimate.as_dict(), **plain}


def adjusted(differences: Sequence[Difference]) -> list[Difference]:
    """Return differences of the same metric with p-values that are adjusted for all of them."""
    columns = [
        holm([getattr(difference, name) for difference in differences]) for name in ("p_bootstrap", "p_wilcoxon")
    ]
    return [
        dataclasses.replace(difference, p_bootstrap_holm=bootstrap, p_wilcoxon_holm=wilcoxon)
        for difference, bootstrap, wilcoxon in zip(differences, *columns, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by the step-down method of Holm (1979), in the given order; NaN stays NaN.

    The smallest of m p-values is multiplied by m, the next one by m − 1, and so on; none becomes smaller than the one
    before it, or larger than 1.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values)  # NaN last
    order = order[: np.count_nonzero(~np.isnan(values))]
    steps = values[order] * np.arange(len(order), 0, -1)
    values[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(value) for value in values]


def bootstrap_p(resamples: np.ndarray) -> float:
    """Return the two-sided p-value of a difference of 0 from resampled differences; NaN without resamples."""
    if len(resamples) == 0:
        return math.nan
    tail = min(np.count_nonzero(resamples <= 0), np.count_nonzero(resamples >= 0))
    return min(1.0, 2 * (tail + 1) / (len(resamples) + 1))


def wilcoxon_p(gains: np.ndarray) -> float:
    """Return the two-sided p-value of the Wilcoxon signed-rank test; 1 if no user differs.

    It is exact for up to 50 users who differ without ties, and for up to 13 with ties; else a normal approximation.
    """
    differing = gains[gains != 0]
    # Zeros are removed here, because SciPy gives up the exact distribution if there are any.
    return float(stats.wilcoxon(differing).pvalue) if len(differing) else 1.0


def standardized(gains: np.ndarray) -> float:
    """Return the mean gain in units of the standard deviation of the gains; 0 if all are 0, NaN if it is undefined."""
    if len(gains) < 2 or np.ptp(gains) == 0:
        return 0.0 if len(gains) and not gains.any() else math.nan
    return float(gains.mean() / gains.std(ddof=1))


def rank_biserial(gains: np.ndarray) -> float:
    """Return the matched-pairs rank-biserial correlation (Kerby 2014); 0 if no user differs."""
    differing = gains[gains != 0]
    if len(differing) == 0:
        return 0.0
    ranks = stats.rankdata(np.abs(differing))
    return float((ranks * np.sign(differing)).sum() / ranks.sum())
