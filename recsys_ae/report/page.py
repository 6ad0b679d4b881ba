"""The page of a report: one self-contained HTML file, from sections of plain parts."""

import base64
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from recsys_ae.errors import ArtefactError, MissingPackageError
from recsys_ae.report.charts import COLOURS
from recsys_ae.report.parts import Picture, Section, Table
from recsys_ae.storage.atomic import write_bytes, write_text

HTML, JSON, FIGURES = "report.html", "report.json", "figures"
HOME = "recsys_ae.report"


@dataclass(frozen=True)
class Answer:
    """A card at the top of the page: a question, its answer, the numbers behind it, and the section that has more."""

    question: str
    answer: str
    number: str
    detail: str
    anchor: str


@dataclass(frozen=True)
class Page:
    """Content of a page.

    Attributes
    ----------
    title, lead
        Title, and the sentence below it.
    warning
        Part of the lead that is important; empty if there is none.
    answers, sections
        Cards and sections, in order.
    note
        How the numbers are to be read.
    facts
        Run settings by name; that of ``Command`` is shown as code.
    left_out
        Remarks on what is missing.
    files
        What lies next to the page.
    """

    title: str
    lead: str
    warning: str
    answers: Sequence[Answer]
    sections: Sequence[Section]
    note: str
    facts: Mapping[str, str]
    left_out: Sequence[str]
    files: str

    def html(self) -> str:
        """Return the page.

        Raises
        ------
        MissingPackageError
            If jinja2 is not installed.
        """
        try:
            from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415
        except ImportError as error:
            raise MissingPackageError("a report needs the package jinja2: pip install jinja2") from error
        environment = Environment(
            loader=PackageLoader(HOME), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["address"] = _address
        text = {name: files(HOME).joinpath("templates", name).read_text("utf-8") for name in ("page.css", "page.js")}
        sprites = {address: f"sprite-{index}" for index, address in enumerate(_sprites(self.sections))}
        return environment.get_template("page.html.j2").render(
            page=self, sprites=sprites, colours=COLOURS, css=text["page.css"], js=text["page.js"]
        )

    @property
    def pictures(self) -> list[Picture]:
        """All figures."""
        return [picture for section in self.sections for picture in section.pictures]

    @property
    def tables(self) -> dict[str, Any]:
        """All tables as JSON values, by name."""
        return {table.name: as_rows(table) for section in self.sections for table in section.tables}

    def write_figures(self, folder: Path) -> None:
        """Write each figure as SVG and PNG; those of an earlier report are removed."""
        try:
            folder.mkdir(exist_ok=True)
            names = {f"{picture.name}.{ending}" for picture in self.pictures for ending in ("svg", "png")}
            for path in folder.iterdir():
                if path.suffix in (".svg", ".png") and path.name not in names:
                    path.unlink()
        except OSError as error:
            raise ArtefactError(f"cannot write {folder}: {error.strerror or error}") from error
        for picture in self.pictures:
            write_text(folder / f"{picture.name}.svg", picture.svg)
            write_bytes(folder / f"{picture.name}.png", picture.png)


def as_rows(table: Table) -> dict[str, Any]:
    """Return a table as JSON values: its numbers, and its texts as they are shown."""
    return {
        "caption": table.caption,
        "columns": [column.title for column in table.columns],
        "rows": [[cell.value for cell in row] for row in table.rows],
        "shown": [[cell.text for cell in row] for row in table.rows],
    }


def versions(packages: Sequence[str]) -> str:
    """Return the versions of Python and of those packages that are installed."""
    return ", ".join(_versions(packages))


def machine() -> str:
    """Return the processor, its number of cores, and the system."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass  # only Linux has this file
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def _versions(packages: Sequence[str]) -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for package in packages:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue


def _sprites(sections: Sequence[Section]) -> Sequence[str]:
    """Return the pictures of rows that the maps show, without duplicates."""
    return list(dict.fromkeys(chart.sprite for section in sections for chart in section.maps if chart.sprite))


def _address(picture: Picture) -> str:
    """Return a figure as a data URL, so that its ids cannot clash with those of other figures."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.svg.encode()).decode()
