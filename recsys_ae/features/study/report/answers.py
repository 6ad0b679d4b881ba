"""The first screen: which model, which size of the code, how much better."""

from collections.abc import Iterator
from dataclasses import dataclass

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.parts import Better, with_interval
from recsys_ae.features.study.report.section_fits import ERROR, knee
from recsys_ae.features.study.report.section_labels import learnt
from recsys_ae.features.study.report.section_tasks import called, cases
from recsys_ae.features.study.results import Mean, Results


@dataclass(frozen=True)
class Answer:
    """A question, who answers it best, with what number, and beside what."""

    question: str
    answer: str
    number: str
    beside: str
    anchor: str


@dataclass(frozen=True)
class Question:
    """What is asked, of which number, in which unit, and beside which model the best one is put.

    With ``equal`` codes of one size are compared, the summary's: what is asked is easier for a larger one.
    """

    text: str
    path: str
    unit: str
    better: Better
    digits: int
    anchor: str
    base: str
    equal: bool = False


QUESTIONS = (
    Question("Which gives rows back best?", ERROR, "RMSE", "low", 4, "latent", "pca", equal=True),
    Question(
        "Whose code sorts rows by label best?", "neighbours/accuracy", "5-NN accuracy", "high", 4, "structure", RAW
    ),
    Question(
        "Whose code keeps neighbours best?", "structure/trustworthiness", "trustworthiness", "high", 3, "structure",
        "pca", equal=True,
    ),
    Question("By whose code are rows found best?", "found/map", "mAP", "high", 3, "retrieval", RAW),
)  # fmt: skip


def answers(results: Results) -> list[Answer]:
    """Return what the study answers."""
    best = _best(results)
    return [*best[:1], *_enough(results), *best[1:], *_few_labels(results), *_unlike(results)]


def _best(results: Results) -> list[Answer]:
    made = []
    for asked in QUESTIONS:
        found = [
            (model, z, mean)
            for model in results.models()
            if model != RAW
            for z in results.latents(model=model)
            if (mean := results.mean(asked.path, model=model, latent=z)) is not None
        ]
        alike = [one for one in found if one[1] == results.plan.summary] if asked.equal else []
        question = asked.text
        if len(alike) > 1:
            found, question = alike, f"{question[:-1]} with z = {results.plan.summary}?"
        if not found:
            continue
        sign = 1 if asked.better == "low" else -1
        model, z, mean = min(found, key=lambda one: sign * one[2].mean)
        other = results.mean(asked.path, model=asked.base, latent=z)
        told = "" if other is None or asked.base == model else _beside(mean, other, asked.base, z, asked.digits)
        number = f"{asked.unit} {with_interval(mean, asked.digits)}"
        made.append(Answer(question, f"{model}, z = {z}", number, told, asked.anchor))
    return made


def _enough(results: Results) -> Iterator[Answer]:
    """Say from which size of the code on a larger one gains little, of the model that gives rows back best."""
    curves = {model: dict(results.curve(ERROR, model, "latent")) for model in results.models("latent")}
    curves = {model: curve for model, curve in curves.items() if len(curve) > 2}
    if not curves:
        return
    z = results.plan.summary
    alike = [model for model, curve in curves.items() if z in curve]
    if len(alike) > 1:
        model = min(alike, key=lambda one: curves[one][z].mean)
    else:
        model = min(curves, key=lambda one: min(mean.mean for mean in curves[one].values()))
    z, last = knee(curves[model]), max(curves[model])
    told = f"nine tenths of the gain from z = {min(curves[model])} to {last}, {with_interval(curves[model][last])}"
    yield Answer(
        "How large need the code be?", f"{model}, z = {z}", f"RMSE {with_interval(curves[model][z])}", told, "latent"
    )


def _beside(mean: Mean, other: Mean, base: str, z: int, digits: int) -> str:
    name = "the features themselves" if base == RAW else f"{base} with z = {z}"
    change = f"{signed(100 * (mean.mean / other.mean - 1))} % " if other.mean else ""
    return f"{change}beside {name}, {with_interval(other, digits)}"


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return f"{value:+.1f}".replace("-", "−")


def _few_labels(results: Results) -> Iterator[Answer]:
    share = min(results.plan.sizes.labelled, key=lambda one: abs(one - 0.01))
    found = [
        (called(case) + (", fine-tuned" if key == "tuned" else ""), mean)
        for case in cases(results, "pretraining")
        for key in ("codes", "tuned")
        if case[0] != RAW and (mean := learnt(results, case, key, share)) is not None
    ]
    if not found:
        return
    name, mean = max(found, key=lambda one: one[1].mean)
    base = learnt(results, (RAW, 0), "codes", share)
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
    names = results.unlike()
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
            told = "" if base is None or model == "pca" else _beside(mean, base, "pca", z, 4)
            yield Answer(f"Which notices {name}?", f"{model}, z = {z}", f"AUC {with_interval(mean)}", told, "anomaly")
