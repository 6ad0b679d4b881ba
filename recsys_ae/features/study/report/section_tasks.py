"""What codes are used for without labels being told: fewer dimensions, noise, finding, recommendation."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.charts import Line, chart
from recsys_ae.features.study.report.mosaics import mosaic
from recsys_ae.features.study.report.parts import Column, Picture, Section, Table, table, there
from recsys_ae.features.study.report.section_fits import ERROR, style
from recsys_ae.features.study.results import Mean, Result, Results, mean_of

Case = tuple[str, int]


def cases(results: Results, measure: str) -> list[Case]:
    """Return the models and sizes of the code that a measure was made of."""
    has = {(one.fit.model, one.fit.latent) for one in results.of() if measure in one.measures}
    return sorted(has, key=lambda case: (style(case[0]), case[1]))


def summarised(results: Results, wanted: list[Case]) -> list[Case]:
    """Return of each model the case whose size of the code is nearest to that of the summary."""
    nearest = {
        model: min((z for one, z in wanted if one == model), key=lambda z: abs(z - results.plan.summary))
        for model, _ in wanted
    }
    return list(nearest.items())


def called(case: Case) -> str:
    """Name a case."""
    return case[0] if case[0] == RAW else f"{case[0]}, z = {case[1]}"


def reduction(results: Results) -> Section:
    """Fewer dimensions: error and neighbourhoods beside those of PCA."""
    rows = []
    for z in results.latents():
        base = results.mean(ERROR, model="pca", latent=z)
        for model in results.models():
            error = results.mean(ERROR, model=model, latent=z)
            if model in ("pca", RAW) or error is None or base is None:
                continue
            near = [
                results.mean(p, model=model, latent=z) for p in ("structure/trustworthiness", "structure/continuity")
            ]
            rows.append((model, [z, error, base, 100 * (error.mean / base.mean - 1), *near]))
    columns = [
        Column("model"), Column("z", digits=0), Column("RMSE", "on the test rows", "low"),
        Column("RMSE of PCA", "with the same size of the code"),
        Column("difference, %", "below 0: less error than PCA", "low", 1),
        Column("trustworthiness", "", "high", 3), Column("continuity", "", "high", 3),
    ]  # fmt: skip
    made = table("reduction", "Dimension reduction beside PCA of the same size.", columns, rows)
    return Section("reduction", "Dimension reduction", (), there(made))


def denoising(results: Results) -> Section:
    """How much of the noise is taken away."""
    wanted = cases(results, "damaged")
    levels = results.plan.sizes.noise

    def at(case: Case, key: str, level: float) -> Mean | None:
        return over(results, case, "damaged", lambda n: _row(n["levels"], "level", level, key))

    shown = summarised(results, wanted)
    lines = [
        Line.of(called(case), [(x, m) for x in levels if (m := at(case, "psnr", x)) is not None], style(case[0]))
        for case in shown
    ]
    reference = next(iter(wanted), None)
    if reference is not None:
        noisy = [(x, m) for x in levels if (m := at(reference, "psnr_noisy", x)) is not None]
        lines.append(Line.of("the noisy rows", noisy, 9))
    picture = chart(
        "denoising", lines, x="standard deviation of the noise", y="PSNR, dB",
        caption="Peak signal-to-noise ratio of what comes back of noisy rows, to the rows without noise.",
    )  # fmt: skip
    rows = [(case[0], [case[1], *(at(case, "psnr", level) for level in levels)]) for case in wanted]
    columns = [
        Column("model"), Column("z", digits=0),
        *(Column(f"noise {level:g}", "PSNR in dB", "high", 2) for level in levels),
    ]  # fmt: skip
    made = table("denoising", "PSNR in dB by the standard deviation of the noise.", columns, rows)
    return Section("denoising", "Noise taken away", (), there(made), there(picture))


def retrieval(results: Results) -> Section:
    """Show what is found by the codes."""
    wanted = cases(results, "found")
    keys = ("precision@10", "map")
    rows = []
    for case in wanted:
        values = [over(results, case, "found", itemgetter(key)) for key in keys]
        values.append(over(results, case, "neighbours", itemgetter("accuracy")))
        rows.append((case[0], [case[1], *values]))
    columns = [
        Column("model"), Column("z", digits=0),
        Column("precision@10", "share of the ten nearest that have the same label", "high"),
        Column("mAP", "mean average precision of the whole ranking by label", "high"),
        Column("5-NN accuracy", "of the labels of the five nearest training codes", "high"),
    ]  # fmt: skip
    made = table("retrieval", "Test rows found by the distance of their codes.", columns, rows)
    pictures: list[Picture] = []
    told: list[Table] = []
    for model, z in summarised(results, wanted):
        found = results.first("found", model=model, latent=z)
        if model != RAW and found is not None:
            pictures += there(_found(results, (model, z), found))
            told += there(_alike((model, z), found) if not pictures else None)
    return Section("retrieval", "Finding by the code", (), (*there(made), *told), tuple(pictures))


def _found(results: Results, case: Case, result: Result) -> Picture | None:
    arrays = result.measures["found"].arrays
    if "queries" not in arrays:
        return None
    rows = [
        (f"query {n}", [query, *near])
        for n, (query, near) in enumerate(zip(arrays["queries"], arrays["found"], strict=True), 1)
    ]
    right = f"{100 * arrays['right'].mean():.0f} %"
    return mosaic(
        f"found_{case[0]}_{case[1]}", [(title, np.stack(row)) for title, row in rows], results.form,
        caption=f"{called(case)}: a test row on the left, and the ten whose codes are nearest; {right} have its label.",
        alt=f"Queries and the ten nearest rows by the code of {called(case)}, of which {right} are right.",
    )  # fmt: skip


def _alike(case: Case, result: Result) -> Table | None:
    rows = [(one["query"], [" · ".join(one["found"])]) for one in result.measures["found"].numbers["examples"]]
    columns = [Column("row"), Column("the ten nearest, the nearest first")]
    return table(f"alike_{case[0]}_{case[1]}", f"{called(case)}: rows like these.", columns, rows)


def recommendation() -> Section:
    """Where the codes of items start a recommender."""
    return Section(
        "recommendation",
        "Recommendation",
        (
            "Codes of items start a recommender (recsys-ae fit MODEL --item-features), and rank items that nobody has "
            "touched (recsys-ae recommend DIR --cold-items).",
            "Both are measured by experiments of their own: experiments/warm_start and experiments/cold_items.",
        ),
    )


def over(results: Results, case: Case, measure: str, take: Callable[[Any], Any]) -> Mean | None:
    """Return the mean over seeds of what is taken of a measure's numbers."""
    has = [one for one in results.of(model=case[0], latent=case[1]) if measure in one.measures]
    return mean_of(take(one.measures[measure].numbers) for one in has)


def _row(rows: list[dict[str, Any]], key: str, value: float, wanted: str) -> float | None:
    return next((row.get(wanted) for row in rows if abs(row[key] - value) < 1e-9), None)
