"""Report of the tasks that need labels: learning from few labels, anomaly detection, augmentation of rare classes."""

from recsys_ae.features.study.data import CLASS
from recsys_ae.features.study.report.section_fits import PERTURBATION, style
from recsys_ae.features.study.report.section_tasks import Case, called, cases
from recsys_ae.features.study.results import Results, mean_of
from recsys_ae.report.charts import COLOURS, Line, chart
from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Column, Picture, Section, table, there

TUNED = 2 * len(COLOURS)
"""Number that turns a style into the same colour with another dash, for fine-tuned models."""


def pretraining(results: Results) -> Section:
    """Show the accuracy of classifiers that learn from few labels."""
    shares = results.plan.sizes.labelled
    curves, styles, untrained = {}, {}, {}
    for case in cases(results, "pretraining"):
        name = called(case)
        curves[name] = {share: learnt(results, case, "codes", share) for share in shares}
        styles[name] = style(case[0])
        tuned = {share: learnt(results, case, "tuned", share) for share in shares}
        if any(value is not None for value in tuned.values()):
            curves[f"{name}, fine-tuned"] = tuned
            styles[f"{name}, fine-tuned"] = style(case[0]) + TUNED
            untrained[f"{name}, from random weights"] = {
                share: learnt(results, case, "tuned", share, "untrained") for share in shares
            }
    lines = [
        Line.of(name, [(100 * share, mean) for share, mean in curve.items() if mean is not None], styles[name])
        for name, curve in curves.items()
    ]
    picture = chart(
        "pretraining", lines, x="labels, % of the training rows", y="accuracy on the test rows", log=True,
        caption="Accuracy on the test rows of a linear classifier of the codes, and of the fine-tuned encoder, by the "
        "share of the training labels that they learn from (logarithmic axis).",
    )  # fmt: skip
    rows = [(name, [curve[share] for share in shares]) for name, curve in (curves | untrained).items()]
    help = "share of the training labels that the classifier learns from"
    columns = [Column("features"), *(Column(f"{100 * share:g} %", help, "high") for share in shares)]
    caption = (
        "Accuracy on the test rows by the share of the training labels: mean over draws of the labels ± half of the "
        f"95 % interval. Only labels of at least {CLASS} training rows count. Fine-tuned: the encoder is trained "
        "together with the classifier. From random weights: the same network without pretraining."
    )
    accuracies = table("pretraining", caption, columns, rows)
    return Section("pretraining", "Learning from few labels", (), there(accuracies), there(picture))


def learnt(results: Results, case: Case, key: str, share: float, measure: str = "pretraining") -> Mean | None:
    """Return the mean accuracy over the draws of the labels, for the fit with the lowest seed."""
    result = results.first(measure, model=case[0], latent=case[1])
    rows = [] if result is None else result.measures[measure].numbers.get(key, [])
    return mean_of(row["accuracy"] for row in rows if abs(row["share"] - share) < 1e-9)


def anomaly(results: Results) -> Section:
    """Show the AUC of the reconstruction error as a detector of other data and of withheld labels."""
    names = results.unlike()
    rows = []
    for case in cases(results, "unlike"):
        values = [results.mean(f"unlike/{name}/auc", model=case[0], latent=case[1]) for name in names]
        rows.append((case[0], [case[1], *values]))
    columns = [
        Column("model"), Column("z", digits=0),
        *(Column(f"AUC, {name}", f"test rows against rows of {name}; 0.5 is chance", "high") for name in names),
    ]  # fmt: skip
    caption = "ROC-AUC of the reconstruction error as a detector of other data among the test rows."
    other_data = table("anomaly_unlike", caption, columns, rows)
    fits = [result for result in results.all if "withheld" in result.measures]
    labels = sorted({result.fit.withheld for result in fits})
    groups = sorted(
        {(result.fit.model, result.fit.latent) for result in fits}, key=lambda case: (style(case[0]), case[1])
    )
    rows = []
    for model, z in groups:
        fits_of_group = [result for result in fits if (result.fit.model, result.fit.latent) == (model, z)]
        aucs = [
            mean_of(result.number("withheld/auc") for result in fits_of_group if result.fit.withheld == label)
            for label in labels
        ]
        rows.append((model, [z, *aucs, mean_of(mean.mean for mean in aucs if mean is not None)]))
    columns = [
        Column("model"), Column("z", digits=0), *(Column(label, "withheld label", "high", 3) for label in labels),
        Column("mean", "mean over the withheld labels ± half of the 95 % interval", "high", 3),
    ]  # fmt: skip
    caption = (
        "ROC-AUC of the reconstruction error as a detector of one label among the test rows, for models that were "
        "trained without this label."
    )
    withheld = table("anomaly_withheld", caption, columns, rows)
    return Section("anomaly", "Anomaly detection", (), there(other_data, withheld))


def augmentation(results: Results) -> Section:
    """Show the AUC of a verifier of pairs that is trained with generated rows of rare classes."""
    pictures: list[Picture] = []
    rows = []
    kinds = {
        "by_share": ("share", PERTURBATION, 100.0, "rare classes filled up to the largest size of the plan"),
        "by_minimum": (
            "minimum",
            "size that rare classes are filled up to, rows",
            1.0,
            "rare classes filled up, codes perturbed by 20 %",
        ),
        "per_real": ("share", PERTURBATION, 100.0, "one generated row for each real row"),
    }
    augmented = cases(results, "augmentation")
    for kind, (key, x, factor, how) in kinds.items():
        lines = []
        for index, case in enumerate(augmented):
            result = results.first("augmentation", model=case[0], latent=case[1])
            numbers = result.measures["augmentation"].numbers if result is not None else {}
            points = [(factor * row[key], Mean.of(row["auc"])) for row in numbers.get(kind, [])]
            lines.append(Line.of(called(case), points, index))
            base = Mean.of(numbers["baseline"])
            lines.append(
                Line(
                    f"{case[0]}, real rows only",
                    [x for x, _ in points],
                    [base.mean] * len(points),
                    [None] * len(points),
                    index + len(augmented),
                )
            )
            best = max(points, key=lambda point: point[1].mean, default=None)
            if best is not None:
                rows.append((case[0], [case[1], how, base, best[1], best[0]]))
        caption = f"ROC-AUC of a verifier that tells if two rows have the same label: {how}."
        pictures += there(chart(f"augmentation_{kind}", lines, x=x, y="ROC-AUC of the verifier", caption=caption))
    columns = [
        Column("model"), Column("z", digits=0), Column("generated rows"),
        Column("AUC, real rows only", "ROC-AUC of the verifier without generated rows"),
        Column("best AUC", "highest ROC-AUC of the verifier with generated rows", "high"),
        Column("best at", "perturbation in %, or size of the classes in rows", "", 0),
    ]  # fmt: skip
    caption = (
        "ROC-AUC of the verifier without and with generated rows of rare classes: mean over draws of the pairs ± half "
        "of the 95 % interval."
    )
    aucs = table("augmentation", caption, columns, rows)
    return Section("augmentation", "Augmentation of rare classes", (), there(aucs), tuple(pictures))
