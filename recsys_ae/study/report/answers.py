"""The first screen: which model, which size of the code, how much better."""

from collections.abc import Iterator
from dataclasses import dataclass

from recsys_ae.study.plan import RAW
from recsys_ae.study.report.parts import Better, with_interval
from recsys_ae.study.report.section_fits import ERROR, knee
from recsys_ae.study.results import Mean, Results


@dataclass(frozen=True)
class Answer:
    """A question, who answers it best, with what number, and beside what."""

    question: str
    answer: str
    number: str
    beside: str
    anchor: str


QUESTIONS: tuple[tuple[str, str, str, Better, int, str, str], ...] = (
    ("Which gives rows back best?", ERROR, "RMSE", "low", 4, "latent", "pca"),
    ("Whose code sorts rows by label best?", "neighbours/accuracy", "5-NN accuracy", "high", 4, "structure", RAW),
    ("Whose code keeps neighbours?", "structure/trustworthiness", "trustworthiness", "high", 3, "structure", "pca"),
    ("By whose code are rows found best?", "found/map", "mAP", "high", 3, "retrieval", RAW),
)


def answers(results: Results) -> list[Answer]:
    """Return what the study answers."""
    best = _best(results)
    return [*best[:1], *_enough(results), *best[1:], *_few_labels(results), *_unlike(results)]


def _best(results: Results) -> list[Answer]:
    made = []
    for question, path, unit, better, digits, anchor, base in QUESTIONS:
        found = [
            (model, z, mean)
            for model in results.models()
            if model != RAW
            for z in results.latents(model=model)
            if (mean := results.mean(path, model=model, latent=z)) is not None
        ]
        if not found:
            continue
        sign = 1 if better == "low" else -1
        model, z, mean = min(found, key=lambda one: sign * one[2].mean)
        other = results.mean(path, model=base, latent=z)
        told = "" if other is None or base == model else _beside(mean, other, base, z, digits)
        made.append(Answer(question, f"{model}, z = {z}", f"{unit} {with_interval(mean, digits)}", told, anchor))
    return made


def _enough(results: Results) -> Iterator[Answer]:
    """Say from which size of the code on a larger one gains little, of the model that gives rows back best."""
    curves = {model: dict(results.curve(ERROR, model, "latent")) for model in results.models("latent")}
    curves = {model: curve for model, curve in curves.items() if len(curve) > 2}
    if not curves:
        return
    model = min(curves, key=lambda one: min(mean.mean for mean in curves[one].values()))
    z, last = knee(curves[model]), max(curves[model])
    told = f"nine tenths of the gain from z = {min(curves[model])} to {last}, {with_interval(curves[model][last])}"
    yield Answer(
        "How large need the code be?", f"{model}, z = {z}", f"RMSE {with_interval(curves[model][z])}", told, "latent"
    )


def _beside(mean: Mean, other: Mean, base: str, z: int, digits: int) -> str:
    name = "the features themselves" if base == RAW else f"{base} with z = {z}"
    change = 100 * (mean.mean / other.mean - 1) if other.mean else 0.0
    return f"{signed(change)} % beside {name}, {with_interval(other, digits)}"


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return f"{value:+.1f}".replace("-", "−")


def _few_labels(results: Results) -> Iterator[Answer]:
    from recsys_ae.study.report.section_tasks import _learnt, called, cases  # noqa: PLC0415

    share = min(results.plan.sizes.labelled, key=lambda one: abs(one - 0.01))
    found = [
        (called(case) + (", fine-tuned" if key == "tuned" else ""), mean)
        for case in cases(results, "pretraining")
        for key in ("codes", "tuned")
        if case[0] != RAW and (mean := _learnt(results, case, key, share)) is not None
    ]
    if not found:
        return
    name, mean = max(found, key=lambda one: one[1].mean)
    base = _learnt(results, (RAW, 0), "codes", share)
    told = (
        ""
        if base is None
        else f"{signed(100 * (mean.mean - base.mean))} points beside the features, {with_interval(base)}"
    )
    yield Answer(
        f"Which learns from {100 * share:g} % of the labels?",
        name,
        f"accuracy {with_interval(mean)}",
        told,
        "pretraining",
    )


def _unlike(results: Results) -> Iterator[Answer]:
    names = sorted(
        {name for one in results.of() if "unlike" in one.measures for name in one.measures["unlike"].numbers}
    )
    for name in names:
        found = [
            (model, z, mean)
            for model in results.models()
            for z in results.latents(model=model)
            if (mean := results.mean(f"unlike/{name}/auc", model=model, latent=z)) is not None
        ]
        if found:
            model, z, mean = max(found, key=lambda one: one[2].mean)
            base = results.mean(f"unlike/{name}/auc", model="pca", latent=z)
            told = "" if base is None or model == "pca" else _beside(mean, base, "pca", z, 3)
            yield Answer(
                f"Which notices {name}?", f"{model}, z = {z}", f"AUC {with_interval(mean, 3)}", told, "anomaly"
            )
