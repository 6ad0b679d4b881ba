"""Steps 6 and 7 of a study: out-of-distribution rows and generated rows."""

import numpy as np

from recsys_ae.features.study.report.mosaics import mosaic
from recsys_ae.features.study.report.section_fits import ERROR, PERTURBATION, Z, style
from recsys_ae.features.study.results import Result, Results, mean_of
from recsys_ae.report.charts import Line, chart
from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Column, Picture, Section, Table, table, there


def unlike(results: Results) -> Section:
    """Show the error on other data sets by the size of the code."""
    measured = {result.fit.model for result in results.of() if "unlike" in result.measures}
    names = results.unlike()
    models = [model for model in results.models() if model in measured]
    pictures: list[Picture] = []
    tables: list[Table] = []
    for name in names:
        lines = [Line.of(model, results.curve(f"unlike/{name}/rmse", model), style(model)) for model in models]
        pictures += there(chart(
            f"unlike_{name}", lines, x=Z, y=f"RMSE on {name}", log=True,
            caption=f"RMSE on {name}, which no model was trained on, by the {Z} (logarithmic axis).",
        ))  # fmt: skip
        rows = []
        for model in models:
            for z in results.latents(model=model):
                odd_rmse, rmse = (results.mean(p, model=model, latent=z) for p in (f"unlike/{name}/rmse", ERROR))
                if odd_rmse is not None:
                    ratio = None if rmse is None else odd_rmse.mean / rmse.mean
                    rows.append((model, [z, rmse, odd_rmse, ratio]))
        columns = [
            Column("model"), Column("z", digits=0), Column("RMSE, test rows", "", "low"),
            Column(f"RMSE, {name}", "", "low"),
            Column("ratio", f"RMSE on {name} divided by RMSE on the test rows", "low", 2),
        ]  # fmt: skip
        caption = f"RMSE on the test rows and on {name}, which no model was trained on."
        tables += there(table(f"unlike_{name}", caption, columns, rows))
        for model in models:
            pictures += there(_given_back(results, model, name))
    return Section("unlike", "Out-of-distribution rows", (), tuple(tables), tuple(pictures))


def _given_back(results: Results, model: str, name: str) -> Picture | None:
    latents = results.plan.sizes.picture_latents
    shown = [(z, result) for z in latents if (result := results.first("unlike", model=model, latent=z)) is not None]
    if not shown or name not in shown[0][1].measures["unlike"].arrays:
        return None
    originals = shown[0][1].measures["unlike"].arrays[name]
    rows = [("original", originals)]
    rows += [(f"z = {z}", result.measures["unlike"].arrays[f"{name}_back"]) for z, result in shown]
    return mosaic(
        f"unlike_{name}_{model}", rows, results.form,
        caption=f"{model}: {len(originals)} rows of {name} and their reconstructions by the {Z}.",
        alt=f"{len(originals)} rows of {name}, and their reconstructions by {model} with {len(shown)} sizes of the "
        "code.",
    )  # fmt: skip


def generation(results: Results) -> Section:
    """Show rows that are decoded from perturbed codes, from interpolated codes and from codes of the prior."""
    fits = [result.fit for result in results.of("generation") if "made" in result.measures]
    if not fits:
        return Section("generation", "Generated rows")
    cases = sorted({(fit.model, fit.latent) for fit in fits}, key=lambda case: (style(case[0]), case[1]))
    pictures = list(_charts(results, cases))
    for model, z in cases:
        result = results.first("made", model=model, latent=z)
        if result is not None and "perturbed" in result.measures["made"].arrays:
            pictures += _shown(results, model, z, result)
    return Section("generation", "Generated rows", (), there(_quality(results, cases)), tuple(pictures))


QUALITY = {
    "precision": "share of generated rows that lie among real rows",
    "recall": "share of real rows that lie among generated rows",
    "confidence": "mean confidence of a classifier that was trained on real rows",
}


def _charts(results: Results, cases: list[tuple[str, int]]) -> tuple[Picture, ...]:
    shares = results.plan.sizes.shares
    pictures: list[Picture] = []
    lines = [_line(results, model, z, "rmse", shares, index) for index, (model, z) in enumerate(cases)]
    caption = "RMSE between test rows and the rows decoded from their perturbed codes, by the perturbation."
    y = "RMSE to the original rows"
    pictures += there(chart("perturbation_rmse", lines, x=PERTURBATION, y=y, caption=caption))
    for key, help in QUALITY.items():
        lines = [_line(results, model, z, key, shares, index) for index, (model, z) in enumerate(cases)]
        caption = f"{key[:1].upper()}{key[1:]} of rows decoded from perturbed codes, by the perturbation: {help}."
        pictures += there(chart(f"perturbation_{key}", lines, x=PERTURBATION, y=key, caption=caption))
    return tuple(pictures)


def _line(results: Results, model: str, z: int, key: str, shares: tuple[float, ...], index: int) -> Line:
    points = [(100 * share, _at(results, model, z, key, share)) for share in shares]
    return Line.of(f"{model}, z = {z}", [(x, mean) for x, mean in points if mean is not None], index)


def _at(results: Results, model: str, z: int, key: str, share: float) -> Mean | None:
    """Return the mean over the seeds of a measure at a perturbation."""

    def number(result: Result) -> float | None:
        if "made" not in result.measures:
            return None
        numbers = result.measures["made"].numbers
        if key != "rmse":
            value: float | None = numbers["quality"].get(f"{share:g}", {}).get(key)
            return value
        return next((row["rmse"] for row in numbers["shares"] if abs(row["share"] - share) < 1e-9), None)

    return mean_of(number(result) for result in results.of("generation", model=model, latent=z))


def _quality(results: Results, cases: list[tuple[str, int]]) -> Table | None:
    rows = []
    for model, z in cases:
        for share in results.plan.sizes.shares:
            values = [_at(results, model, z, key, share) for key in ("rmse", *QUALITY)]
            rows.append((model, [z, f"codes perturbed by {100 * share:g} %", *values]))
        samples = [results.mean(f"made/samples/{key}", model=model, latent=z, step="generation") for key in QUALITY]
        if any(value is not None for value in samples):
            rows.append((model, [z, "codes drawn from the prior", None, *samples]))
    columns = [
        Column("model"), Column("z", digits=0), Column("decoded from"), Column("RMSE", "to the original rows", "", 3),
        *(Column(key, help, "high", 3) for key, help in QUALITY.items()),
    ]  # fmt: skip
    n = results.plan.sizes.made
    caption = f"Quality of generated rows: at most {n:,} generated rows are compared with at most {n:,} real rows."
    return table("made", caption, columns, rows)


def _shown(results: Results, model: str, z: int, result: Result) -> list[Picture]:
    arrays, shares = result.measures["made"].arrays, results.plan.sizes.shares
    rows = [(f"{100 * share:g} %", row) for share, row in zip(shares, arrays["perturbed"], strict=True)]
    title = f"{model}, z = {z}"
    pictures = there(
        mosaic(
            f"perturbed_{model}_{z}", rows, results.form,
            caption=f"{title}: test rows decoded from codes with growing perturbations, % of each dimension's range.",
            alt=f"Test rows that {model} with z = {z} decodes from their codes with growing perturbations.",
        ),
        mosaic(
            f"between_{model}_{z}", [(f"pair {n}", row) for n, row in enumerate(arrays["between"], 1)], results.form,
            caption=f"{title}: interpolation between two test rows, in equal steps of the code.",
            alt=f"Rows that {model} with z = {z} decodes from codes between those of two test rows.",
        ),
    )  # fmt: skip
    if "samples" in arrays:
        samples = arrays["samples"]
        lines = [("samples" if n == 0 else "", line) for n, line in enumerate(np.array_split(samples, 4))]
        pictures += there(mosaic(
            f"samples_{model}_{z}", lines, results.form,
            caption=f"{title}: {len(samples)} rows decoded from codes drawn from the prior.",
            alt=f"{len(samples)} rows that {model} with z = {z} decodes from codes drawn from the prior.",
        ))  # fmt: skip
    return list(pictures)
