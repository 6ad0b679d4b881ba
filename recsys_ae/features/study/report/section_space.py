"""Step 5 of a study: measures of the structure of the code, and maps of it."""

import numpy as np

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.mosaics import drawable, sides, sprite
from recsys_ae.features.study.report.section_fits import Z, style
from recsys_ae.features.study.results import Result, Results
from recsys_ae.report.charts import COLOURS, MARKERS, Line, chart, drawing
from recsys_ae.report.parts import Better, Column, Map, Picture, Section, Table, table, there

MEASURES: dict[str, tuple[str, str, Better]] = {
    "trustworthiness": (
        "trustworthiness",
        "agreement of neighbours in the code with those in the rows, 0 to 1",
        "high",
    ),
    "continuity": ("continuity", "agreement of neighbours in the rows with those in the code, 0 to 1", "high"),
    "neighbourhood_hit": ("neighbourhood hit", "share of the nearest codes that have the same label", "high"),
    "shepard": ("Shepard goodness", "(ρ + 1) / 2 with Spearman's ρ", "high"),
    "spearman": ("Spearman's ρ", "rank correlation of distances between rows and between codes", "high"),
    "normalised_stress": (
        "normalised stress",
        "Σ(d − d′)² / Σd² with distances d between rows and d′ between codes; it depends on the scale of the code",
        "low",
    ),
    "scale_normalised_stress": (
        "scale-normalised stress",
        "normalised stress with the scale of the code that minimises it",
        "low",
    ),
}
MOST_GROUPS = 10
"""Groups of labels on a map; rarer labels are one group."""


def structure(results: Results) -> Section:
    """Show the measures of structure by the size of the code, the vote of neighbours, and maps."""
    names = [model for model in results.models() if model != RAW]
    pictures: list[Picture] = []
    for key, (title, help, _) in MEASURES.items():
        curves = {model: results.curve(f"structure/{key}", model) for model in names}
        lines = [Line.of(model, curve, style(model)) for model, curve in curves.items()]
        k = f", k = {results.plan.sizes.k}" if key in ("trustworthiness", "continuity", "neighbourhood_hit") else ""
        caption = f"{title[:1].upper()}{title[1:]} by the {Z} (logarithmic axis){k}: {help}."
        pictures += there(
            chart(f"structure_{key}", lines, x=Z, y=title, log=True, log_y="stress" in key, caption=caption)
        )
    pictures += there(_vote(results, names))
    maps, drawn = [], []
    for model in names:
        for z in results.plan.sizes.map_latents:
            result = results.first("map", model=model, latent=z)
            if result is not None:
                maps.append(_map(results, model, z, result))
                drawn.append(_drawn(maps[-1]))
    section = Section("structure", "Latent space", (), there(_table(results, names)), (*pictures, *drawn), tuple(maps))
    return section if section.tables or maps else Section("structure", "Latent space")


def _vote(results: Results, names: list[str]) -> Picture | None:
    curves = {model: results.curve("neighbours/accuracy", model) for model in names}
    lines = [Line.of(model, curve, style(model)) for model, curve in curves.items()]
    raw = results.mean("neighbours/accuracy", model=RAW)
    flat = {} if raw is None else {"the features themselves": raw.mean}
    return chart(
        "neighbours", lines, x=Z, y="5-NN accuracy", log=True, flat=flat,
        caption=f"5-NN accuracy by the {Z} (logarithmic axis): share of the test rows whose label the five nearest "
        "training codes predict.",
    )  # fmt: skip


def _table(results: Results, names: list[str]) -> Table | None:
    rows = []
    for model in names:
        for z in results.latents(model=model):
            values = [results.mean(f"structure/{key}", model=model, latent=z) for key in MEASURES]
            values.append(results.mean("neighbours/accuracy", model=model, latent=z))
            rows.append((model, [z, *values]))
    rows = [row for row in rows if any(value is not None for value in row[1][1:])]
    rows.append((RAW, [None, *[None] * len(MEASURES), results.mean("neighbours/accuracy", model=RAW)]))
    columns = [
        Column("model"),
        Column("z", digits=0),
        *(Column(title, help, better, 3) for title, help, better in MEASURES.values()),
        Column("5-NN accuracy", "accuracy of the labels of the five nearest training codes", "high"),
    ]
    n = results.plan.sizes.structure
    caption = f"Structure of the code on at most {n:,} test rows; 5-NN accuracy on all test rows with labels."
    return table("structure", caption, columns, rows)


def _map(results: Results, model: str, z: int, result: Result) -> Map:
    measured = result.measures["map"]
    points = measured.arrays["places"].astype(float)
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - low) / np.where(high > low, high - low, 1)
    labels = measured.arrays.get("labels")
    names = list(measured.numbers["ids"])
    groups, group_names, centres = _groups(labels, points)
    caption = f"{model}, z = {z}: map of the codes of {len(points):,} test rows by UMAP, which did not see the labels."
    pictures, across, side = "", 1, (0, 0)
    if "pictures" in measured.arrays and drawable(results.form):
        pictures, across = sprite(measured.arrays["pictures"], results.form)
        side = sides(results.form)
    alt = f"Map of the codes of {model} with z = {z}. Arrow keys go from point to point."
    rounded = [(round(float(x), 4), round(float(y), 4)) for x, y in points]
    return Map(f"map_{model}_{z}", caption, alt, rounded, names, groups, group_names, centres, pictures, side, across)


def _groups(labels: np.ndarray | None, points: np.ndarray) -> tuple[list[int], list[str], list[tuple[float, float]]]:
    """Return the group of each row, and the names and centres of the groups.

    A group is a label; all but the most frequent labels are one group.
    """
    if labels is None:
        return [0] * len(points), [""], []
    names, counts = np.unique(labels, return_counts=True)
    frequent = names[np.lexsort((names, -counts))][: MOST_GROUPS if len(names) <= MOST_GROUPS else MOST_GROUPS - 1]
    frequent = np.sort(frequent)
    group_names = [str(name) or "no label" for name in frequent]
    group_names += ["other labels"] if len(names) > len(frequent) else []
    groups = np.array(
        [int(np.flatnonzero(frequent == label)[0]) if label in frequent else len(frequent) for label in labels]
    )
    centres = [
        (round(float(x), 4), round(float(y), 4))
        for x, y in (np.median(points[groups == group], axis=0) for group in range(len(group_names)))
    ]
    return groups.tolist(), group_names, centres


def _drawn(chart: Map) -> Picture:
    """Return a map as a static figure."""
    with drawing(4.6, 4.6) as (figure, save):
        axes = figure.subplots()
        points, groups = np.array(chart.places), np.array(chart.groups)
        for group, label in enumerate(chart.labels):
            members = points[groups == group]
            axes.scatter(
                members[:, 0], members[:, 1], s=6, color=COLOURS[group % len(COLOURS)],
                marker=MARKERS[group % len(MARKERS)], linewidths=0, label=label,
            )  # fmt: skip
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("UMAP axis 1, no unit")
        axes.set_ylabel("UMAP axis 2, no unit")
        if len(chart.labels) > 1:
            figure.legend(loc="outside lower center", ncols=5, markerscale=2)
        svg, png = save()
    return Picture(chart.name, chart.caption, chart.alt, svg, png)
