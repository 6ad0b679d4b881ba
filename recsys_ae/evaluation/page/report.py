"""Files of a report on models: one self-contained HTML page, and one JSON file with every number."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

from recsys_ae.evaluation.page.contents import Contents, Model
from recsys_ae.evaluation.page.sections import sections
from recsys_ae.metrics import parse, smaller_is_better
from recsys_ae.report.page import Answer, Page, machine, versions
from recsys_ae.report.parts import ends
from recsys_ae.storage.atomic import write_text

PACKAGES = ("recsys-ae", "torch", "numpy", "scipy", "implicit", "matplotlib")
NOTE = (
    "All models are measured on the same users. ± is half of the 95 % bootstrap interval over users. ★ marks the best "
    "value of a column. Click a column heading to sort; hover over it for its definition. A table that is wider than "
    "the page scrolls sideways."
)


def write_report(contents: Contents, out: Path) -> Path:
    """Write the page to a file, and all numbers to the JSON file of the same name; return the path of the latter.

    Raises
    ------
    ArtefactError
        If a file cannot be written.
    MissingPackageError
        If jinja2 or matplotlib is not installed.
    """
    page = page_of(contents)
    numbers = out.with_suffix(".json")
    html = page.html()
    write_text(numbers, json.dumps({**contents.as_dict(), "tables": page.tables}, indent=1, allow_nan=False) + "\n")
    write_text(out, html)
    return numbers


def page_of(contents: Contents) -> Page:
    """Return the page of a report."""
    facts = {**contents.facts, "Versions": versions(PACKAGES), "Machine": machine()}
    return Page(
        title=contents.title,
        lead=" ".join(advice(contents)),
        warning="",
        answers=list(_answers(contents)),
        sections=sections(contents),
        note=NOTE,
        facts=facts,
        left_out=contents.remarks,
        files="A JSON file of the same name next to this page holds all numbers.",
    )


def best(contents: Contents) -> Model:
    """Return the model to use."""
    return contents.of_name(contents.chosen)


def rival(contents: Contents) -> Model | None:
    """Return what the model to use is compared with: the baseline, or the best other model if it is the baseline."""
    baseline = contents.board.baseline
    others = [model for model in contents.models if model.name != contents.chosen]
    if not others:
        return None
    return contents.of_name(baseline) if baseline != contents.chosen else others[0]


def advice(contents: Contents) -> Iterator[str]:
    """Yield two sentences: which model to use, and what else it gives and costs."""
    chosen, other, metric = best(contents), rival(contents), contents.metric
    numbers = chosen.report.summary[metric]
    error = "" if math.isnan(numbers.standard_error) else f" ± {numbers.standard_error:.4f}"
    n_models = sum(model.selection is not None for model in contents.models)
    by = f", the best of {n_models} models on {contents.selected_by}" if contents.selected_by and n_models > 1 else ""
    users = f"{chosen.report.n_users:,} {contents.part}"
    sentence = f"Use {chosen.name}{by}: its {metric} is {numbers.mean:.4f}{error} over {users}"
    yield sentence + (f", {_compared(contents, chosen, other)}." if other is not None else ".")
    further = [*_wide(chosen, other), *([f"its fit took {_time(chosen.seconds)}"] if chosen.seconds else [])]
    if further:
        text = ", and ".join(further)
        yield f"{text[0].upper()}{text[1:]}."


def _compared(contents: Contents, chosen: Model, other: Model) -> str:
    """Return how much better the chosen model is, and if that may be chance."""
    board, metric = contents.board, contents.metric
    standings = {standing.name: standing for standing in board.standings}
    sign = -1 if smaller_is_better(metric) else 1
    if chosen.name != board.baseline:
        difference, turn = standings[chosen.name].differences[metric], 1
    else:
        difference, turn = standings[other.name].differences[metric], -1
    gain = turn * difference.estimate.mean
    text = f"{abs(gain):.4f} {'more' if gain >= 0 else 'less'} than {other.name}"
    low, high = sorted((turn * difference.estimate.low, turn * difference.estimate.high))
    if math.isnan(low):
        return text
    is_clear = sign * (low if sign > 0 else high) > 0
    return f"{text} ({ends(low, high)}{'' if is_clear else ', which may be chance'})"


def _wide(chosen: Model, other: Model | None) -> Iterator[str]:
    name = next((name for name in chosen.report.overall if parse(name).kind == "coverage"), None)
    if name is not None:
        than = ""
        if other is not None and name in other.report.overall:
            than = f" ({other.name}: {other.report.overall[name]:.0%})"
        yield f"its lists hold {chosen.report.overall[name]:.0%} of all items{than}"


def _answers(contents: Contents) -> Iterator[Answer]:
    chosen, metric = best(contents), contents.metric
    yield Answer(
        "Which model is to be used?",
        chosen.name,
        f"{metric} {chosen.report.summary[metric].mean:.4f}",
        chosen.settings or "with its defaults",
        "leaderboard",
    )
    coverage = next((name for name in chosen.report.overall if parse(name).kind == "coverage"), None)
    if coverage is not None:
        widest = max(contents.models, key=lambda model: model.report.overall.get(coverage, 0.0))
        yield Answer(
            "Which recommends most items?",
            widest.name,
            f"{widest.report.overall.get(coverage, 0.0):.0%} of all items",
            f"{metric} {widest.report.summary[metric].mean:.4f}",
            "beyond",
        )
    timed = [model for model in contents.models if model.seconds is not None and _is_near(contents, model)]
    if timed:
        fastest = min(timed, key=lambda model: model.seconds or 0.0)
        yield Answer(
            "Which of the best is fitted fastest?",
            fastest.name,
            _time(fastest.seconds),
            f"{metric} {fastest.report.summary[metric].mean:.4f}",
            "costs",
        )


def _is_near(contents: Contents, model: Model) -> bool:
    """Return True for a model within two standard errors of the best."""
    first = best(contents).report.summary[contents.metric]
    error = 0.0 if math.isnan(first.standard_error) else first.standard_error
    return abs(model.report.summary[contents.metric].mean - first.mean) <= 2 * error


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
