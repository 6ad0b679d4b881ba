"""The report: one HTML page that needs nothing else, one JSON of every number, and the figures as files."""

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
from recsys_ae.features.study.report.charts import COLOURS
from recsys_ae.features.study.report.parts import Picture, Section
from recsys_ae.features.study.results import Results
from recsys_ae.features.study.tasks import NUMBERED
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
    """Where a report lies."""

    html: Path
    json: Path
    figures: Path


def write_report(plan: Plan, data: StudyData, out: Path, *, command: str, left_out: Sequence[str] = ()) -> StudyReport:
    """Write the report on what a folder of fits holds; a study that is not finished has one, too."""
    results = Results.collect(plan, data, out)
    sections = list(_sections(plan, results))
    context = {
        "title": plan.title,
        "answers": answers(results),
        "sections": sections,
        "facts": _facts(plan, data, results, command),
        "sprites": {address: f"sprite-{place}" for place, address in enumerate(_sprites(sections))},
        "left_out": list(dict.fromkeys(left_out)),
        "done": len(results.all),
        "total": results.n_fits,
        "colours": COLOURS,
    }
    found = StudyReport(out / HTML, out / JSON, out / FIGURES)
    _write_figures(found.figures, [picture for section in sections for picture in section.pictures])
    write_text(found.json, json.dumps(_numbers(plan, results, context), indent=1, allow_nan=False) + "\n")
    write_text(found.html, _page(context))
    return found


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
    loader = PackageLoader("recsys_ae.features.study.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["address"] = _address
    text = {
        name: files("recsys_ae.features.study.report").joinpath("templates", name).read_text("utf-8")
        for name in ("page.css", "page.js")
    }
    return environment.get_template("page.html.j2").render(**context, css=text["page.css"], js=text["page.js"])


def _sprites(sections: Sequence[Section]) -> Sequence[str]:
    """Return the pictures of rows that maps show, each once."""
    return list(dict.fromkeys(one.sprite for section in sections for one in section.maps if one.sprite))


def _address(picture: Picture) -> str:
    """Return a figure as an address within the page, where its ids meet those of no other."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.svg.encode()).decode()


def _write_figures(place: Path, pictures: Sequence[Picture]) -> None:
    try:
        place.mkdir(exist_ok=True)
        wanted = {f"{picture.name}.{ending}" for picture in pictures for ending in ("svg", "png")}
        for path in place.iterdir():  # of an earlier report on other steps
            if path.suffix in (".svg", ".png") and path.name not in wanted:
                path.unlink()
    except OSError as error:
        raise ArtefactError(f"cannot write {place}: {error.strerror or error}") from error
    for picture in pictures:
        write_text(place / f"{picture.name}.svg", picture.svg)
        write_bytes(place / f"{picture.name}.png", picture.png)


def _facts(plan: Plan, data: StudyData, results: Results, command: str) -> dict[str, str]:
    """Return under which circumstances it was measured."""
    trained = [one.measures["fit"].numbers for one in results.all if "cpu_seconds" in one.measures["fit"].numbers]
    seeds = sorted({one.fit.seed for one in results.all})
    labels = f"{len(data.labels):,} labels" if data.labels else "no labels"
    rows = (
        f"{plan.data}: {len(data.train):,} rows of {data.train.features.width:,} columns to learn from, "
        f"{len(data.valid):,} to follow the training on, {len(data.test):,} to measure on; {labels}"
    )
    return {
        "command": command,
        "data": rows,
        "fingerprints": ", ".join(
            f"{name} {one}" for name, one in zip(("train", "valid", "test"), data.prints, strict=False)
        ),
        "rows from elsewhere": ", ".join(f"{name}, {len(part):,}" for name, part in data.unlike.items()) or "none",
        "seeds": ", ".join(map(str, seeds)) or "none",
        "devices": ", ".join(sorted({one["device"] for one in trained})) or "none",
        "training": f"{sum(one['cpu_seconds'] for one in trained) / 60:,.1f} CPU minutes in {len(trained):,} fits",
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
        pass  # only Linux says so
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def _numbers(plan: Plan, results: Results, context: dict[str, Any]) -> dict[str, Any]:
    """Return every number: of each fit, and of each table as it is shown."""
    return {
        "title": plan.title,
        "facts": context["facts"],
        "left_out": context["left_out"],
        "plan": folder.as_json(plan),
        "answers": [vars(one) for one in context["answers"]],
        "fits": [
            {
                "folder": one.name,
                **one.fit.identity,
                "spec": one.fit.settings,
                "latent": one.fit.latent,
                "layers": one.fit.layers,
                "steps": sorted(one.steps),
                "measures": {name: measured.numbers for name, measured in one.measures.items()},
            }
            for one in results.all
        ],
        "tables": {made.name: _as_rows(made) for section in context["sections"] for made in _tables(section)},
    }


def _tables(section: Section) -> Sequence[Any]:
    return section.tables


def _as_rows(made: Any) -> dict[str, Any]:
    return {
        "caption": made.caption,
        "columns": [column.title for column in made.columns],
        "rows": [[cell.value if cell.value is not None else None for cell in row] for row in made.rows],
        "shown": [[cell.text for cell in row] for row in made.rows],
    }
