"""Step 8: all models by all measures, where each is best, and which measures go together."""

from recsys_ae.features.study.plan import RAW
from recsys_ae.features.study.report.parts import Better, Column, Section, table, there, with_interval
from recsys_ae.features.study.report.patterns import patterns
from recsys_ae.features.study.report.section_fits import ERROR
from recsys_ae.features.study.results import Mean, Results

ROWS: tuple[tuple[str, str, str, Better, int], ...] = (
    ("RMSE", "on the test rows", ERROR, "low", 4),
    ("5-NN accuracy", "of the labels of the five nearest training codes", "neighbours/accuracy", "high", 4),
    ("neighbourhood hit", "share of the nearest codes with the same label", "structure/neighbourhood_hit", "high", 3),
    ("trustworthiness", "neighbours in the code are neighbours in the rows", "structure/trustworthiness", "high", 3),
    ("continuity", "neighbours in the rows are neighbours in the code", "structure/continuity", "high", 3),
    ("Spearman's ρ", "of the distances in rows and code", "structure/spearman", "high", 3),
    ("precision@10", "of finding by the code", "found/precision@10", "high", 3),
    ("mAP", "of finding by the code", "found/map", "high", 3),
    ("parameters", "numbers that are learnt", "fit/parameters", "", 0),
    ("CPU s", "processor seconds of the training", "fit/cpu_seconds", "low", 1),
)


def measures(results: Results) -> list[tuple[str, str, str, Better, int]]:
    """Return the rows of the summary: those above, and the AUC of each other data set."""
    names = results.unlike()
    more = [(f"AUC, {name}", "of the error, for anomalies", f"unlike/{name}/auc", "high", 3) for name in names]
    return [*ROWS[:-2], *more, *ROWS[-2:]]  # type: ignore[list-item]


def summary(results: Results) -> Section:
    """All models at one size of the code, mean ± interval over seeds."""
    z = results.plan.summary
    wanted = measures(results)
    rows = []
    for model in results.models():
        values = [results.mean(path, model=model, latent=z) for _, _, path, _, _ in wanted]
        if any(value is not None for value in values):
            seeds = {one.fit.seed for one in results.of(model=model, latent=z)}
            rows.append((model, [len(seeds), *values]))
    columns = [Column("model"), Column("seeds", "how many trainings stand behind it", digits=0)]
    columns += [Column(title, help, better, digits) for title, help, _, better, digits in wanted]
    used = [
        place for place in range(1, len(columns))
        if any(row[1][place - 1] is not None for row in rows)
    ]  # fmt: skip
    rows = [(name, [values[place - 1] for place in used]) for name, values in rows]
    made = table(
        "summary", f"All models with z = {z}: mean ± half of the 95 % interval over seeds; no interval of one seed.",
        [columns[0], *(columns[place] for place in used)], rows,
    )  # fmt: skip
    return Section("summary", "Summary", tuple(_where_best(results)), (*there(made), *patterns(results)))


def _where_best(results: Results) -> list[str]:
    said = []
    for title, _, path, better, digits in measures(results):
        found = top(results, path, better, results.plan.summary)
        if better and found is not None:
            model, mean, second = found
            said.append(f"{title}: {model} with {with_interval(mean, digits)}{beside(mean, second, digits)}.")
    return said


def top(results: Results, path: str, better: Better, latent: int) -> tuple[str, Mean, tuple[str, Mean] | None] | None:
    """Return the best model at a size of the code, its mean, and the next best."""
    found = [
        (model, mean) for model in results.models()
        if model != RAW and (mean := results.mean(path, model=model, latent=latent)) is not None
    ]  # fmt: skip
    if len(found) < 2:
        return None
    found.sort(key=lambda one: one[1].mean if better == "low" else -one[1].mean)
    return *found[0], found[1]


def beside(mean: Mean, second: tuple[str, Mean] | None, digits: int) -> str:
    """Say how the next best one stands to the best, and whether the intervals keep them apart."""
    if second is None:
        return ""
    model, other = second
    said = f"; next {model} with {with_interval(other, digits)}"
    if mean.half is not None and other.half is not None:
        apart = abs(mean.mean - other.mean) > mean.half + other.half
        said += "" if apart else ", whose interval meets it"
    return said
