"""The page of a report, its sentences and its file of numbers."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from recsys_ae.errors import ArtefactError
from recsys_ae.evaluation.page.contents import Contents, Model, Search
from recsys_ae.evaluation.page.report import advice, page_of, write_report
from tests.browser import LOADED, WIDE, Browser, chromium  # noqa: F401
from tests.single_thread import single_thread  # noqa: F401

TRIALS: list[dict[str, Any]] = [
    {"number": n, "model": model, "settings": settings, "value": value, "standard_error": 0.01, "seconds": 1.5,
     "status": status, "reason": reason, "elapsed": 2.0 * n}
    for n, (model, settings, value, status, reason) in enumerate(
        [
            ("ease", {}, 0.4, "complete", ""),
            ("mult_dae", {"hidden": [6, 4], "lr": 0.0012345}, 0.3, "pruned", "worse than trial 1"),
            ("als", {}, None, "refused", "too large"),
            ("ease", {"l2": 3.0}, 0.45, "complete", ""),
        ],
        start=1,
    )
]  # fmt: skip


@pytest.fixture
def searched(contents: Contents) -> Contents:
    return dataclasses.replace(contents, searches=[Search("tuning", "ndcg@5", TRIALS)])


class Page(HTMLParser):
    """Sections of a page, the rows of its tables, and all addresses."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.rows: list[list[str]] = []
        self.addresses: list[str] = []
        self.cell = False
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses += [str(values[name]) for name in ("src", "href") if name in values]
        if tag == "section" and "id" in values:
            self.sections.append(str(values["id"]))
        if tag == "tr":
            self.rows.append([])
        self.cell = tag in ("td", "th")
        if self.cell and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.cell = self.cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.cell and self.rows:
            self.rows[-1][-1] += data

    def row(self, name: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == name)


def test_the_page_has_all_sections_and_no_other_address(searched: Contents, tmp_path: Path) -> None:
    write_report(searched, tmp_path / "r.html")
    page = Page(tmp_path / "r.html")
    assert page.sections == [
        "leaderboard", "differences", "slices", "beyond", "curves", "costs", "lists", "search", "commands", "facts"
    ]  # fmt: skip
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= {*page.sections, "content"}


def test_the_numbers_are_those_of_the_reports(searched: Contents, tmp_path: Path) -> None:
    numbers = write_report(searched, tmp_path / "r.html")
    assert numbers == tmp_path / "r.json"
    content = json.loads(numbers.read_text("utf-8"))
    page = Page(tmp_path / "r.html")
    for model in searched.models:
        row = page.row(model.name)
        mean = model.report.mean["ndcg@5"]
        assert row[2].startswith(f"{mean:.4f}")
        assert content["models"][model.name]["metrics"]["ndcg@5"]["mean"] == mean
        assert content["tables"]["leaderboard"]["rows"][searched.models.index(model)][2] == mean
    shown = {row[0]: row for row in content["tables"]["search_0"]["shown"]}
    assert shown["4"][1:4] == ["ease", "l2=3", "0.4500 ± 0.0196"]
    assert shown["2"][1:3] == ["mult_dae", "hidden=6/4 lr=0.00123"]
    assert shown["3"][3:] == ["–", "1.5", "refused: too large"]
    assert [row[0] for row in content["tables"]["search_0"]["shown"]] == ["4", "1", "2", "3"]


def test_titles_and_names_of_others_are_text(searched: Contents, tmp_path: Path) -> None:
    write_report(searched, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "<others>" not in text
    assert "<b>" not in text
    assert "Three models &amp; &lt;others&gt;" in text
    rows = [row for row in Page(tmp_path / "r.html").rows if row and row[0] == "1" and len(row) == 5]
    assert len(rows) >= 3
    assert any("<b>&amp;" in cell for row in rows for cell in row)


def test_two_sentences_say_what_to_use_and_why(contents: Contents) -> None:
    first, second = advice(contents)
    chosen = contents.of_name(contents.chosen)
    mean, error = chosen.report.summary["ndcg@5"].mean, chosen.report.summary["ndcg@5"].standard_error
    assert first.startswith(
        f"Use {contents.chosen}, the best of 3 models on 10 validation users: its ndcg@5 is {mean:.4f} ± {error:.4f} "
        "over "
    )
    difference = mean - contents.of_name("popular").report.mean["ndcg@5"]
    assert f"{abs(difference):.4f} more than popular (+" in first
    assert re.fullmatch(r"Its lists hold \d+% of all items \(popular: \d+%\), and its fit took \d+\.\d s\.", second)


def test_a_difference_that_may_be_chance_is_called_so(models: list[Model]) -> None:
    twin = dataclasses.replace(models[0], name="twin", selection=0.0)
    first = next(iter(advice(Contents.of([models[0], twin], title="", part="test users", selected_by="3 users"))))
    assert "0.0000 more than twin (−0.0000 to −0.0000, which may be chance)" in first.replace("+0.0000", "−0.0000")


def test_a_better_model_on_the_measured_users_is_not_hidden(models: list[Model]) -> None:
    order = sorted(models, key=lambda model: model.report.mean["ndcg@5"])
    worst, best = order[0].name, order[-1].name
    changed = [dataclasses.replace(model, selection=float(model.name == worst)) for model in models]
    contents = Contents.of(changed, title="", part="test users", selected_by="10 validation users")
    first = next(iter(advice(contents)))
    assert f"less than {best}" in first
    said = page_of(contents).sections[0].sentences
    assert any(f"and {best} on these users, who must not select a model" in line for line in said)
    same = Contents.of(models, title="", part="validation users")
    assert any("selected by the same users" in line for line in page_of(same).sections[0].sentences)


def test_one_model_has_a_page_too(models: list[Model], tmp_path: Path) -> None:
    contents = Contents.of([models[0]], title="One model", part="test users", selected_by="10 validation users")
    write_report(contents, tmp_path / "r.html")
    assert next(iter(advice(contents))).startswith(f"Use {models[0].name}: its ndcg@5 is ")
    sections = Page(tmp_path / "r.html").sections
    assert "differences" not in sections
    assert "search" not in sections
    assert "curves" not in sections


def test_a_file_that_cannot_be_written_is_an_error(contents: Contents, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="nowhere"):
        write_report(contents, tmp_path / "nowhere" / "r.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_shows_it(chromium: Browser, searched: Contents, tmp_path: Path, width: int, scheme: str) -> None:  # noqa: F811
    write_report(searched, tmp_path / "r.html")
    chromium.complaints.clear()
    chromium.requests.clear()
    chromium.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    chromium.open(tmp_path / "r.html", width)
    widths = chromium.value(LOADED)
    assert len(widths) >= 6
    assert all(image > 0 for image in widths)
    assert chromium.complaints == []
    page = (tmp_path / "r.html").as_uri()
    assert [url for url in chromium.requests if not url.startswith(("data:", page))] == []
    assert chromium.value("document.documentElement.scrollWidth") <= width
    assert chromium.value(WIDE) == []
    back, ink = (chromium.value(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    levels = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (back, ink)]
    assert (levels[0] > levels[1]) == (scheme == "light")
