"""Tables for spreadsheets: no cell is a formula, and every id is the same when it is read again."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from recsys_ae.data.id_forms import from_cell
from recsys_ae_cli import table_writer
from tests.cli.conftest import Run

FORMULAS = [
    "=1+1", '=HYPERLINK("http://127.0.0.1","here")', "+1+1", "-2+3", "@SUM(1)", "=cmd|' /C calc'!A0", "\t=1", "\r=1",
    "\n=1", "＝1+1", "＋1", "－1+1", "＠A1", "'=1+1", "''=1", " =1+1", "\ufeff=1", "-", "+a",
]  # fmt: skip
HARMLESS = ["-5", "+5", "-5.5", "-1e5", "-.5", "'-5", "1-1", "'", "a=1", "it's", "#1", ""]
FIT = ("fit", "ease", "--no-track", "--min-user-items", "3", "--l2", "5")


def written(frame: pd.DataFrame, path: Path, *, safe_cells: bool = True) -> list[list[str]]:
    with table_writer.writer(path, overwrite=True, safe_cells=safe_cells) as write:
        write(frame[:1])
        write(frame[1:])
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=id": [*FORMULAS, *HARMLESS], "score": -1.5, "rank": -2})
    header, *rows = written(frame, tmp_path / "a.csv")
    assert header == ["'=id", "score", "rank"]
    assert [cell for cell, *_ in rows] == [*(f"'{text}" for text in FORMULAS), *HARMLESS]
    assert {tuple(numbers) for _, *numbers in rows} == {("-1.5", "-2")}
    raw = written(frame, tmp_path / "a.csv", safe_cells=False)
    assert [cell for cell, *_ in raw] == ["=id", *FORMULAS, *HARMLESS]


def test_a_carriage_return_begins_no_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    written(pd.DataFrame({"id": ["a", "b\r=1+1"], "score": [1.0, 2.0]}), path)
    assert path.read_bytes() == b'id,score\na,1.0\n"b\r=1+1",2.0\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_other_formats_keep_the_exact_ids(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with table_writer.writer(path, overwrite=False) as write:
        write(pd.DataFrame({"id": FORMULAS}))
    read = pd.read_parquet(path) if ending == "parquet" else pd.read_json(io.StringIO(path.read_text()), lines=True)
    assert read["id"].tolist() == FORMULAS


def test_a_table_that_fails_leaves_the_former_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("former")

    def fail() -> None:
        with table_writer.writer(path, overwrite=True) as write:
            write(pd.DataFrame({"id": ["=1"]}))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "former")]


@pytest.fixture
def fitted(cli: Run, here: Path) -> list[str]:
    """Fit a model whose ids are formulas without blanks at their ends; return the ids of the items."""
    ids = [text for text in FORMULAS if text == text.strip(" \t\r\n\ufeff")]
    rows = [
        {"user": f"{ids[u % len(ids)]}{u}", "item": item}
        for u in range(60)
        for i, item in enumerate(ids)
        if (u + i) % 3
    ]
    (here / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert cli(*FIT, "--data", "data.jsonl", "--out", "m").code == 0
    return ids


@pytest.mark.parametrize("cells", ["--safe-cells", "--raw-cells"])
def test_ids_are_the_same_when_a_table_is_read_again(cli: Run, fitted: list[str], cells: str) -> None:
    assert cli("recommend", "m", "--k", 3, "--out", "top.csv", cells).code == 0
    with Path("top.csv").open(encoding="utf-8", newline="") as file:
        is_formula = [row["item"][0] in "=+-@＝＋－＠" for row in csv.DictReader(file)]
    assert any(is_formula) == (cells == "--raw-cells")
    assert cli("recommend", "m", "--k", 3, "--out", "exact.jsonl").code == 0
    exact = pd.read_json("exact.jsonl", lines=True, dtype=False)
    again = cli("recommend", "m", "--k", 3, "--users", "top.csv", "--out", "again.jsonl")
    assert again.code == 0
    assert "unknown" not in again.err
    assert Path("again.jsonl").read_text() == Path("exact.jsonl").read_text()
    # The lists are denied, so that no item is recommended twice to the same user.
    denied = cli("recommend", "m", "--k", 3, "--deny", "top.csv", "--out", "others.jsonl")
    assert denied.code == 0
    assert "skipped" not in denied.err
    others = pd.read_json("others.jsonl", lines=True, dtype=False)
    assert others.merge(exact, on=["user", "item"]).empty


def test_histories_with_the_cells_of_a_table_are_those_of_the_same_items(cli: Run, fitted: list[str]) -> None:
    frame = pd.read_json("data.jsonl", lines=True, dtype=False)
    # Files of data are read as they are: an id that begins with an apostrophe is that id, if the model has it.
    frame = frame[(frame["user"].str[0] != "'") & (frame["item"].str[0] != "'")]
    frame.to_json("exact.jsonl", orient="records", lines=True)
    written(frame, Path("cells.csv"))
    assert cli(*FIT, "--data", "exact.jsonl", "--out", "n").code == 0
    assert cli("recommend", "n", "--k", 3, "--histories", "exact.jsonl", "--out", "a.jsonl").code == 0
    assert cli("recommend", "n", "--k", 3, "--histories", "cells.csv", "--out", "b.jsonl").code == 0
    exact, of_cells = (pd.read_json(name, lines=True, dtype=False) for name in ("a.jsonl", "b.jsonl"))
    of_cells["user"] = of_cells["user"].map(from_cell)
    order = ["user", "rank"]
    pd.testing.assert_frame_equal(*(top.sort_values(order, ignore_index=True) for top in (exact, of_cells)))


def test_a_split_keeps_the_exact_ids(cli: Run, fitted: list[str]) -> None:
    assert cli("data", "split", "data.jsonl", "--min-user-items", 3, "--out", "split").code == 0
    assert {*pd.read_parquet("split/train.parquet")["item"]} <= {*fitted}
