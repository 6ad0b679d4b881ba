"""Files of a study's report: one self-contained HTML page, one JSON file with every number, and the figures."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recsys_ae.features.study import folder
from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.plan import Plan
from recsys_ae.features.study.report import (
    section_fits,
    section_labels,
    section_making,
    section_space,
    section_summary,
    section_tasks,
)
from recsys_ae.features.study.report.answers import answers
from recsys_ae.features.study.results import Results
from recsys_ae.features.study.tasks import NUMBERED
from recsys_ae.report.page import FIGURES, HTML, JSON, Page, machine, versions
from recsys_ae.report.parts import Section
from recsys_ae.storage.atomic import write_text

PACKAGES = ("recsys-ae", "torch", "numpy", "scipy", "scikit-learn", "matplotlib", "umap-learn")
NOTE = (
    "Each answer is the best of the compared models on the test rows; z is the size of the code. ± is half of the 95 % "
    "interval over seeds, or over draws of the labels; a single run has none. ★ marks the best value of a column. "
    "Click a column heading to sort; hover over it for an explanation."
)
TITLES = {
    "command": "Command",
    "data": "Data",
    "fingerprints": "Fingerprints of the rows",
    "rows from elsewhere": "Other data sets",
    "seeds": "Random seeds",
    "devices": "Devices",
    "training": "Training time",
    "versions": "Versions",
    "machine": "Machine",
}
"""Titles of the run settings on the page, by their names in the JSON file."""
FILES = "The file report.json next to this page holds all numbers, and the folder figures all figures as SVG and PNG."
MADE = {
    "models": section_fits.models,
    "architecture": section_fits.architecture,
    "latent": section_fits.latent,
    "reconstruction": section_fits.reconstruction,
    "structure": section_space.structure,
    "unlike": section_making.unlike,
    "generation": section_making.generation,
    "summary": section_summary.summary,
    "reduction": section_tasks.reduction,
    "denoising": section_tasks.denoising,
    "retrieval": section_tasks.retrieval,
    "pretraining": section_labels.pretraining,
    "anomaly": section_labels.anomaly,
    "augmentation": section_labels.augmentation,
}


@dataclass(frozen=True)
class StudyReport:
    """Paths of a report: its page, its JSON file and the folder of its figures."""

    html: Path
    json: Path
    figures: Path


def write_report(plan: Plan, data: StudyData, out: Path, *, command: str, left_out: Sequence[str] = ()) -> StudyReport:
    """Write the report on the fits in a folder; an unfinished study has a report on the fits that are done."""
    results = Results.collect(plan, data, out)
    done, total = len(results.all), results.n_fits
    facts = _facts(plan, data, results, command)
    page = Page(
        title=plan.title,
        lead=f"{_rows(plan, data)}.{'' if done < total else f' All {total} fits are done.'}",
        warning=f"{done} of {total} fits are done; this page shows their results." if done < total else "",
        answers=answers(results),
        sections=list(_sections(plan, results)),
        note=NOTE,
        facts={TITLES[name]: value for name, value in facts.items()},
        left_out=list(dict.fromkeys(left_out)),
        files=FILES,
    )
    report = StudyReport(out / HTML, out / JSON, out / FIGURES)
    page.write_figures(report.figures)
    write_text(report.json, json.dumps(_numbers(plan, results, page, facts), indent=1, allow_nan=False) + "\n")
    write_text(report.html, page.html())
    return report


def _sections(plan: Plan, results: Results) -> Iterator[Section]:
    numbers = {step: number for number, step in NUMBERED.items()}
    for step, make in MADE.items():
        section = make(results) if step in plan.steps else None
        if section is not None and not section.empty:
            yield replace(section, number=numbers.get(step))
    if "summary" in plan.steps:
        yield section_tasks.recommendation()


def _rows(plan: Plan, data: StudyData) -> str:
    labels = f"{len(data.labels):,} labels" if data.labels else "no labels"
    return (
        f"{plan.data}: {len(data.train):,} rows of {data.train.features.width:,} columns for training, "
        f"{len(data.valid):,} for validation, {len(data.test):,} for testing; {labels}"
    )


def _facts(plan: Plan, data: StudyData, results: Results, command: str) -> dict[str, str]:
    """Return the run settings of the study: its command, data, seeds, versions and machine."""
    trained = [
        result.measures["fit"].numbers for result in results.all if "cpu_seconds" in result.measures["fit"].numbers
    ]
    minutes = sum(fit["cpu_seconds"] for fit in trained) / 60
    seeds = sorted({result.fit.seed for result in results.all})
    return {
        "command": command,
        "data": _rows(plan, data),
        "fingerprints": ", ".join(
            f"{name} {fingerprint}" for name, fingerprint in zip(("train", "valid", "test"), data.prints, strict=False)
        ),
        "rows from elsewhere": ", ".join(f"{name}, {len(odd):,} rows" for name, odd in data.unlike.items()) or "none",
        "seeds": ", ".join(map(str, seeds)) or "none",
        "devices": ", ".join(sorted({fit["device"] for fit in trained})) or "none",
        "training": f"{minutes:,.1f} CPU minutes for {len(trained):,} fits",
        "versions": versions(PACKAGES),
        "machine": machine(),
    }


def _numbers(plan: Plan, results: Results, page: Page, facts: dict[str, str]) -> dict[str, Any]:
    """Return the content of the JSON file: every number of each fit, and each table as it is shown."""
    return {
        "title": plan.title,
        "facts": facts,
        "left_out": list(page.left_out),
        "plan": folder.as_json(plan),
        "answers": [vars(answer) for answer in page.answers],
        "fits": [
            {
                "folder": result.name,
                **result.fit.identity,
                "spec": result.fit.settings,
                "latent": result.fit.latent,
                "layers": result.fit.layers,
                "steps": sorted(result.steps),
                "measures": {name: measured.numbers for name, measured in result.measures.items()},
            }
            for result in results.all
        ],
        "tables": page.tables,
    }
