"""Report of the tasks that train without labels: dimension reduction, denoising, retrieval, recommendation."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.mosaics import mosaic
from recsys_ae.features.study.report.section_fits import ERROR, RMSE, style
from recsys_ae.features.study.report.section_space import MEASURES
from recsys_ae.features.study.results import Result, Results, mean_of
from recsys_ae.report.charts import Line, chart
from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Column, Picture, Section, Table, table, there

Case = tuple[str, int]


def cases(results: Results, measure: str) -> list[Case]:
    """Return the models and sizes of the code for which a measure was computed."""
    measured = {(result.fit.model, result.fit.latent) for result in results.of() if measure in result.measures}
    return sorted(measured, key=lambda case: (style(case[0]), case[1]))


def summarised(results: Results, cases: list[Case]) -> list[Case]:
    """Return one case per model, with the size of the code that is nearest to that of the summary."""
    nearest = {
        model: min((z for name, z in cases if name == model), key=lambda z: abs(z - results.plan.summary))
        for model, _ in cases
    }
    return list(nearest.items())


def called(case: Case) -> str:
    """Return the name of a case, such as ``deep, z = 40``."""
    return case[0] if case[0] == RAW else f"{case[0]}, z = {case[1]}"


def reduction(results: Results) -> Section:
    """Show errors and neighbourhoods compared with PCA of the same size."""
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
        Column("model"), Column("z", digits=0), Column("RMSE", RMSE, "low"),
        Column("RMSE of PCA", f"{RMSE} of PCA with the same z"),
        Column("difference, %", "difference from PCA in percent; below 0 is a smaller error", "low", 1),
        Column("trustworthiness", MEASURES["trustworthiness"][1], "high", 3),
        Column("continuity", MEASURES["continuity"][1], "high", 3),
    ]  # fmt: skip
    caption = f"{RMSE} compared with PCA of the same size of the code z, and the preserved neighbourhoods."
    return Section("reduction", "Dimension reduction", (), there(table("reduction", caption, columns, rows)))


def denoising(results: Results) -> Section:
    """Show how near the reconstructions of noisy rows are to the rows without noise."""
    measured = cases(results, "damaged")
    levels = results.plan.sizes.noise

    def at(case: Case, key: str, level: float) -> Mean | None:
        return over(results, case, "damaged", lambda n: _row(n["levels"], "level", level, key))

    shown = summarised(results, measured)
    lines = [
        Line.of(called(case), [(x, m) for x in levels if (m := at(case, "psnr", x)) is not None], style(case[0]))
        for case in shown
    ]
    reference = next(iter(measured), None)
    if reference is not None:
        noisy = [(x, m) for x in levels if (m := at(reference, "psnr_noisy", x)) is not None]
        lines.append(Line.of("noisy rows", noisy, 9))
    n_rows = _rows_used(results)
    picture = chart(
        "denoising", lines, x="standard deviation of the noise", y="PSNR, dB",
        caption="Peak signal-to-noise ratio (PSNR, dB) of the reconstructions of noisy rows to the rows without noise, "
        f"by the standard deviation of the noise, on {n_rows}.",
    )  # fmt: skip
    rows = [(case[0], [case[1], *(at(case, "psnr", level) for level in levels)]) for case in measured]
    columns = [
        Column("model"), Column("z", digits=0),
        *(Column(f"noise {level:g}", "PSNR in dB", "high", 2) for level in levels),
    ]  # fmt: skip
    caption = f"PSNR in dB of the reconstructions of noisy rows, by the standard deviation of the noise, on {n_rows}."
    return Section("denoising", "Denoising", (), there(table("denoising", caption, columns, rows)), there(picture))


def _rows_used(results: Results) -> str:
    n = results.plan.sizes.queries
    return f"at most {n:,} test rows" if n else "all test rows"


def retrieval(results: Results) -> Section:
    """Show the measures and examples of retrieval by the codes."""
    measured = cases(results, "found")
    keys = ("precision@10", "map")
    rows = []
    for case in measured:
        values = [over(results, case, "found", itemgetter(key)) for key in keys]
        values.append(over(results, case, "neighbours", itemgetter("accuracy")))
        rows.append((case[0], [case[1], *values]))
    columns = [
        Column("model"), Column("z", digits=0),
        Column("precision@10", "share of the ten nearest rows that have the query's label", "high"),
        Column("mAP", "mean average precision of the ranking of all test rows; rows with the query's label are right",
               "high"),
        Column("5-NN accuracy", "accuracy of the labels of the five nearest training codes", "high"),
    ]  # fmt: skip
    caption = (
        f"Retrieval of test rows with the same label by the distance of their codes; {_rows_used(results)} as queries."
    )
    accuracies = table("retrieval", caption, columns, rows)
    pictures: list[Picture] = []
    examples: list[Table] = []
    for model, z in summarised(results, measured):
        result = results.first("found", model=model, latent=z)
        if model != RAW and result is not None:
            pictures += there(_found(results, (model, z), result))
            examples += there(_alike((model, z), result) if not pictures else None)
    return Section("retrieval", "Retrieval", (), (*there(accuracies), *examples), tuple(pictures))


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
        caption=f"{called(case)}: {len(rows)} test rows as queries (left), each with the ten rows whose codes are "
        f"nearest; {right} of these have the query's label.",
        alt=f"{len(rows)} queries, each with the ten rows that are nearest by the code of {called(case)}; {right} of "
        "these have the query's label.",
    )  # fmt: skip


def _alike(case: Case, result: Result) -> Table | None:
    examples = result.measures["found"].numbers["examples"]
    rows = [(example["query"], [" · ".join(example["found"])]) for example in examples]
    columns = [Column("query"), Column("ten nearest rows, nearest first")]
    caption = f"{called(case)}: {len(examples)} test rows as queries, each with the ten rows whose codes are nearest."
    return table(f"alike_{case[0]}_{case[1]}", caption, columns, rows)


def recommendation() -> Section:
    """Return the section that names the uses of item codes in a recommender."""
    return Section(
        "recommendation",
        "Recommendation",
        (
            "Codes of items can initialise a recommender (recsys-ae fit MODEL --item-features) and rank cold items, "
            "which have no interactions (recsys-ae recommend DIR --cold-items).",
            "Two experiments measure these uses: experiments/warm_start and experiments/cold_items.",
        ),
    )


def over(results: Results, case: Case, measure: str, take: Callable[[Any], Any]) -> Mean | None:
    """Return the mean over seeds of the number that ``take`` returns for a measure's numbers."""
    measured = [result for result in results.of(model=case[0], latent=case[1]) if measure in result.measures]
    return mean_of(take(result.measures[measure].numbers) for result in measured)


def _row(rows: list[dict[str, Any]], key: str, value: float, column: str) -> float | None:
    return next((row.get(column) for row in rows if abs(row[key] - value) < 1e-9), None)
