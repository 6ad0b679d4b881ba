"""Tests of lists of items: read from every form, recognised only if certain, and never seen in an ordinary table."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers.lists.forms import form_of
from recsys_ae.data.readers.read import read_interactions
from recsys_ae.errors import ConfigError, DataError
from tests.data.files import refusal, text_of, written
from tests.data.test_interactions import check_valid, rows_of

LISTS = {0: [5, 7, 9, 2, 4], 1: [5], 3: [], 2: [8, 5]}
PAIRS = {(user, item) for user, items in LISTS.items() for item in items}
REMARK = "read as lists: each of 4 lines holds a user and their items, 1 of them without items"


def read(tmp_path: Path, text: str | bytes, name: str = "a.txt", **options: Any) -> Interactions:
    data = read_interactions(written(tmp_path / name, text), **options)
    check_valid(data)
    return data


def pairs(data: Interactions) -> set[tuple[Any, Any]]:
    return {(user, item) for user, item, *_ in rows_of(data)}


def flat(mark: str, lists: dict[Any, list[Any]] | None = None, end: str = "\n") -> str:
    chosen = LISTS if lists is None else lists
    return "".join(mark.join(map(str, [user, *items])) + end for user, items in chosen.items())


def nested(outer: str, inner: str, form: str = "{}", end: str = "\n") -> str:
    return "".join(f"{user}{outer}{form.format(inner.join(map(str, items)))}{end}" for user, items in LISTS.items())


NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]))


class TestForms:
    @pytest.mark.parametrize("mark", [" ", "  ", "\t", ",", ", ", ";", "|"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "\n\n"])
    def test_lines_of_integers_are_recognised(self, tmp_path, mark, end):
        data = read(tmp_path, flat(mark, end=end))
        assert pairs(data) == PAIRS
        assert data.remarks == (REMARK,)

    @pytest.mark.parametrize(
        ("outer", "inner", "form"),
        [
            (",", " ", "{}"), (",", ",", '"{}"'), (";", ",", "{}"), ("\t", ",", "{}"), ("\t", ", ", "{}"),
            (",", "|", "{}"), ("::", ",", "{}"), (": ", " ", "{}"), (" ", ",", "{}"),
            (",", ", ", '"[{}]"'), (";", ", ", "[{}]"),
            (",", ", ", "[{}]"), ("\t", " ", "[{}]"), (",", ";", '"{}"'),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("header", ["", "user{}items\n", "uid{}history\n"])
    def test_lists_in_a_second_column_are_recognised(self, tmp_path, outer, inner, form, header):
        data = read(tmp_path, header.format(outer) + nested(outer, inner, form).replace("3 \n", ""))
        assert pairs(data) == PAIRS
        assert data.remarks[0].startswith("read as lists: ")

    def test_the_layout_may_be_given(self, tmp_path):
        lists = {"ann": ["x", "y"], "bob": ["x"]}
        for mark in (" ", ",", "\t", ";"):
            data = read(tmp_path, flat(mark, lists), layout="lists")
            assert pairs(data) == {("ann", "x"), ("ann", "y"), ("bob", "x")}
        assert pairs(read(tmp_path, "ann,x y\nbob,x\n", layout="lists")) == pairs(data)
        assert pairs(read(tmp_path, "user,titles\nann,\"['x', 'y']\"\nbob,['x']\n", layout="lists")) == pairs(data)
        assert pairs(read(tmp_path, "who what\nann x y\nbob x\n", layout="lists", header=True)) == pairs(data)

    def test_ids_have_the_types_of_the_other_readers(self, tmp_path):
        data = read(tmp_path, "1 007 8 9 10 11\n2 8\n")
        assert data.users.tolist() == [1, 2]
        assert data.items.tolist() == ["007", "10", "11", "8", "9"]

    def test_compressed_and_other_encodings_are_read(self, tmp_path):
        assert pairs(read(tmp_path, gzip.compress(flat(" ").encode()), "a.txt.gz")) == PAIRS
        assert pairs(read(tmp_path, flat(" ").encode("utf-16"), encoding="utf-16")) == PAIRS
        assert pairs(read(tmp_path, flat(" ").encode("utf-8-sig"))) == PAIRS

    def test_large_numbers_stay_exact(self, tmp_path):
        assert read(tmp_path, f"1 2 3 4 {2**63 - 1}\n2 3\n").items[-1] == 2**63 - 1

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(
        st.dictionaries(
            st.integers(0, 10**6), st.lists(st.integers(0, 10**6), unique=True, max_size=8), min_size=2, max_size=9
        ),
        st.sampled_from([" ", "\t", ",", ";", "|"]),
        st.booleans(),
    )
    def test_any_lists_are_read_as_they_are_or_as_a_table(self, tmp_path_factory, lists, mark, given):
        folder = tmp_path_factory.getbasetemp()
        path = written(folder / "lists.txt", flat(mark, lists))
        expected = {(user, item) for user, items in lists.items() for item in items}
        widths = {len(items) for items in lists.values()}
        options: dict[str, Any] = {"layout": "lists"} if given else {}
        if not expected:
            with pytest.raises(DataError):
                read_interactions(path, **options)
        elif given or len(widths) >= 3 or (len(widths) == 2 and max(widths) >= 4):
            assert pairs(read_interactions(path, **options)) == expected


class TestTables:
    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(
        st.lists(st.tuples(*[st.integers(0, 99)] * 4), min_size=1, max_size=30, unique_by=lambda row: row[:2]),
        st.sampled_from([",", "\t", " ", ";", "|", "::"]),
        st.integers(2, 4),
    )
    def test_of_integers_are_rows(self, tmp_path_factory, rows, separator, width):
        folder = tmp_path_factory.getbasetemp()
        text = "".join(separator.join(map(str, row[:width])) + "\n" for row in rows)
        data = read_interactions(written(folder / "table.txt", text), separator=separator)
        assert pairs(data) == {row[:2] for row in rows}
        assert data.nnz == len(rows)

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.lists(st.tuples(NAMES, NAMES), min_size=1))
    def test_of_any_text_are_rows_unless_all_ids_are_integers(self, rows):
        text = text_of([(f"x{user}", f"x{item}") for user, item in rows])
        form = form_of(text.splitlines(), None, header=None, certain=True)
        assert form is None or form.inner == "["

    @pytest.mark.parametrize(
        "lines",
        [
            ["1;2,5", "2;3,5", "3;4,0"],  # decimal commas
            ['1,"1,234,567"', '2,"1,234,568"', '3,"2,234"'],  # separators of thousands
            ["1 2 5 100", "2 3 4 101", "3 4 5"],  # a table with a short row
            ["1,2,5", "2,3", "3,4,4"],
            ["1 5 7 9 11", "1 6 7", "2 5"],  # a user with two lines
            ["1 5 5 5 5 5", "2 6 7", "3 5"],  # an item twice
            ["1,2020-12-31 10:00:00", "2,2020-12-30 11:00:00"],
            ["1,Comedy|Drama|War", "2,Comedy"],
            ["1 2", "3 4", "5 6"],
            ["1 2 3 4 5 6", "2 3 4 5 6 7"],
            ["1\t2\t5.0\t100", "2\t3\t4.5\t101"],
            [],
        ],
    )
    def test_are_not_certainly_lists(self, lines):
        assert form_of(lines, None, header=None, certain=True) is None

    def test_whose_columns_are_requested_are_rows(self, tmp_path):
        path = written(tmp_path / "a.csv", "1,5 7 9\n2,5\n")
        assert read_interactions(path).nnz == 4
        assert read_interactions(path, user=0, item=1, header=False).items.tolist() == ["5", "5 7 9"]
        assert read_interactions(path, layout="rows", header=False).nnz == 2


class TestRefuses:
    def test_another_layout(self, tmp_path):
        path = written(tmp_path / "a.csv", "1,2\n")
        with pytest.raises(ConfigError, match="layout = 'matrix': expected one of auto, rows, lists"):
            read_interactions(path, layout="matrix")  # type: ignore[arg-type]

    def test_lists_between_other_columns(self, tmp_path):
        path = written(tmp_path / "a.csv", 'user,items,date\n1,"1 2 3",5\n')
        assert refusal(path, layout="lists") == "row 1 holds a list between other fields: '1 2 3'"

    def test_a_row_that_is_no_list_far_down(self, tmp_path):
        text = "".join(f"{user},{user} {user + 1} {user + 2}\n" for user in range(200_000)) + "7,8,9\n"
        assert refusal(written(tmp_path / "a.csv", text)).startswith(
            "row 200001 has 3 columns; expected a user and a li"
        )

    def test_users_without_any_item(self, tmp_path):
        assert (
            refusal(written(tmp_path / "a.txt", "1\n2\n"), layout="lists", separator=",")
            == "no line holds a user and an item"
        )
        assert refusal(tmp_path / "a.txt", layout="lists").startswith("no separator between a user and their items")
