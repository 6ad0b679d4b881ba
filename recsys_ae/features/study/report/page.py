"""Files of a report: one self-contained HTML page, one JSON file with every number, and the figures."""

import base64
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from recsys_ae.errors import ArtefactError, MissingPackageError
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
from recsys_ae.report.charts import COLOURS
from recsys_ae.report.parts import Picture, Section
from recsys_ae.storage.atomic import write_bytes, write_text

HTML, JSON, FIGURES = "report.html", "report.json", "figures"
PACKAGES = ("recsys-ae", "torch", "numpy", "scipy", "scikit-learn", "matplotlib", "umap-learn")
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
    sections = list(_sections(plan, results))
    context = {
        "title": plan.title,
        "answers": answers(results),
        "sections": sections,
        "facts": _facts(plan, data, results, command),
        "sprites": {address: f"sprite-{index}" for index, address in enumerate(_sprites(sections))},
        "left_out": list(dict.fromkeys(left_out)),
        "done": len(results.all),
        "total": results.n_fits,
        "colours": COLOURS,
    }
    report = StudyReport(out / HTML, out / JSON, out / FIGURES)
    _write_figures(report.figures, [picture for section in sections for picture in section.pictures])
    write_text(report.json, json.dumps(_numbers(plan, results, context), indent=1, allow_nan=False) + "\n")
    write_text(report.html, _page(context))
    return report


def _sections(plan: Plan, results: Results) -> Iterator[Section]:
    numbers = {step: number for number, step in NUMBERED.items()}
    for step, make in MADE.items():
        section = make(results) if step in plan.steps else None
        if section is not None and not section.empty:
            yield replace(section, number=numbers.get(step))
    if "summary" in plan.steps:
        yield section_tasks.recommendation()


def _page(context: dict[str, Any]) -> str:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError("the report of a study needs the package jinja2: pip install jinja2") from error
    loader = PackageLoader("recsys_ae.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["address"] = _address
    text = {
        name: files("recsys_ae.report").joinpath("templates", name).read_text("utf-8")
        for name in ("page.css", "page.js")
    }
    return environment.get_template("page.html.j2").render(**context, css=text["page.css"], js=text["page.js"])


def _sprites(sections: Sequence[Section]) -> Sequence[str]:
    """Return the pictures of rows that the maps show, without duplicates."""
    return list(dict.fromkeys(chart.sprite for section in sections for chart in section.maps if chart.sprite))


def _address(picture: Picture) -> str:
    """Return a figure as a data URL, so that its ids cannot clash with those of other figures."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.svg.encode()).decode()


def _write_figures(figures: Path, pictures: Sequence[Picture]) -> None:
    try:
        figures.mkdir(exist_ok=True)
        names = {f"{picture.name}.{ending}" for picture in pictures for ending in ("svg", "png")}
        for path in figures.iterdir():
            if path.suffix in (".svg", ".png") and path.name not in names:
                path.unlink()  # it belongs to an earlier report on other steps
    except OSError as error:
        raise ArtefactError(f"cannot write {figures}: {error.strerror or error}") from error
    for picture in pictures:
        write_text(figures / f"{picture.name}.svg", picture.svg)
        write_bytes(figures / f"{picture.name}.png", picture.png)


def _facts(plan: Plan, data: StudyData, results: Results, command: str) -> dict[str, str]:
    """Return the run settings of the study: its command, data, seeds, versions and machine."""
    trained = [
        result.measures["fit"].numbers for result in results.all if "cpu_seconds" in result.measures["fit"].numbers
    ]
    seeds = sorted({result.fit.seed for result in results.all})
    labels = f"{len(data.labels):,} labels" if data.labels else "no labels"
    rows = (
        f"{plan.data}: {len(data.train):,} rows of {data.train.features.width:,} columns for training, "
        f"{len(data.valid):,} for validation, {len(data.test):,} for testing; {labels}"
    )
    return {
        "command": command,
        "data": rows,
        "fingerprints": ", ".join(
            f"{name} {fingerprint}" for name, fingerprint in zip(("train", "valid", "test"), data.prints, strict=False)
        ),
        "rows from elsewhere": ", ".join(f"{name}, {len(odd):,} rows" for name, odd in data.unlike.items()) or "none",
        "seeds": ", ".join(map(str, seeds)) or "none",
        "devices": ", ".join(sorted({fit["device"] for fit in trained})) or "none",
        "training": f"{sum(fit['cpu_seconds'] for fit in trained) / 60:,.1f} CPU minutes for {len(trained):,} fits",
        "versions": ", ".join(_versions()),
        "machine": _machine(),
    }


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue


def _machine() -> str:
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass  # only Linux has this file
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def _numbers(plan: Plan, results: Results, context: dict[str, Any]) -> dict[str, Any]:
    """Return the content of the JSON file: every number of each fit, and each table as it is shown."""
    return {
        "title": plan.title,
        "facts": context["facts"],
        "left_out": context["left_out"],
        "plan": folder.as_json(plan),
        "answers": [vars(answer) for answer in context["answers"]],
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
        "tables": {table.name: _as_rows(table) for section in context["sections"] for table in _tables(section)},
    }


def _tables(section: Section) -> Sequence[Any]:
    return section.tables


def _as_rows(table: Any) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "columns": [column.title for column in table.columns],
        "rows": [[cell.value if cell.value is not None else None for cell in row] for row in table.rows],
        "shown": [[cell.text for cell in row] for row in table.rows],
    }
