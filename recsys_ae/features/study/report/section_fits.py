"""Steps 1 to 4: the models, their depth, the size of the code, and what comes back."""

from collections.abc import Mapping, Sequence

from recsys_ae.features import models as autoencoders
from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.charts import Line, chart
from recsys_ae.features.study.report.mosaics import mosaic
from recsys_ae.features.study.report.parts import Column, Picture, Section, Table, number, table, there
from recsys_ae.features.study.results import Mean, Result, Results, by
from recsys_ae.spec.hyper import build
from recsys_ae.spec.text import write

RMSE = "RMSE on the test rows"
Z = "size of the code z"
ERROR = "error/test_rmse"


def style(model: str) -> int:
    """Return a model's colour and marker, the same in all charts."""
    return (*autoencoders.names(), RAW).index(model)


def models(results: Results) -> Section:
    """Show what was compared, with which settings, and what it cost."""
    rows = []
    for model in results.models():
        if model == RAW:
            continue
        fits = list(results.of(model=model))
        example = min(fits, key=lambda one: abs(one.fit.latent - results.plan.summary))
        numbers = example.measures["fit"].numbers
        cls = autoencoders.spec_class(model)
        settings = write(build(cls, {**numbers["spec"], "latent": cls.latent}))
        per_epoch = numbers["cpu_seconds"] / max(numbers["epochs"], 1)
        first = autoencoders.summary(model).splitlines()[0].partition(":")[2].strip().rstrip(".")
        rows.append((model, [first, len(fits), numbers["latent"], numbers["parameters"], per_epoch, settings]))
    columns = [
        Column("model"),
        Column("what it is"),
        Column("fits", "fits of its usual depth, of all sizes of the code and seeds"),
        Column("z shown", "the size of the code that the numbers beside it are of"),
        Column("parameters", "numbers that are learnt"),
        Column(
            "CPU s per epoch",
            "processor seconds of one pass over the training rows; of a closed form, of all",
            "low",
            2,
        ),
        Column("settings", "hyper-parameters that are not at their defaults, z apart"),
    ]
    made = table("models", "The models that were compared, one example each.", columns, rows)
    return Section("models", "Models", (), there(made))


def architecture(results: Results) -> Section:
    """Show the error by depth and size of the code."""
    deep = [one for one in results.of("architecture") if one.fit.layers is not None]
    if not deep:
        return Section("architecture", "Depth")
    found = by(deep, lambda one: (one.fit.layers, one.fit.latent), ERROR)
    depths, latents = sorted({depth for depth, _ in found}), sorted({latent for _, latent in found})
    linear = {latent: results.mean(ERROR, model="pca", latent=latent, step="architecture") for latent in latents}
    rows = [(f"{depth} hidden", [found.get((depth, latent)) for latent in latents]) for depth in depths] + [
        ("pca", [linear[latent] for latent in latents])
    ]
    columns = [Column("layers"), *(Column(f"z = {latent}", RMSE, "low") for latent in latents)]
    made = table("depth", f"{RMSE} by the number of hidden layers on the way to the code.", columns, rows)
    lines = [
        Line.of(f"{depth} hidden", [(z, found[depth, z]) for z in latents if (depth, z) in found], place)
        for place, depth in enumerate(depths)
    ]
    lines.append(Line.of("pca", [(z, mean) for z, mean in linear.items() if mean is not None], 9))
    picture = chart("depth", lines, x=Z, y=RMSE, log=True, caption=f"{RMSE} by depth and size of the code.")
    best = {z: min((d for d in depths if (d, z) in found), key=lambda d, z=z: found[d, z].mean) for z in latents}  # type: ignore[misc]
    said = ", ".join(f"{best[z]} at z = {z}" for z in latents)
    return Section(
        "architecture", "Depth", (f"Hidden layers with the smallest error: {said}.",), there(made), there(picture)
    )


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
        caption=f"{RMSE} by the size of the code, which is on a logarithmic axis.",
    )
    means = {model: dict(curve) for model, curve in curves.items()}
    rows = [(str(z), [means[model].get(z) for model in names]) for z in results.latents(step)]
    made = table("latent", f"{RMSE} by the size of the code.", [Column("z"), *(Column(m, RMSE) for m in names)], rows)
    return Section("latent", "Size of the code", _knees(means), there(made), there(picture))


def _knees(means: dict[str, dict[int, Mean]]) -> tuple[str, ...]:
    said = []
    for model, curve in means.items():
        if len(curve) > 2:
            z = knee(curve)
            said.append(f"{model}: nine tenths of the gain are had at z = {z} ({number(curve[z].mean)}).")
    return tuple(said)


def knee(curve: Mapping[int, Mean]) -> int:
    """Return the size of the code from which on a larger one gains less than a tenth of what the whole range does."""
    least, most = (end(mean.mean for mean in curve.values()) for end in (min, max))
    return next(z for z in sorted(curve) if curve[z].mean <= least + 0.1 * (most - least))


def reconstruction(results: Results) -> Section:
    """Show originals beside what comes back, and the easiest and hardest rows."""
    step = "reconstruction"
    pictures: list[Picture] = []
    tables: list[Table] = []
    for model in results.models(step):
        shown = _by_latent(results, model)
        if not shown:
            continue
        first = shown[0][1].measures["examples"]
        if "examples" in first.arrays:
            rows = [("original", first.arrays["examples"])]
            rows += [(f"z = {z}", one.measures["examples"].arrays["examples_back"]) for z, one in shown]
            told = ", ".join(f"z = {z}: {number(one.number(ERROR) or 0)}" for z, one in shown)
            made = mosaic(
                f"reconstructions_{model}", rows, results.form,
                caption=f"{model}: what comes back by the size of the code. RMSE {told}.",
                alt=f"Ten test rows and what {model} makes of them with {len(shown)} sizes of the code; RMSE {told}.",
            )  # fmt: skip
            pictures += there(made)
        pictures += there(_extremes(results, model, *shown[-1]))
        if "hardest" not in shown[-1][1].measures["examples"].arrays:
            tables += there(_hardest(model, *shown[-1]))
    return Section("reconstruction", "Reconstruction", (), tuple(tables), tuple(pictures), paired=True)


def _by_latent(results: Results, model: str) -> list[tuple[int, Result]]:
    found = ((z, results.first("examples", model=model, latent=z)) for z in results.latents(model=model))
    return [(z, one) for z, one in found if one is not None]


def _extremes(results: Results, model: str, z: int, result: Result) -> Picture | None:
    kept = result.measures["examples"]
    if "hardest" not in kept.arrays:
        return None
    numbers = kept.numbers
    rows = [
        (f"{name}{end}", kept.arrays[f"{name}{key}"])
        for name in ("hardest", "easiest")
        for end, key in (("", ""), (" back", "_back"))
    ]
    told = f"errors {_few(numbers['hardest']['errors'])} and {_few(numbers['easiest']['errors'])}"
    return mosaic(
        f"extremes_{model}", rows, results.form,
        caption=f"{model}, z = {z}: the hardest and the easiest test rows, and what comes back.",
        alt=f"The test rows that {model} with z = {z} gives back worst and best, {told}.",
    )  # fmt: skip


def _few(errors: Sequence[float]) -> str:
    return f"{min(errors):.3f} to {max(errors):.3f}"


def _hardest(model: str, z: int, result: Result) -> Table | None:
    numbers = result.measures["examples"].numbers
    rows = []
    for name in ("hardest", "easiest"):
        part = numbers[name]
        labels = part["labels"] or [""] * len(part["ids"])
        rows += [
            (str(id), [name, str(label) or None, error])
            for id, label, error in zip(part["ids"], labels, part["errors"], strict=True)
        ]
    columns = [Column("row"), Column("which"), Column("label"), Column("error", "root mean squared error of the row")]
    return table(f"extremes_{model}", f"{model}, z = {z}: the hardest and the easiest test rows.", columns, rows)
