"""Cells of tables for spreadsheets, and the ids that they stand for."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from recsys_ae.data.id_forms import as_cell, from_cell
from recsys_ae.data.id_matching import match
from recsys_ae.data.reading import Reading

TEXTS = st.text(st.sampled_from("=+-@＝－'\t\r\n 5.e\ufeffa,;\""), max_size=6) | st.text(max_size=10)


@given(TEXTS)
def test_a_cell_is_no_formula_and_stands_for_one_text(text: str) -> None:
    cell = as_cell(text)
    assert from_cell(cell) == text
    assert cell in (text, f"'{text}")
    if cell[:1] in {*"=+-@＝＋－＠\t\r\n"}:
        float(cell)  # only numbers keep their sign


@given(st.lists(TEXTS, unique=True, max_size=6))
def test_different_texts_have_different_cells(texts: list[str]) -> None:
    assert len({as_cell(text) for text in texts}) == len(texts)


def test_a_cell_matches_its_id_and_an_equal_id_first() -> None:
    assert match(pd.Index(["=1", "a"]), ["'=1", "'a", "=1"]).tolist() == [0, -1, 0]
    assert match(pd.Index(["'=1", "a"]), ["=1", "''=1", "'=1"]).tolist() == [0, 0, 0]
    assert match(pd.Index(["=1", "'=1"]), ["'=1", "=1", "''=1"]).tolist() == [1, 0, 1]
    assert match(pd.Index([-5, 7]), ["-5", "'-5"]).tolist() == [0, -1]


@given(st.lists(TEXTS.filter(lambda text: text.strip() == text != "" and text.isprintable()), min_size=1, unique=True))
def test_a_list_in_cells_is_read_as_the_ids(texts: list[str]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = f"{folder}/users.csv"
        frame = pd.DataFrame({"user": [f"{text}x" for text in texts], "rank": 1})
        frame.assign(user=frame["user"].map(as_cell)).to_csv(path, index=False)
        read = Reading().read_ids(path, "user")["user"].tolist()
    assert read == frame["user"].tolist()
