"""Tasks that labels are told of: few labels, labels that the training has not seen, labels that are rare."""

from recsys_ae.features.study.data import CLASS
from recsys_ae.features.study.report.charts import COLOURS, Line, chart
from recsys_ae.features.study.report.parts import Column, Picture, Section, table, there
from recsys_ae.features.study.report.section_fits import style
from recsys_ae.features.study.report.section_tasks import Case, called, cases
from recsys_ae.features.study.results import Mean, Results, mean_of

TUNED = 2 * len(COLOURS)
"""Added to a style: the same colour, and another dash."""


def pretraining(results: Results) -> Section:
    """Learning from few labels."""
    wanted = cases(results, "pretraining")
    shares = results.plan.sizes.labelled
    curves, styles, untrained = {}, {}, {}
    for case in wanted:
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
        caption="Accuracy of a classifier of the codes that is told few labels.",
    )  # fmt: skip
    rows = [(name, [curve[share] for share in shares]) for name, curve in (curves | untrained).items()]
    columns = [Column("features"), *(Column(f"{100 * share:g} %", "of the labels", "high") for share in shares)]
    made = table(
        "pretraining",
        f"Accuracy by the share of labels told, of those that {CLASS} rows have, with its interval over draws; "
        "from random weights: the fine-tuned network without what it has learnt of rows without labels.",
        columns,
        rows,
    )
    return Section("pretraining", "Few labels", (), there(made), there(picture))


def learnt(results: Results, case: Case, key: str, share: float, measure: str = "pretraining") -> Mean | None:
    """Return the accuracy over the draws of labels of the first seed."""
    found = results.first(measure, model=case[0], latent=case[1])
    rows = [] if found is None else found.measures[measure].numbers.get(key, [])
    return mean_of(row["accuracy"] for row in rows if abs(row["share"] - share) < 1e-9)


def anomaly(results: Results) -> Section:
    """Telling what does not belong by the error of its reconstruction."""
    names = results.unlike()
    rows = []
    for case in cases(results, "unlike"):
        values = [results.mean(f"unlike/{name}/auc", model=case[0], latent=case[1]) for name in names]
        rows.append((case[0], [case[1], *values]))
    columns = [Column("model"), Column("z", digits=0), *(Column(f"AUC, {name}", "", "high") for name in names)]
    among = table("anomaly_unlike", "ROC-AUC of the error for rows from elsewhere among the test rows.", columns, rows)
    held = [one for one in results.all if "withheld" in one.measures]
    labels = sorted({one.fit.withheld for one in held})
    groups = sorted({(one.fit.model, one.fit.latent) for one in held}, key=lambda case: (style(case[0]), case[1]))
    rows = []
    for model, z in groups:
        own = [one for one in held if (one.fit.model, one.fit.latent) == (model, z)]
        each = [mean_of(o.number("withheld/auc") for o in own if o.fit.withheld == label) for label in labels]
        rows.append((model, [z, *each, mean_of(mean.mean for mean in each if mean is not None)]))
    columns = [
        Column("model"), Column("z", digits=0), *(Column(label, "withheld label", "high", 3) for label in labels),
        Column("mean", "over the withheld labels, with its interval", "high", 3),
    ]  # fmt: skip
    out = table(
        "anomaly_withheld", "ROC-AUC of the error for rows of a label that the training has not seen.", columns, rows
    )
    return Section("anomaly", "Anomalies", (), there(among, out))


def augmentation(results: Results) -> Section:
    """Show how well a verifier of pairs does, trained with members of rare classes that are made."""
    pictures: list[Picture] = []
    rows = []
    kinds = {
        "by_share": (
            "share",
            "perturbation, % of each number's range",
            100.0,
            "rare classes filled up to the largest size",
        ),
        "by_minimum": ("minimum", "size that rare classes are filled up to", 1.0, "codes perturbed by 20 %"),
        "per_real": ("share", "perturbation, % of each number's range", 100.0, "one made row for each real one"),
    }
    wanted = cases(results, "augmentation")
    for kind, (key, x, factor, how) in kinds.items():
        lines = []
        for place, case in enumerate(wanted):
            found = results.first("augmentation", model=case[0], latent=case[1])
            numbers = found.measures["augmentation"].numbers if found is not None else {}
            points = [(factor * row[key], Mean.of(row["auc"])) for row in numbers.get(kind, [])]
            lines.append(Line.of(called(case), points, place))
            base = Mean.of(numbers["baseline"])
            lines.append(
                Line(
                    f"{case[0]}, nothing made",
                    [x for x, _ in points],
                    [base.mean] * len(points),
                    [None] * len(points),
                    place + len(wanted),
                )
            )
            best = max(points, key=lambda point: point[1].mean, default=None)
            if best is not None:
                rows.append((case[0], [case[1], how, base, best[1], best[0]]))
        pictures += there(
            chart(f"augmentation_{kind}", lines, x=x, y="ROC-AUC of the verifier", caption=f"Same label or not: {how}.")
        )
    columns = [
        Column("model"), Column("z", digits=0), Column("how"), Column("AUC, nothing made"),
        Column("best AUC", "", "high"), Column("at", "perturbation in % or size", "", 0),
    ]  # fmt: skip
    made = table("augmentation", "The verifier with and without made members, intervals over draws.", columns, rows)
    return Section("augmentation", "Rare classes filled with made rows", (), there(made), tuple(pictures))
