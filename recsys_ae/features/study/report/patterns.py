"""Rank correlations between measures of a code that need no labels and its results in tasks."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from scipy import stats

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.section_fits import ERROR
from recsys_ae.features.study.report.section_labels import learnt
from recsys_ae.features.study.results import Results
from recsys_ae.report.parts import Column, Table, table, there

Case: TypeAlias = tuple[str, int]
Measure: TypeAlias = Callable[[Results, Case], float | None]
FEWEST = 5
"""Cases that a correlation needs at least."""


def patterns(results: Results) -> tuple[Table, ...]:
    """Return tables of rank correlations over the models at the summary's size of the code, and over all codes."""
    cases = [(model, z) for model in results.models() if model != RAW for z in results.latents(model=model)]
    z = results.plan.summary
    return there(
        _table(results, "patterns", f"models with z = {z}", [case for case in cases if case[1] == z]),
        _table(results, "patterns_all", "codes, of all models and sizes", cases),
    )


def _table(results: Results, name: str, over: str, cases: Sequence[Case]) -> Table | None:
    columns = [Column("measure without labels")]
    values: dict[str, list[float | None]] = {title: [] for title, _ in KNOWN}
    for title, help, use in _uses(results):
        pairs_by_title = {unlabelled: _paired(results, cases, measure, use) for unlabelled, measure in KNOWN}
        n = max(len(pairs) for pairs in pairs_by_title.values())
        if n < FEWEST:
            continue
        columns.append(Column(f"{title}, n = {n}, ±{_by_chance(n):.2f}", help, digits=2))
        for unlabelled, pairs in pairs_by_title.items():
            values[unlabelled].append(_correlation(pairs))
    if len(columns) == 1:
        return None
    caption = (
        f"Which measures go together? Spearman's rank correlation over n {over}. In 95 of 100 cases, chance alone "
        "stays within ±."
    )
    return table(name, caption, columns, list(values.items()))


def _by_chance(n: int) -> float:
    """Return the correlation that n uncorrelated pairs exceed in either direction in 5 of 100 cases (Student's t)."""
    t = stats.t.ppf(0.975, n - 2)
    return float(t / math.sqrt(n - 2 + t**2))


def _of(path: str, sign: int = 1) -> Measure:
    def measure(results: Results, case: Case) -> float | None:
        mean = results.mean(path, model=case[0], latent=case[1])
        return None if mean is None else sign * mean.mean

    return measure


KNOWN: tuple[tuple[str, Measure], ...] = (
    ("small RMSE", _of(ERROR, -1)),
    ("trustworthiness", _of("structure/trustworthiness")),
    ("continuity", _of("structure/continuity")),
    ("preserved distances (Spearman's ρ)", _of("structure/spearman")),
    ("small scale-normalised stress", _of("structure/scale_normalised_stress", -1)),
)


def _uses(results: Results) -> Iterator[tuple[str, str, Measure]]:
    yield "neighbourhood hit", "share of the nearest codes with the same label", _of("structure/neighbourhood_hit")
    yield "5-NN accuracy", "accuracy of the labels of the five nearest training codes", _of("neighbours/accuracy")
    yield "mAP", "mean average precision of retrieval by the code", _of("found/map")
    share = min(results.plan.sizes.labelled, key=lambda share: abs(share - 0.01))

    def few(results: Results, case: Case) -> float | None:
        mean = learnt(results, case, "codes", share)
        return None if mean is None else mean.mean

    yield f"accuracy with {100 * share:g} % of the labels", "accuracy of a classifier of the codes", few
    for name in results.unlike():
        yield f"AUC, {name}", f"ROC-AUC of the error as a detector of {name}", _of(f"unlike/{name}/auc")
        yield f"small RMSE, {name}", f"small RMSE on {name}", _of(f"unlike/{name}/rmse", -1)


def _paired(results: Results, cases: Sequence[Case], left: Measure, right: Measure) -> list[tuple[float, float]]:
    pairs = [(left(results, case), right(results, case)) for case in cases]
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < FEWEST or any(len({pair[side] for pair in pairs}) < 2 for side in (0, 1)):
        return None
    x, y = zip(*pairs, strict=True)
    return float(stats.spearmanr(x, y).statistic)
