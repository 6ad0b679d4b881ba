"""Step 8 of a study: all models by all measures, the best model of each measure, and their correlations."""

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.patterns import patterns
from recsys_ae.features.study.report.section_fits import ERROR
from recsys_ae.features.study.results import Results
from recsys_ae.report.numbers import Mean
from recsys_ae.report.parts import Better, Column, Section, table, there, with_interval

ROWS: tuple[tuple[str, str, str, Better, int], ...] = (
    ("RMSE", "root mean squared error on the test rows", ERROR, "low", 4),
    ("5-NN accuracy", "accuracy of the labels of the five nearest training codes", "neighbours/accuracy", "high", 4),
    ("neighbourhood hit", "share of the nearest codes with the same label", "structure/neighbourhood_hit", "high", 3),
    (
        "trustworthiness", "agreement of neighbours in the code with those in the rows", "structure/trustworthiness",
        "high", 3,
    ),
    ("continuity", "agreement of neighbours in the rows with those in the code", "structure/continuity", "high", 3),
    ("Spearman's ρ", "rank correlation of distances between rows and between codes", "structure/spearman", "high", 3),
    ("precision@10", "share of the ten nearest rows with the query's label", "found/precision@10", "high", 3),
    ("mAP", "mean average precision of retrieval by the code", "found/map", "high", 3),
    ("parameters", "number of learnt parameters", "fit/parameters", "", 0),
    ("CPU seconds", "CPU seconds of the training", "fit/cpu_seconds", "low", 1),
)  # fmt: skip


def measures(results: Results) -> list[tuple[str, str, str, Better, int]]:
    """Return the measures of the summary: those of `ROWS`, and the AUC of each other data set."""
    aucs = [
        (f"AUC, {name}", f"ROC-AUC of the error as a detector of {name}", f"unlike/{name}/auc", "high", 3)
        for name in results.unlike()
    ]
    return [*ROWS[:-2], *aucs, *ROWS[-2:]]  # type: ignore[list-item]


def summary(results: Results) -> Section:
    """Return all models at one size of the code, as mean ± interval over seeds."""
    z = results.plan.summary
    rows_of_summary = measures(results)
    rows = []
    for model in results.models():
        values = [results.mean(path, model=model, latent=z) for _, _, path, _, _ in rows_of_summary]
        if any(value is not None for value in values):
            seeds = {result.fit.seed for result in results.of(model=model, latent=z)}
            rows.append((model, [len(seeds), *values]))
    columns = [Column("model"), Column("seeds", "number of fits, each with its random seed", digits=0)]
    columns += [Column(title, help, better, digits) for title, help, _, better, digits in rows_of_summary]
    used = [
        index for index in range(1, len(columns))
        if any(row[1][index - 1] is not None for row in rows)
    ]  # fmt: skip
    rows = [(name, [values[index - 1] for index in used]) for name, values in rows]
    overview = table(
        "summary",
        f"All models with z = {z}: mean over seeds ± half of the 95 % interval, which needs at least two seeds.",
        [columns[0], *(columns[index] for index in used)],
        rows,
    )
    return Section("summary", "Summary", tuple(_where_best(results)), (*there(overview), *patterns(results)))


def _where_best(results: Results) -> list[str]:
    sentences = []
    for title, _, path, better, digits in measures(results):
        best = top(results, path, better, results.plan.summary)
        if better and best is not None:
            model, mean, second = best
            sentences.append(f"{title}: {model} is best ({with_interval(mean, digits)}){beside(mean, second, digits)}.")
    return sentences


def top(results: Results, path: str, better: Better, latent: int) -> tuple[str, Mean, tuple[str, Mean] | None] | None:
    """Return the best model at a size of the code, its mean, and the next best."""
    means = [
        (model, mean) for model in results.models()
        if model != RAW and (mean := results.mean(path, model=model, latent=latent)) is not None
    ]  # fmt: skip
    if len(means) < 2:
        return None
    means.sort(key=lambda pair: pair[1].mean if better == "low" else -pair[1].mean)
    return *means[0], means[1]


def beside(mean: Mean, second: tuple[str, Mean] | None, digits: int) -> str:
    """Name the second-best model and its mean, and say if the two intervals overlap."""
    if second is None:
        return ""
    model, second_mean = second
    clause = f", followed by {model} ({with_interval(second_mean, digits)})"
    if mean.half is not None and second_mean.half is not None:
        apart = abs(mean.mean - second_mean.mean) > mean.half + second_mean.half
        clause += "" if apart else "; their intervals overlap"
    return clause
