"""Tests of the report page in a browser."""

from pathlib import Path

import pytest

from tests.browser import LOADED, WIDE, Browser
from tests.features.study.conftest import Done


@pytest.fixture
def page(chromium: Browser, done: Done) -> Browser:
    chromium.complaints.clear()
    chromium.requests.clear()
    chromium.open(done.report.html, 1600)
    return chromium


def test_nothing_is_complained_of_and_nothing_fetched(page: Browser, done: Done) -> None:
    widths = page.value(LOADED)
    assert len(widths) > 20
    assert all(width > 0 for width in widths)
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("data:", done.report.html.as_uri()))] == []


def test_every_figure_is_seen(page: Browser, done: Done) -> None:
    page.value(LOADED)
    sizes = page.value(
        "[...document.querySelectorAll('figure')].map(f => (f.querySelector('svg') ?? f.querySelector('img')))"
        ".map(one => one.getBoundingClientRect()).map(box => [box.width, box.height])"
    )
    assert len(sizes) == len(list(done.report.figures.glob("*.svg")))
    assert all(width > 200 and height > 30 for width, height in sizes)


COLUMN = "[...document.querySelectorAll('#table-summary tbody tr')].map(r => r.cells[2].dataset.value)"
HEAD = "document.querySelectorAll('#table-summary thead th')[2]"


def test_a_table_is_sorted_by_click_and_by_key(page: Browser) -> None:
    def values() -> list[float]:
        return [float(number) for number in page.value(COLUMN) if number is not None]

    before = values()
    assert len(before) == 3
    page.value(f"{HEAD}.querySelector('button').click()")
    assert values() == sorted(before)
    assert page.value(f"{HEAD}.getAttribute('aria-sort')") == "ascending"
    page.value(f"{HEAD}.querySelector('button').focus()")
    page.key("Enter")
    assert values() == sorted(before, reverse=True)
    assert page.value(f"{HEAD}.getAttribute('aria-sort')") == "descending"
    assert page.value("document.querySelectorAll('#table-summary th[aria-sort=none]').length") > 2
    # A cell without a value stays at the end.
    assert page.value(COLUMN)[-1] is None


def test_a_map_tells_of_the_point_under_the_pointer(page: Browser) -> None:
    point = page.value(
        "(() => { const m = document.querySelector('.map'); m.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const c = m.querySelector('circle'), b = c.getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    assert page.value("document.querySelector('.tip').hidden")
    page.move(*point)
    tip = page.value("document.querySelector('.tip').textContent")
    near = page.value("[...document.querySelectorAll('.map')][0].querySelector('circle').dataset.name")
    labels = page.value("[...new Set([...document.querySelectorAll('.map circle')].map(c => c.dataset.label))]")
    assert not page.value("document.querySelector('.tip').hidden")
    assert tip.split(": ")[0].isdecimal()
    assert tip.split(": ")[1] in labels
    assert near.isdecimal()
    assert page.value("document.querySelector('.tip i').style.backgroundImage").startswith('url("data:image/png')
    page.move(2, 2)
    assert page.value("document.querySelector('.tip').hidden")


def test_a_map_is_walked_by_keys(page: Browser) -> None:
    page.value("document.querySelector('.map svg').focus()")
    tips = set()
    for _ in range(3):
        page.key("ArrowRight")
        tips.add(page.value("document.querySelector('.tip').textContent"))
    assert len(tips) == 3


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_is_wider_than_the_window(page: Browser, done: Done, width: int, tmp_path: Path) -> None:
    page.open(done.report.html, width)
    page.value(LOADED)
    assert page.value("document.documentElement.scrollWidth") <= width
    assert float(page.value("parseFloat(getComputedStyle(document.body).fontSize)")) >= 15
    # Only tables may be wider than the window; they are scrolled.
    wide = page.value(WIDE)
    assert wide == []
    page.picture(tmp_path / "page.png", whole=False)
    assert (tmp_path / "page.png").stat().st_size > 10_000
