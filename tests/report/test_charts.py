"""Charts of a page: intervals, points and lines, and their description for readers who do not see them."""

from xml.etree import ElementTree

import pytest

from recsys_ae.report.charts import Interval, Line, chart, intervals, scatter
from recsys_ae.report.parts import Picture

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: Picture) -> list[str]:
    return ["".join(text.itertext()).strip() for text in ElementTree.fromstring(picture.svg).iter(f"{SVG}text")]


def test_intervals_have_a_row_for_each_name_and_tell_their_numbers() -> None:
    rows = [Interval("edlae", 0.43, 0.42, 0.44, 0), Interval("<popular> & $x$", 0.22, None, None, 1)]
    picture = intervals("board", rows, x="ndcg@100", caption="A caption.", zero="als")
    assert picture is not None
    assert {"edlae", "<popular> & $x$", "ndcg@100", "als"} <= set(texts(picture))
    assert picture.alt == "ndcg@100. edlae: 0.43 (0.42 to 0.44). <popular> & $x$: 0.22."
    assert picture.png.startswith(b"\x89PNG")
    lower = intervals("board", rows * 4, x="ndcg@100", caption="")
    assert lower is not None
    assert heights([lower])[0] > heights([picture])[0]


def heights(pictures: list[Picture]) -> list[float]:
    return [float(ElementTree.fromstring(picture.svg).attrib["height"].removesuffix("pt")) for picture in pictures]


def test_points_have_a_legend() -> None:
    picture = scatter("wide", [("edlae", 0.1, 0.4), ("als", 0.3, 0.5)], x="coverage@20", y="ndcg@100", caption="")
    assert picture is not None
    assert {"edlae", "als", "coverage@20", "ndcg@100"} <= set(texts(picture))
    assert picture.alt == "ndcg@100 by coverage@20. edlae: 0.1, 0.4. als: 0.3, 0.5."


@pytest.mark.parametrize("n", [1, 12])
def test_equal_lines_of_one_point_are_drawn(n: int) -> None:
    lines = [Line(f"model {place}", [1.0], [0.5], [None], place) for place in range(n)]
    picture = chart("flat", lines, x="epoch", y="ndcg", caption="")
    assert picture is not None
    assert {line.name for line in lines} <= set(texts(picture))


def test_nothing_is_drawn_without_values() -> None:
    assert intervals("none", [], x="x", caption="") is None
    assert scatter("none", [], x="x", y="y", caption="") is None
    assert chart("none", [Line("empty", [], [], [], 0)], x="x", y="y", caption="") is None


def test_equal_charts_are_equal_files() -> None:
    first, again = (scatter("same", [("a", 1.0, 2.0)], x="x", y="y", caption="") for _ in range(2))
    assert first == again
