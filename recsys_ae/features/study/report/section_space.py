"""Step 5: the structure of the code, in numbers and on a map."""

import numpy as np

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.charts import COLOURS, MARKERS, Line, chart, drawing
from recsys_ae.features.study.report.mosaics import drawable, sides, sprite
from recsys_ae.features.study.report.parts import Better, Column, Map, Picture, Section, Table, table, there
from recsys_ae.features.study.report.section_fits import Z, style
from recsys_ae.features.study.results import Result, Results

MEASURES: dict[str, tuple[str, str, Better]] = {
    "trustworthiness": ("trustworthiness", "whether neighbours in the code are neighbours in the rows, 0 to 1", "high"),
    "continuity": ("continuity", "whether neighbours in the rows are neighbours in the code, 0 to 1", "high"),
    "neighbourhood_hit": ("neighbourhood hit", "share of the nearest codes that have the same label", "high"),
    "shepard": ("Shepard goodness", "(ρ + 1) / 2 of the ranks of distances in rows and code", "high"),
    "spearman": ("Spearman's ρ", "of the distances in rows and code", "high"),
    "normalised_stress": ("normalised stress", "Σ(d − d′)² / Σd², which depends on the scale of the code", "low"),
    "scale_normalised_stress": (
        "scale-normalised stress",
        "the same with the scale of the code that makes it least",
        "low",
    ),
}
MOST_GROUPS = 10


def structure(results: Results) -> Section:
    """Show the measures of structure by the size of the code, the vote of neighbours, and maps."""
    names = [model for model in results.models() if model != RAW]
    pictures: list[Picture] = []
    for key, (title, help, _) in MEASURES.items():
        curves = {model: results.curve(f"structure/{key}", model) for model in names}
        lines = [Line.of(model, curve, style(model)) for model, curve in curves.items()]
        k = f", k = {results.plan.sizes.k}" if key in ("trustworthiness", "continuity", "neighbourhood_hit") else ""
        caption = f"{title[:1].upper()}{title[1:]} by the size of the code{k}: {help}."
        pictures += there(
            chart(f"structure_{key}", lines, x=Z, y=title, log=True, log_y="stress" in key, caption=caption)
        )
    pictures += there(_vote(results, names))
    maps, drawn = [], []
    for model in names:
        for z in results.plan.sizes.map_latents:
            found = results.first("map", model=model, latent=z)
            if found is not None:
                maps.append(_map(results, model, z, found))
                drawn.append(_drawn(maps[-1]))
    section = Section("structure", "Latent space", (), there(_table(results, names)), (*pictures, *drawn), tuple(maps))
    return section if section.tables or maps else Section("structure", "Latent space")


def _vote(results: Results, names: list[str]) -> Picture | None:
    curves = {model: results.curve("neighbours/accuracy", model) for model in names}
    lines = [Line.of(model, curve, style(model)) for model, curve in curves.items()]
    raw = results.mean("neighbours/accuracy", model=RAW)
    flat = {} if raw is None else {"the features themselves": raw.mean}
    return chart(
        "neighbours", lines, x=Z, y="accuracy of 5 neighbours", log=True, flat=flat,
        caption="How often the labels of the five nearest training codes are right about a test row.",
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
        Column("5-NN accuracy", "of the labels of the five nearest training codes", "high"),
    ]
    n = results.plan.sizes.structure
    caption = f"The structure of the code by model and size, of {n:,} test rows if there are as many."
    return table("structure", caption, columns, rows)


def _map(results: Results, model: str, z: int, result: Result) -> Map:
    kept = result.measures["map"]
    places = kept.arrays["places"].astype(float)
    low, high = places.min(axis=0), places.max(axis=0)
    places = (places - low) / np.where(high > low, high - low, 1)
    labels = kept.arrays.get("labels")
    names = list(kept.numbers["ids"])
    groups, shown, centres = _groups(labels, places)
    told = f"{model}, z = {z}: {len(places):,} test rows laid out by UMAP, which did not see the labels"
    pictures, across, side = "", 1, (0, 0)
    if "pictures" in kept.arrays and drawable(results.form):
        pictures, across = sprite(kept.arrays["pictures"], results.form)
        side = sides(results.form)
    alt = f"Map of the codes of {model} with z = {z}. Arrow keys go from point to point."
    rounded = [(round(float(x), 4), round(float(y), 4)) for x, y in places]
    return Map(f"map_{model}_{z}", f"{told}.", alt, rounded, names, groups, shown, centres, pictures, side, across)


def _groups(labels: np.ndarray | None, places: np.ndarray) -> tuple[list[int], list[str], list[tuple[float, float]]]:
    """Return each row's group, the groups' names and their middles; all but the most frequent labels are one group."""
    if labels is None:
        return [0] * len(places), [""], []
    names, counts = np.unique(labels, return_counts=True)
    often = names[np.lexsort((names, -counts))][: MOST_GROUPS if len(names) <= MOST_GROUPS else MOST_GROUPS - 1]
    often = np.sort(often)
    shown = [str(name) or "none" for name in often] + (["others"] if len(names) > len(often) else [])
    group = np.array([int(np.flatnonzero(often == one)[0]) if one in often else len(often) for one in labels])
    middles = [
        (round(float(x), 4), round(float(y), 4))
        for x, y in (np.median(places[group == place], axis=0) for place in range(len(shown)))
    ]
    return group.tolist(), shown, middles


def _drawn(made: Map) -> Picture:
    """Return the same map as a file that stands still."""
    with drawing(4.6, 4.6) as (figure, save):
        axes = figure.subplots()
        places, groups = np.array(made.places), np.array(made.groups)
        for place, label in enumerate(made.labels):
            own = places[groups == place]
            axes.scatter(
                own[:, 0], own[:, 1], s=6, color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)],
                linewidths=0, label=label,
            )  # fmt: skip
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("first axis of the map, no unit")
        axes.set_ylabel("second axis of the map, no unit")
        if len(made.labels) > 1:
            figure.legend(loc="outside lower center", ncols=5, markerscale=2)
        svg, png = save()
    return Picture(made.name, made.caption, made.alt, svg, png)
