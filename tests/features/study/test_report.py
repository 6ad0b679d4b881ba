"""Tests of the report: its page, its JSON file, its figures and its tables."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from recsys_ae.features.study.plan import Plan
from recsys_ae.features.study.report import write_report
from recsys_ae.features.study.results import Mean, Results
from recsys_ae.features.study.runner import Advance, run_study
from recsys_ae.features.study.tasks import STEPS
from recsys_ae.nn.runtime import Run
from recsys_ae.report.parts import Column, table
from tests.features.study.conftest import Done
from tests.features.study.small import data, plan


class Elements(HTMLParser):
    """The elements of a page and their attributes; all elements must be closed."""

    VOID = ("meta", "link", "img", "circle")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def page(done: Done) -> Elements:
    return Elements(done.report.html.read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else(done: Done, page: Elements) -> None:
    assert page.open == []
    addresses = [attributes[name] for _, attributes in page.found for name in ("src", "href") if name in attributes]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses if address is not None)
    text = done.report.html.read_text(encoding="utf-8")
    assert "@import" not in text
    assert not re.search(r"url\((?!\$\{sprite)", text)


def test_every_step_has_a_part_of_the_page(page: Elements) -> None:
    sections = [attributes.get("id") for attributes in page.of("section")]
    assert [section for section in sections if section] == [*STEPS, "recommendation", "facts"]


def test_pictures_have_words_and_no_two_elements_one_name(page: Elements) -> None:
    images = [image for image in page.of("img") if "hidden" not in image]
    assert len(images) > 20
    assert all(len(image["alt"] or "") > 20 for image in images)
    names = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(names) == len(set(names))


def test_figures_are_files_too(done: Done, page: Elements) -> None:
    shown = {figure["id"].removeprefix("figure-") for figure in page.of("figure") if figure.get("id")}  # type: ignore[union-attr]
    for ending, start in (("svg", b"<svg"), ("png", b"\x89PNG")):
        files = {path.stem: path for path in done.report.figures.glob(f"*.{ending}")}
        assert set(files) == shown
        assert all(path.read_bytes().startswith(start) for path in files.values())


def test_the_numbers_are_those_that_were_kept(done: Done) -> None:
    written = json.loads(done.report.json.read_text(encoding="utf-8"))
    results = Results.collect(done.plan, data(), done.out)
    assert len(written["fits"]) == len(results.all) == results.n_fits
    for fit, result in zip(written["fits"], results.all, strict=True):
        assert fit["measures"] == {name: measured.numbers for name, measured in result.measures.items()}
    shown = written["tables"]["summary"]
    rmse = shown["columns"].index("RMSE")
    for row in shown["rows"]:
        mean = results.mean("error/test_rmse", model=row[0], latent=3)
        assert row[rmse] == (None if mean is None else mean.mean)
    assert written["facts"]["command"].endswith("'a < b'")


def test_what_is_typed_cannot_break_the_page(done: Done) -> None:
    text = done.report.html.read_text(encoding="utf-8")
    assert "a &lt; b" in text
    assert "a < b" not in text


def test_a_study_that_is_not_finished_has_a_report(tmp_path: Path, done: Done) -> None:
    def stop(advance: Advance) -> None:
        raise KeyboardInterrupt

    small = done.plan
    with pytest.raises(KeyboardInterrupt):
        run_study(small, data(), tmp_path, run=Run(device="cpu", threads=1), tell=stop)
    report = write_report(small, data(), tmp_path, command="again")
    assert f"1 of {Results.collect(small, data(), tmp_path).n_fits} fits are done" in report.html.read_text()


def test_nothing_at_all_has_a_report(tmp_path: Path, done: Done) -> None:
    report = write_report(done.plan, data(), tmp_path, command="none")
    assert "There are no results yet" in report.html.read_text()
    assert list(report.figures.iterdir()) == []


def test_without_labels_and_other_rows_their_steps_are_left_out(tmp_path: Path) -> None:
    bare = data(unlike={})
    names = ("train", "valid", "test", "pool")
    unlabelled = {name: dataclasses.replace(getattr(bare, name), labels=None) for name in names}
    bare = dataclasses.replace(bare, **unlabelled)
    small = plan({"steps": ["structure", "unlike", "retrieval", "tasks"], "models": ["pca", "deep"], "latents": [2]})
    run_study(small, bare, tmp_path, run=Run(device="cpu", threads=1))
    report = write_report(small, bare, tmp_path, command="bare")
    sections = [section.get("id") for section in Elements(report.html.read_text()).of("section")]
    assert "structure" in sections
    assert not {"unlike", "retrieval", "pretraining", "augmentation", "anomaly"} & set(sections)


def test_figures_of_an_earlier_report_go(tmp_path: Path) -> None:
    def figures(small: Plan) -> set[str]:
        run_study(small, data(), tmp_path, run=Run(device="cpu", threads=1))
        return {path.name for path in write_report(small, data(), tmp_path, command="").figures.iterdir()}

    group = {"steps": ["latent", "denoising"], "models": ["pca"], "latents": [2, 3]}
    assert figures(plan(group)) == {"latent.svg", "latent.png", "denoising.svg", "denoising.png"}
    assert figures(plan(group, steps=("latent",))) == {"latent.svg", "latent.png"}


def test_the_best_cell_of_a_column_is_marked() -> None:
    columns = [Column("model"), Column("error", better="low"), Column("hit", better="high"), Column("z")]
    errors = table(
        "t",
        "c",
        columns,
        [("a", [0.3, Mean(0.5, 0.1, 3), 2]), ("b", [-0.2, Mean(0.4, None, 1), None]), ("c", [None] * 3)],
    )
    assert errors is not None
    assert [[cell.best for cell in row] for row in errors.rows] == [
        [False, False, True, False],
        [False, True, False, False],
    ]
    assert [cell.text for cell in errors.rows[0]] == ["a", "0.3000", "0.5000 ± 0.1000", "2"]
    assert [cell.text for cell in errors.rows[1]] == ["b", "−0.2000", "0.4000", "–"]
    assert table("t", "c", columns, [("a", [None] * 3)]) is None
