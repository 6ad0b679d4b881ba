"""Which measures go together: what is known of a code without labels, and how well it serves."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from scipy import stats

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.parts import Column, Table, table, there
from recsys_ae.features.study.report.section_fits import ERROR
from recsys_ae.features.study.report.section_labels import learnt
from recsys_ae.features.study.results import Results

Case: TypeAlias = tuple[str, int]
Measure: TypeAlias = Callable[[Results, Case], float | None]
FEWEST = 5
"""Cases of which a correlation says something."""


def patterns(results: Results) -> tuple[Table, ...]:
    """Return the rank correlations over the models of the summary's size of the code, and over all codes."""
    cases = [(model, z) for model in results.models() if model != RAW for z in results.latents(model=model)]
    z = results.plan.summary
    return there(
        _table(results, "patterns", f"over models with z = {z}", [case for case in cases if case[1] == z]),
        _table(results, "patterns_all", "over models and sizes of the code", cases),
    )


def _table(results: Results, name: str, over: str, cases: Sequence[Case]) -> Table | None:
    columns = [Column("of what is known without labels")]
    values: dict[str, list[float | None]] = {title: [] for title, _ in KNOWN}
    for title, help, use in _uses(results):
        found = {known: _paired(results, cases, measure, use) for known, measure in KNOWN}
        n = max(len(pairs) for pairs in found.values())
        if n < FEWEST:
            continue
        columns.append(Column(f"{title}, n = {n}, ±{_by_chance(n):.2f}", help, digits=2))
        for known, pairs in found.items():
            values[known].append(_correlation(pairs))
    if len(columns) == 1:
        return None
    caption = (
        f"Is who is better in one better in the other? Spearman's rank correlation {over}, of which there are n; "
        "± is what chance alone stays within in 95 of 100 cases."
    )
    return table(name, caption, columns, list(values.items()))


def _by_chance(n: int) -> float:
    """Return the correlation that n pairs without any exceed, in either direction, in 5 of 100 cases (Student's t)."""
    t = stats.t.ppf(0.975, n - 2)
    return float(t / math.sqrt(n - 2 + t**2))


def _of(path: str, sign: int = 1) -> Measure:
    def measure(results: Results, case: Case) -> float | None:
        mean = results.mean(path, model=case[0], latent=case[1])
        return None if mean is None else sign * mean.mean

    return measure


KNOWN: tuple[tuple[str, Measure], ...] = (
    ("a small RMSE", _of(ERROR, -1)),
    ("trustworthiness", _of("structure/trustworthiness")),
    ("continuity", _of("structure/continuity")),
    ("distances kept (Spearman's ρ)", _of("structure/spearman")),
    ("a small scale-normalised stress", _of("structure/scale_normalised_stress", -1)),
)


def _uses(results: Results) -> Iterator[tuple[str, str, Measure]]:
    yield "neighbourhood hit", "share of the nearest codes with the same label", _of("structure/neighbourhood_hit")
    yield "5-NN accuracy", "of the labels of the five nearest training codes", _of("neighbours/accuracy")
    yield "mAP", "of finding by the code", _of("found/map")
    share = min(results.plan.sizes.labelled, key=lambda one: abs(one - 0.01))

    def few(results: Results, case: Case) -> float | None:
        mean = learnt(results, case, "codes", share)
        return None if mean is None else mean.mean

    yield f"accuracy with {100 * share:g} % of the labels", "of a classifier of the codes", few
    for name in results.unlike():
        yield f"AUC, {name}", "of the error, for anomalies", _of(f"unlike/{name}/auc")
        yield f"small RMSE, {name}", "of rows unlike those of the training", _of(f"unlike/{name}/rmse", -1)


def _paired(results: Results, cases: Sequence[Case], first: Measure, second: Measure) -> list[tuple[float, float]]:
    both = [(first(results, case), second(results, case)) for case in cases]
    return [(one, other) for one, other in both if one is not None and other is not None]


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < FEWEST or any(len({pair[place] for pair in pairs}) < 2 for place in (0, 1)):
        return None
    first, second = zip(*pairs, strict=True)
    return float(stats.spearmanr(first, second).statistic)
