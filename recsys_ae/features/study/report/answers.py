"""Answers at the top of the report: the best model and size of the code for each question."""

from collections.abc import Iterator
from dataclasses import dataclass

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.section_fits import ERROR, knee
from recsys_ae.features.study.report.section_labels import learnt
from recsys_ae.features.study.report.section_tasks import called, cases
from recsys_ae.features.study.results import Results
from recsys_ae.report.numbers import Mean
from recsys_ae.report.page import Answer
from recsys_ae.report.parts import Better, with_interval


@dataclass(frozen=True)
class Question:
    """A question that a measure answers, and the baseline that the best model is compared with.

    With ``equal``, only codes of the summary's size are compared, because larger codes are better at it.
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
    Question("Which model reconstructs rows best?", ERROR, "RMSE", "low", 4, "latent", "pca", equal=True),
    Question(
        "Which code separates the labels best?", "neighbours/accuracy", "5-NN accuracy", "high", 4, "structure", RAW
    ),
    Question(
        "Which code preserves neighbours best?", "structure/trustworthiness", "trustworthiness", "high", 3,
        "structure", "pca", equal=True,
    ),
    Question("Which code retrieves rows of the same label best?", "found/map", "mAP", "high", 3, "retrieval", RAW),
)  # fmt: skip


def answers(results: Results) -> list[Answer]:
    """Return the questions that the study can answer, with their answers."""
    best = _best(results)
    return [*best[:1], *_enough(results), *best[1:], *_few_labels(results), *_unlike(results)]


def _best(results: Results) -> list[Answer]:
    best = []
    for question in QUESTIONS:
        means = [
            (model, z, mean)
            for model in results.models()
            if model != RAW
            for z in results.latents(model=model)
            if (mean := results.mean(question.path, model=model, latent=z)) is not None
        ]
        equal_means = [triple for triple in means if triple[1] == results.plan.summary] if question.equal else []
        text = question.text
        if len(equal_means) > 1:
            means, text = equal_means, f"{text[:-1]} with z = {results.plan.summary}?"
        if not means:
            continue
        sign = 1 if question.better == "low" else -1
        model, z, mean = min(means, key=lambda triple: sign * triple[2].mean)
        base_mean = results.mean(question.path, model=question.base, latent=z)
        comparison = (
            ""
            if base_mean is None or question.base == model
            else _comparison(question.unit, mean, base_mean, question.base, z, question.digits)
        )
        number = f"{question.unit} {with_interval(mean, question.digits)}"
        best.append(Answer(text, f"{model}, z = {z}", number, comparison, question.anchor))
    return best


def _enough(results: Results) -> Iterator[Answer]:
    """Yield the size of the code above which little is gained, for the model with the smallest error."""
    curves = {model: dict(results.curve(ERROR, model, "latent")) for model in results.models("latent")}
    curves = {model: curve for model, curve in curves.items() if len(curve) > 2}
    if not curves:
        return
    z = results.plan.summary
    models = [model for model, curve in curves.items() if z in curve]
    if len(models) > 1:
        best = min(models, key=lambda model: curves[model][z].mean)
    else:
        best = min(curves, key=lambda model: min(mean.mean for mean in curves[model].values()))
    curve = curves[best]
    z, smallest, largest = knee(curve), min(curve), max(curve)
    comparison = (
        f"z = {z} reaches nine tenths of the improvement that is possible from z = {smallest} to z = {largest}, where "
        f"the RMSE is {with_interval(curve[largest])}."
    )
    yield Answer(
        "How large does the code need to be?", f"{best}, z = {z}", f"RMSE {with_interval(curve[z])}", comparison,
        "latent",
    )  # fmt: skip


def _comparison(unit: str, mean: Mean, base_mean: Mean, base: str, z: int, digits: int) -> str:
    name = "the features themselves" if base == RAW else f"{base} with z = {z}"
    difference = f"; the difference is {signed(100 * (mean.mean / base_mean.mean - 1))} %" if base_mean.mean else ""
    return f"The {unit} of {name} is {with_interval(base_mean, digits)}{difference}."


def signed(value: float) -> str:
    """Format a difference with its sign."""
    return f"{value:+.1f}".replace("-", "−")


def _few_labels(results: Results) -> Iterator[Answer]:
    share = min(results.plan.sizes.labelled, key=lambda share: abs(share - 0.01))
    accuracies = [
        (called(case) + (", fine-tuned" if key == "tuned" else ""), mean)
        for case in cases(results, "pretraining")
        for key in ("codes", "tuned")
        if case[0] != RAW and (mean := learnt(results, case, key, share)) is not None
    ]
    if not accuracies:
        return
    name, mean = max(accuracies, key=lambda pair: pair[1].mean)
    base = learnt(results, (RAW, 0), "codes", share)
    comparison = (
        ""
        if base is None
        else f"The accuracy of the features themselves is {with_interval(base)}; the difference is "
        f"{signed(100 * (mean.mean - base.mean))} percentage points."
    )
    yield Answer(
        f"Which model learns best from {100 * share:g} % of the labels?",
        name,
        f"accuracy {with_interval(mean)}",
        comparison,
        "pretraining",
    )


def _unlike(results: Results) -> Iterator[Answer]:
    names = results.unlike()
    for name in names:
        means = [
            (model, z, mean)
            for model in results.models()
            for z in results.latents(model=model)
            if (mean := results.mean(f"unlike/{name}/auc", model=model, latent=z)) is not None
        ]
        if means:
            model, z, mean = max(means, key=lambda triple: triple[2].mean)
            base = results.mean(f"unlike/{name}/auc", model="pca", latent=z)
            comparison = "" if base is None or model == "pca" else _comparison("AUC", mean, base, "pca", z, 4)
            question = f"Which model detects rows of {name} best?"
            yield Answer(question, f"{model}, z = {z}", f"AUC {with_interval(mean)}", comparison, "anomaly")
