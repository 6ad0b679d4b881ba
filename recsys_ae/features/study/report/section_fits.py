"""Steps 1 to 4 of a study: the models, their depth, the size of the code, and reconstructions."""

from collections.abc import Mapping, Sequence

from recsys_ae.features import models as autoencoders
from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.mosaics import mosaic
from recsys_ae.features.study.results import Result, Results, by
from recsys_ae.report.charts import Line, chart
from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Column, Picture, Section, Table, number, table, there
from recsys_ae.spec.hyper import build
from recsys_ae.spec.text import write

RMSE = "RMSE on the test rows"
Z = "size of the code z"
PERTURBATION = "perturbation, % of each dimension's range"
ERROR = "error/test_rmse"


def style(model: str) -> int:
    """Return a model's colour and marker, the same in all charts."""
    return (*autoencoders.names(), RAW).index(model)


def models(results: Results) -> Section:
    """Show the compared models with their settings and training times."""
    rows = []
    for model in results.models():
        if model == RAW:
            continue
        fits = list(results.of(model=model))
        example = min(fits, key=lambda result: abs(result.fit.latent - results.plan.summary))
        numbers = example.measures["fit"].numbers
        cls = autoencoders.spec_class(model)
        settings = write(build(cls, {**numbers["spec"], "latent": cls.latent}))
        per_epoch = numbers["cpu_seconds"] / max(numbers["epochs"], 1)
        summary = autoencoders.summary(model).splitlines()[0].partition(":")[2].strip().rstrip(".")
        rows.append((model, [summary, len(fits), numbers["latent"], numbers["parameters"], per_epoch, settings]))
    columns = [
        Column("model"),
        Column("description"),
        Column("fits", "number of fits with the model's own depth, over all sizes of the code and seeds"),
        Column("z", "size of the code of the fit that the columns to the right describe"),
        Column("parameters", "number of learnt parameters"),
        Column(
            "CPU seconds per epoch",
            "CPU seconds of one pass over the training rows; of the whole fit for a closed form",
            "low",
            2,
        ),
        Column("settings", "hyper-parameters that differ from their defaults, except z"),
    ]
    caption = "Compared models. From column z on, a row describes one fit of the model as an example."
    return Section("models", "Models", (), there(table("models", caption, columns, rows)))


def architecture(results: Results) -> Section:
    """Show the error by depth and size of the code."""
    deep = [result for result in results.of("architecture") if result.fit.layers is not None]
    if not deep:
        return Section("architecture", "Depth")
    errors = by(deep, lambda result: (result.fit.layers, result.fit.latent), ERROR)
    depths, latents = sorted({depth for depth, _ in errors}), sorted({latent for _, latent in errors})
    linear = {latent: results.mean(ERROR, model="pca", latent=latent, step="architecture") for latent in latents}
    names = {depth: f"{depth} hidden layer{'' if depth == 1 else 's'}" for depth in depths}
    rows = [(names[depth], [errors.get((depth, latent)) for latent in latents]) for depth in depths] + [
        ("pca", [linear[latent] for latent in latents])
    ]
    columns = [Column("encoder"), *(Column(f"z = {latent}", RMSE, "low") for latent in latents)]
    caption = f"{RMSE} by the number of hidden layers of the encoder and the size of the code z, compared with PCA."
    depth_table = table("depth", caption, columns, rows)
    lines = [
        Line.of(names[depth], [(z, errors[depth, z]) for z in latents if (depth, z) in errors], index)
        for index, depth in enumerate(depths)
    ]
    lines.append(Line.of("pca", [(z, mean) for z, mean in linear.items() if mean is not None], 9))
    caption = f"{RMSE} by the {Z} (logarithmic axis), a line for each number of hidden layers, compared with PCA."
    picture = chart("depth", lines, x=Z, y=RMSE, log=True, caption=caption)
    best = {z: min((d for d in depths if (d, z) in errors), key=lambda d, z=z: errors[d, z].mean) for z in latents}  # type: ignore[misc]
    depths_by_z = ", ".join(f"{best[z]} at z = {z}" for z in latents)
    sentence = f"The number of hidden layers with the smallest RMSE is {depths_by_z}."
    return Section("architecture", "Depth", (sentence,), there(depth_table), there(picture))


def latent(results: Results) -> Section:
    """Show the error by the size of the code."""
    step = "latent"
    names = [model for model in results.models(step) if model != RAW]
    curves = {model: results.curve(ERROR, model, step) for model in names}
    lines = [Line.of(model, curve, style(model)) for model, curve in curves.items()]
    picture = chart(
        "latent",
        lines,
        x=Z,
        y=RMSE,
        log=True,
        caption=f"{RMSE} by the {Z} (logarithmic axis), a line for each model.",
    )
    means = {model: dict(curve) for model, curve in curves.items()}
    rows = [(str(z), [means[model].get(z) for model in names]) for z in results.latents(step)]
    columns = [Column("z"), *(Column(model, RMSE) for model in names)]
    errors = table("latent", f"{RMSE} by the {Z} and the model.", columns, rows)
    return Section("latent", "Size of the code", _knees(means), there(errors), there(picture))


def _knees(means: dict[str, dict[int, Mean]]) -> tuple[str, ...]:
    sentences = []
    for model, curve in means.items():
        if len(curve) > 2:
            z = knee(curve)
            rmse = number(curve[z].mean)
            sentences.append(f"{model} reaches nine tenths of its improvement at z = {z}, with an RMSE of {rmse}.")
    return tuple(sentences)


def knee(curve: Mapping[int, Mean]) -> int:
    """Return the smallest size of the code whose error is above the least by a tenth of the curve's range at most."""
    least, most = (end(mean.mean for mean in curve.values()) for end in (min, max))
    return next(z for z in sorted(curve) if curve[z].mean <= least + 0.1 * (most - least))


def reconstruction(results: Results) -> Section:
    """Show test rows next to their reconstructions, and the rows with the smallest and the largest errors."""
    step = "reconstruction"
    pictures: list[Picture] = []
    tables: list[Table] = []
    for model in results.models(step):
        shown = _by_latent(results, model)
        if not shown:
            continue
        arrays = shown[0][1].measures["examples"].arrays
        if "examples" in arrays:
            originals = arrays["examples"]
            rows = [("original", originals)]
            rows += [(f"z = {z}", result.measures["examples"].arrays["examples_back"]) for z, result in shown]
            errors = ", ".join(f"{number(result.number(ERROR) or 0)} with z = {z}" for z, result in shown)
            reconstructions = mosaic(
                f"reconstructions_{model}", rows, results.form,
                caption=f"{model}: {len(originals)} test rows and their reconstructions by the {Z}. {RMSE}: {errors}.",
                alt=f"{len(originals)} test rows and their reconstructions by {model} with {len(shown)} sizes of the "
                f"code. {RMSE}: {errors}.",
            )  # fmt: skip
            pictures += there(reconstructions)
        pictures += there(_extremes(results, model, *shown[-1]))
        if "hardest" not in shown[-1][1].measures["examples"].arrays:
            tables += there(_hardest(model, *shown[-1]))
    return Section("reconstruction", "Reconstruction", (), tuple(tables), tuple(pictures), paired=True)


def _by_latent(results: Results, model: str) -> list[tuple[int, Result]]:
    by_latent = ((z, results.first("examples", model=model, latent=z)) for z in results.latents(model=model))
    return [(z, result) for z, result in by_latent if result is not None]


def _extremes(results: Results, model: str, z: int, result: Result) -> Picture | None:
    examples = result.measures["examples"]
    if "hardest" not in examples.arrays:
        return None
    numbers = examples.numbers
    rows = [
        (title or name, examples.arrays[f"{name}{key}"])
        for name in ("hardest", "easiest")
        for title, key in (("", ""), ("decoded", "_back"))
    ]
    hardest, easiest = _few(numbers["hardest"]["errors"]), _few(numbers["easiest"]["errors"])
    return mosaic(
        f"extremes_{model}", rows, results.form,
        caption=f"{model}, z = {z}: the test rows with the largest errors (hardest, RMSE {hardest}) and the smallest "
        f"errors (easiest, RMSE {easiest}), each above its reconstruction.",
        alt=f"The test rows that {model} with z = {z} reconstructs worst, with RMSE {hardest}, and best, with RMSE "
        f"{easiest}.",
    )  # fmt: skip


def _few(errors: Sequence[float]) -> str:
    return f"{min(errors):.3f} to {max(errors):.3f}"


def _hardest(model: str, z: int, result: Result) -> Table | None:
    numbers = result.measures["examples"].numbers
    rows = []
    for name in ("hardest", "easiest"):
        extremes = numbers[name]
        labels = extremes["labels"] or [""] * len(extremes["ids"])
        rows += [
            (str(id), [name, str(label) or None, error])
            for id, label, error in zip(extremes["ids"], labels, extremes["errors"], strict=True)
        ]
    columns = [Column("row"), Column("group"), Column("label"), Column("RMSE", "root mean squared error of the row")]
    caption = f"{model}, z = {z}: the test rows with the largest and the smallest errors."
    return table(f"extremes_{model}", caption, columns, rows)
