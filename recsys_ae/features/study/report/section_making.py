"""Steps 6 and 7: rows unlike those of the training, and rows that are made."""

import numpy as np

from recsys_ae.features.study.report.charts import Line, chart
from recsys_ae.features.study.report.mosaics import mosaic
from recsys_ae.features.study.report.parts import Column, Picture, Section, Table, table, there
from recsys_ae.features.study.report.section_fits import ERROR, Z, style
from recsys_ae.features.study.results import Mean, Result, Results, mean_of


def unlike(results: Results) -> Section:
    """Show the error on rows from elsewhere, by the size of the code."""
    kept = [one for one in results.of() if "unlike" in one.measures]
    names = results.unlike()
    models = [model for model in results.models() if any(one.fit.model == model for one in kept)]
    pictures: list[Picture] = []
    tables: list[Table] = []
    for name in names:
        lines = [Line.of(model, results.curve(f"unlike/{name}/rmse", model), style(model)) for model in models]
        pictures += there(chart(
            f"unlike_{name}", lines, x=Z, y=f"RMSE on {name}", log=True,
            caption=f"RMSE on {name}, of which no model has seen a row, by the size of the code.",
        ))  # fmt: skip
        rows = []
        for model in models:
            for z in results.latents(model=model):
                there_, here = (results.mean(p, model=model, latent=z) for p in (f"unlike/{name}/rmse", ERROR))
                if there_ is not None:
                    ratio = None if here is None else there_.mean / here.mean
                    rows.append((model, [z, here, there_, ratio]))
        columns = [
            Column("model"), Column("z", digits=0), Column("RMSE, test rows", "", "low"),
            Column(f"RMSE, {name}", "", "low"), Column("ratio", "how many times as large the error is", "low", 2),
        ]  # fmt: skip
        tables += there(table(f"unlike_{name}", f"The error on the test rows and on {name}.", columns, rows))
        for model in models:
            pictures += there(_given_back(results, model, name))
    return Section("unlike", "Rows unlike those of the training", (), tuple(tables), tuple(pictures))


def _given_back(results: Results, model: str, name: str) -> Picture | None:
    wanted = results.plan.sizes.picture_latents
    shown = [(z, found) for z in wanted if (found := results.first("unlike", model=model, latent=z)) is not None]
    if not shown or name not in shown[0][1].measures["unlike"].arrays:
        return None
    rows = [("original", shown[0][1].measures["unlike"].arrays[name])]
    rows += [(f"z = {z}", one.measures["unlike"].arrays[f"{name}_back"]) for z, one in shown]
    return mosaic(
        f"unlike_{name}_{model}", rows, results.form, caption=f"{model}: what comes back of rows of {name}.",
        alt=f"Ten rows of {name} and what {model} makes of them with {len(shown)} sizes of the code.",
    )  # fmt: skip


def generation(results: Results) -> Section:
    """Show rows from perturbed codes, samples, and rows between rows."""
    kept = [one for one in results.of("generation") if "made" in one.measures]
    if not kept:
        return Section("generation", "Rows that are made")
    cases = sorted({(one.fit.model, one.fit.latent) for one in kept}, key=lambda c: (style(c[0]), c[1]))
    pictures = list(_charts(results, cases))
    for model, z in cases:
        found = results.first("made", model=model, latent=z)
        if found is not None and "perturbed" in found.measures["made"].arrays:
            pictures += _shown(results, model, z, found)
    return Section("generation", "Rows that are made", (), there(_quality(results, cases)), tuple(pictures))


QUALITY = {
    "precision": "share of made rows that lie among real ones",
    "recall": "share of real rows that lie among made ones",
    "confidence": "mean confidence of a classifier of real rows",
}


def _charts(results: Results, cases: list[tuple[str, int]]) -> tuple[Picture, ...]:
    shares = results.plan.sizes.shares
    x = "perturbation, % of each number's range"
    drawn: list[Picture] = []
    lines = [_line(results, model, z, "rmse", shares, place) for place, (model, z) in enumerate(cases)]
    caption = "How far rows from perturbed codes are from the rows themselves."
    drawn += there(chart("perturbation_rmse", lines, x=x, y="RMSE to the original rows", caption=caption))
    for key, help in QUALITY.items():
        lines = [_line(results, model, z, key, shares, place) for place, (model, z) in enumerate(cases)]
        caption = f"{key[:1].upper()}{key[1:]} of rows from perturbed codes: {help}."
        drawn += there(chart(f"perturbation_{key}", lines, x=x, y=key, caption=caption))
    return tuple(drawn)


def _line(results: Results, model: str, z: int, key: str, shares: tuple[float, ...], place: int) -> Line:
    points = [(100 * share, _at(results, model, z, key, share)) for share in shares]
    return Line.of(f"{model}, z = {z}", [(x, mean) for x, mean in points if mean is not None], place)


def _at(results: Results, model: str, z: int, key: str, share: float) -> Mean | None:
    """Return what was measured at a perturbation, over the seeds."""

    def one(result: Result) -> float | None:
        if "made" not in result.measures:
            return None
        numbers = result.measures["made"].numbers
        if key != "rmse":
            value: float | None = numbers["quality"].get(f"{share:g}", {}).get(key)
            return value
        return next((row["rmse"] for row in numbers["shares"] if abs(row["share"] - share) < 1e-9), None)

    return mean_of(one(result) for result in results.of("generation", model=model, latent=z))


def _quality(results: Results, cases: list[tuple[str, int]]) -> Table | None:
    rows = []
    for model, z in cases:
        for share in results.plan.sizes.shares:
            values = [_at(results, model, z, key, share) for key in ("rmse", *QUALITY)]
            rows.append((model, [z, f"codes perturbed by {100 * share:g} %", *values]))
        drawn = [results.mean(f"made/samples/{key}", model=model, latent=z, step="generation") for key in QUALITY]
        if any(value is not None for value in drawn):
            rows.append((model, [z, "drawn from the prior", None, *drawn]))
    columns = [
        Column("model"), Column("z", digits=0), Column("made from"), Column("RMSE", "to the original rows", "", 3),
        *(Column(key, help, "high", 3) for key, help in QUALITY.items()),
    ]  # fmt: skip
    return table("made", "How good rows are that were made.", columns, rows)


def _shown(results: Results, model: str, z: int, result: Result) -> list[Picture]:
    arrays, shares = result.measures["made"].arrays, results.plan.sizes.shares
    rows = [(f"{100 * share:g} %", row) for share, row in zip(shares, arrays["perturbed"], strict=True)]
    title = f"{model}, z = {z}"
    found = there(
        mosaic(
            f"perturbed_{model}_{z}", rows, results.form,
            caption=f"{title}: rows from codes perturbed by a share of their range.",
            alt=f"Ten rows decoded by {model} from codes with more and more noise, 0 to 100 % of their range.",
        ),
        mosaic(
            f"between_{model}_{z}", [(f"pair {n}", row) for n, row in enumerate(arrays["between"], 1)], results.form,
            caption=f"{title}: from one test row to another by equal steps of the code.",
            alt=f"Rows that {model} decodes from codes between those of two test rows.",
        ),
    )  # fmt: skip
    if "samples" in arrays:
        lines = [("samples" if n == 0 else "", part) for n, part in enumerate(np.array_split(arrays["samples"], 4))]
        found += there(mosaic(
            f"samples_{model}_{z}", lines, results.form, caption=f"{title}: rows drawn from the prior.",
            alt=f"{len(arrays['samples'])} rows that {model} has drawn.",
        ))  # fmt: skip
    return list(found)
