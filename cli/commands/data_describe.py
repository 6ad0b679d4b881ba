"""``recsys-ae data describe NAME|PATH``: statistics of data, before and after the default filters."""

import dataclasses
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from recsys_ae.data.recipe import DataRecipe
from recsys_ae.errors import DataError

from .. import options
from ..data_options import load
from ..display import Display
from ..framework import as_command
from ..param_types import NONE

if TYPE_CHECKING:
    import numpy as np

    from recsys_ae.data.interactions import Interactions

QUANTILES = (0, 25, 50, 75, 100)
DISTINCT = 20
"""Largest number of different ratings that are shown one by one; more are shown in this many classes."""


@as_command("describe", [options.data_argument(), options.data_dir(), options.cache(), *options.columns()])
def command(data: str, **settings: Any) -> None:
    """Describe a data set or a file of interactions.

    The tables show the counts, the ratings, and what the default filters of `recsys-ae fit` keep.
    """
    recipe = DataRecipe.from_options({"data": data, **settings})
    display = Display()
    dataset = load(recipe, cache=settings["cache"])
    interactions = dataset.interactions
    _counts(display, recipe, interactions)
    _ratings(display, interactions)
    _activity(display, interactions)
    try:
        prepared = recipe.read(dataset)
    except DataError as error:
        display.line(f"\nWith the default filters of `recsys-ae fit`: {error}")
        return
    rows = [(step.name, *step.after) for step in prepared.data.steps]
    if rows:
        display.line("\nWith the default filters of `recsys-ae fit`:")
        display.table(("step", ">interactions", ">users", ">items"), rows)
    if prepared.recipe.threshold is not None:
        ratings = dataclasses.replace(recipe, min_rating=NONE).read(dataset).data
        display.line(
            f"Models that learn from ratings have no rating threshold: {ratings.nnz:,} ratings by "
            f"{ratings.shape[0]:,} users on {ratings.shape[1]:,} items."
        )


def _counts(display: Display, recipe: DataRecipe, data: "Interactions") -> None:
    from recsys_ae.data.times import day  # noqa: PLC0415

    n_users, n_items = data.shape
    rows: list[tuple[str, Any]] = [
        ("data", recipe.title),
        ("interactions", data.nnz),
        ("users", n_users),
        ("items", n_items),
        ("density", f"{data.nnz / n_users / n_items:.3%}"),
    ]
    for step in data.steps:
        rows.append((step.name, step.before[0] - step.after[0]))
    if data.timestamps is None:
        rows.append(("timestamps", "none"))
    else:
        times = data.timestamps[data.timestamps > 0]
        if len(times):
            rows.append(("timestamps", f"{day(times.min())} to {day(times.max())}"))
        if len(times) < data.nnz:
            rows.append(("without time", data.nnz - len(times)))
    display.pairs(rows)


def _ratings(display: Display, data: "Interactions") -> None:
    import numpy as np  # noqa: PLC0415

    values = data.matrix.data
    display.line()
    if (values == 1).all():
        display.line("There are no ratings: every interaction counts as 1.")
        return
    distinct, counts = np.unique(values, return_counts=True)
    names = [f"{value:g}" for value in distinct]
    if len(distinct) > DISTINCT:
        counts, edges = np.histogram(values, bins=DISTINCT)
        names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    rows = [(name, int(count), f"{count / data.nnz:.1%}") for name, count in zip(names, counts, strict=True)]
    display.table((">rating", ">interactions", ">share"), rows)


def _activity(display: Display, data: "Interactions") -> None:
    import numpy as np  # noqa: PLC0415

    display.line()
    per_user = np.diff(data.matrix.indptr)
    per_item = np.bincount(data.matrix.indices, minlength=data.shape[1])
    rows = [("per user", *_quantiles(per_user)), ("per item", *_quantiles(per_item))]
    display.table(("interactions", ">minimum", ">25 %", ">median", ">75 %", ">maximum", ">mean"), rows)


def _quantiles(counts: "np.ndarray") -> list[str]:
    import numpy as np  # noqa: PLC0415

    return [*(f"{value:,.0f}" for value in np.percentile(counts, QUANTILES)), f"{counts.mean():,.1f}"]
