"""Sections of a report on models."""

import math
from collections.abc import Iterator

import numpy as np

from recsys_ae.evaluation.estimate import Estimate
from recsys_ae.evaluation.page import background
from recsys_ae.evaluation.page.contents import Contents, Model
from recsys_ae.metrics import DEFINITIONS, parse, smaller_is_better
from recsys_ae.report.charts import Interval, intervals, scatter
from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Better, Column, Section, ends, table, there

SMALL = 0.001
"""A p-value below it is shown as such."""
NEITHER = ("popularity", "popularity_lift", "gini", "coverage", "novelty", "diversity")
"""Kinds of metrics of which neither high nor low values are better by themselves."""


def sections(contents: Contents) -> list[Section]:
    """Return the sections that have something to show."""
    made = (
        _leaderboard(contents),
        _differences(contents),
        _slices(contents),
        _beyond(contents),
        background.curves(contents),
        background.costs(contents),
        background.lists(contents),
        background.searches(contents),
        background.commands(contents),
    )
    return [section for section in made if not section.empty]


def _column(name: str) -> Column:
    kind = parse(name).kind
    better: Better = "" if kind in NEITHER else "low" if smaller_is_better(name) else "high"
    return Column(name, DEFINITIONS[kind], better)


def _mean(model: Model, name: str) -> Mean | None:
    numbers = model.report.summary.get(name)
    return None if numbers is None else _of(numbers)


def _leaderboard(contents: Contents) -> Section:
    board, metrics = contents.board, [name for name in contents.board.metrics if parse(name).kind not in NEITHER]
    columns = [Column("model"), Column("kind"), *map(_column, metrics)]
    rows = [(model.name, [model.kind, *(_mean(model, name) for name in metrics)]) for model in contents.models]
    first = [
        Interval(standing.name, numbers.mean, *_known(numbers.low, numbers.high), style)
        for style, standing in enumerate(board.standings)
        if not np.isnan((numbers := standing.summary[contents.metric]).mean)
    ]
    return Section(
        "leaderboard",
        "Leaderboard",
        tuple(_said(contents)),
        there(table("leaderboard", "Metrics of all models", columns, rows)),
        there(intervals("leaderboard", first, x=contents.metric, caption=f"{contents.metric} with its 95 % interval.")),
    )


def _said(contents: Contents) -> Iterator[str]:
    """Yield who was measured, and who selected the model to use."""
    board, metric, chosen = contents.board, contents.metric, contents.chosen
    yield f"{board.n_users:,} {contents.part}; ± is half of the 95 % bootstrap interval over them."
    if not contents.selected_by:
        yield f"{chosen} was selected by the same users, so its {metric} is slightly optimistic."
    elif board.best.name != chosen:
        yield (
            f"{chosen} is the best on the {contents.selected_by}, and {board.best.name} on these users, who must not "
            "select a model."
        )


def _known(low: float, high: float) -> tuple[float | None, float | None]:
    return (None, None) if np.isnan(low) else (low, high)


def _differences(contents: Contents) -> Section:
    board = contents.board
    styles = {standing.name: style for style, standing in enumerate(board.standings)}
    others = [standing for standing in board.standings if standing.name != board.baseline]
    found = [(standing.name, standing.differences[contents.metric]) for standing in others]
    columns = [
        Column("model"),
        Column("difference", f"Paired difference in {contents.metric} from {board.baseline}"),
        Column("95 % interval"),
        Column("p, bootstrap", "Two-sided p-value of the paired bootstrap, adjusted by Holm", "", 3),
        Column("p, Wilcoxon", "Two-sided p-value of the Wilcoxon signed-rank test, adjusted by Holm", "", 3),
        Column("effect", "Mean gain of the users / its standard deviation", "high", 2),
        Column("better", "Share of the users for whom it is better", "high", 2),
        Column("worse", "Share of the users for whom it is worse", "low", 2),
    ]
    rows = [
        (
            name,
            [
                d.estimate.mean,
                None if np.isnan(d.estimate.low) else ends(d.estimate.low, d.estimate.high),
                *map(_p, (d.p_bootstrap_holm, d.p_wilcoxon_holm)),
                *(None if np.isnan(value) else float(value) for value in (d.standardized, d.better, d.worse)),
            ],
        )
        for name, d in found
    ]
    drawn = [
        Interval(name, d.estimate.mean, *_known(d.estimate.low, d.estimate.high), styles[name]) for name, d in found
    ]
    caption = f"Paired differences from {board.baseline} in {contents.metric}, with their 95 % intervals."
    return Section(
        "differences",
        f"Compared with {board.baseline}",
        tuple(line for line in board.described() if line.startswith(board.baseline)),
        there(table("differences", caption, columns, rows)),
        there(
            intervals("differences", drawn, x=f"difference in {contents.metric}", caption=caption, zero=board.baseline)
        ),
    )


def _p(value: float) -> float | str | None:
    if np.isnan(value):
        return None
    return "<0.001" if value < SMALL else float(value)


def _slices(contents: Contents) -> Section:
    metric, tables = contents.metric, []
    for place, first in enumerate(contents.models[0].slices):
        better: Better = "low" if smaller_is_better(metric) else "high"
        columns = [
            Column("model"),
            *(
                Column(f"{group} ({n:,} {'user' if n == 1 else 'users'})", "", better)
                for group, n in first.n_users.items()
            ),
        ]
        rows = [
            (model.name, [_of(model.slices[place].groups[group][metric]) for group in first.groups])
            for model in contents.models
        ]
        tables.append(table(f"slices_{place}", f"{metric} by {first.by}", columns, rows))
    return Section("slices", "Groups of users", (), there(*tables))


def _of(numbers: Estimate) -> Mean | None:
    if math.isnan(numbers.mean):
        return None
    return Mean(numbers.mean, None if math.isnan(numbers.low) else (numbers.high - numbers.low) / 2, 0)


def _beyond(contents: Contents) -> Section:
    first = contents.models[0].report
    names = [name for name in (*first.summary, *first.overall) if parse(name).kind in (*NEITHER, "tail_ndcg")]
    if not names:
        return Section("beyond", "Beyond accuracy")
    columns = [Column("model"), *map(_column, names)]
    rows = [
        (
            model.name,
            [_mean(model, name) if name in first.summary else model.report.overall.get(name) for name in names],
        )
        for model in contents.models
    ]
    pictures = []
    for name in names:
        kind = parse(name).kind
        if kind not in ("coverage", "novelty", "tail_ndcg"):
            continue
        points = [
            (model.name, value, model.report.summary[contents.metric].mean)
            for model in contents.models
            if (value := model.report.overall.get(name, model.report.mean.get(name))) is not None
            and not np.isnan(value)
        ]
        caption = f"{contents.metric} against {name}."
        pictures.append(scatter(f"against_{kind}", points, x=name, y=contents.metric, caption=caption))
    return Section(
        "beyond",
        "Beyond accuracy",
        tuple(DEFINITIONS[kind] for kind in dict.fromkeys(parse(name).kind for name in names)),
        there(table("beyond", "Metrics beyond accuracy", columns, rows)),
        there(*pictures),
    )
