"""Leaderboard of models on the same users: means, paired differences from a baseline, and their significance."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys_ae.errors import Argument, ConfigError, DataError
from recsys_ae.evaluation.compare import Pair
from recsys_ae.evaluation.estimate import resampled
from recsys_ae.evaluation.paired_tests import Difference, adjusted
from recsys_ae.evaluation.report import Report
from recsys_ae.evaluation.standings import Leaderboard, Standing
from recsys_ae.metrics import smaller_is_better


def leaderboard(
    reports: Mapping[str, Report],
    baseline: str | None = None,
    *,
    details: Mapping[str, Mapping[str, Any]] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Leaderboard:
    """Rank models by their reports on the same holdout, and compare each with a baseline by paired differences.

    Parameters
    ----------
    reports
        Report of each model by its name. Metrics that all of them contain are compared, in the order of the first
        report; its first such metric decides the order of the models.
    baseline
        Name of the model that the others are compared with. The default is the best model; it was then selected by the
        same users, so that its lead is slightly optimistic.
    details
        More about some of the models, as JSON values by name, which the tables show as further columns.
    n_resamples, seed
        Number of bootstrap resamples of the users, and their random seed. All comparisons have the same resamples.

    Returns
    -------
    Leaderboard
        For each model and metric: mean ± standard error, the paired difference from the baseline with its 95 %
        bootstrap interval, p-values of the paired bootstrap and of the Wilcoxon signed-rank test, both adjusted by Holm
        for the number of models compared, two effect sizes, and the shares of users for whom it is better or worse.

    Raises
    ------
    ConfigError
        If there is no report, or none of the name ``baseline``; if ``n_resamples`` is below 1, or ``seed`` below 0.
    DataError
        If the reports are of different splits or users, share no metric, or are not comparable for another reason.
    """
    if not reports:
        raise ConfigError(Argument("reports"), " is empty; expected the report of at least one model")
    metrics = _shared(reports)
    ordered = sorted(reports, key=lambda name: _goodness(reports[name], metrics[0]), reverse=True)
    chosen = ordered[0] if baseline is None else baseline
    if chosen not in reports:
        raise ConfigError(
            Argument("baseline", chosen), f": there is no such model; expected one of {', '.join(reports)}"
        )
    others = [name for name in ordered if name != chosen]
    of_all = (report.overall for report in reports.values())
    together = [metric for metric in next(of_all) if all(metric in other for other in of_all)]
    found = {name: _differences(reports[name], reports[chosen], name, chosen, n_resamples, seed) for name in others}
    for metric in metrics:
        for name, difference in zip(others, adjusted([found[name][metric] for name in others]), strict=True):
            found[name][metric] = difference
    standings = [
        Standing(
            name,
            {metric: reports[name].summary[metric] for metric in metrics},
            {metric: found[name][metric] for metric in metrics} if name in found else {},
            dict((details or {}).get(name, {})),
            {metric: reports[name].overall[metric] for metric in together},
        )
        for name in ordered
    ]
    first = reports[chosen]
    fingerprints = [report.fingerprint for report in reports.values() if report.fingerprint is not None]
    n_ratings = first.n_ratings if any(map(smaller_is_better, metrics)) else None
    known = fingerprints[0] if fingerprints else None
    return Leaderboard(standings, chosen, baseline is None, first.n_users, n_resamples, n_ratings, known)


def _shared(reports: Mapping[str, Report]) -> list[str]:
    """Return the metrics of all reports, in the order of the first one."""
    first, *others = reports.values()
    metrics = [name for name in first.summary if all(name in report.summary for report in others)]
    if not metrics:
        each = "; ".join(f"{name}: {', '.join(report.summary)}" for name, report in reports.items())
        raise DataError(f"the reports share no metric ({each}); evaluate all models with the same metrics")
    return metrics


def _goodness(report: Report, metric: str) -> float:
    mean = report.summary[metric].mean
    return -mean if smaller_is_better(metric) else mean


def _differences(
    report: Report, baseline: Report, name: str, baseline_name: str, n_resamples: int, seed: int
) -> dict[str, Difference]:
    """Return the difference of a model from the baseline in each metric, with p-values that are not adjusted yet."""
    try:
        pair = Pair.of(report, baseline)
    except DataError as error:
        raise DataError(f"{name} and {baseline_name}: ", *error.parts) from error
    estimates, resamples = resampled(
        pair.values, n_resamples=n_resamples, seed=seed, ratings=pair.ratings, minus=pair.minus
    )
    differences = {}
    for (metric, numbers), drawn in zip(estimates.items(), resamples, strict=True):
        gains = pair.values[metric].to_numpy(np.float64) - pair.minus[metric].to_numpy(np.float64)
        differences[metric] = Difference.of(numbers, drawn, -gains if smaller_is_better(metric) else gains)
    return differences
