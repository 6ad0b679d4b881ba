"""Tests of the rules of text files: no row is dropped or invented in silence."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers.read import read_interactions
from recsys_ae.errors import ConfigError
from tests.data.files import refusal, text_of, written
from tests.data.test_interactions import rows_of


def read(folder: Path, text: str | bytes, name: str = "a.csv", **options: Any) -> Interactions:
    return read_interactions(written(folder / name, text), **options)


def lines_of(title: str, n: int = 20, separator: str = "\t") -> str:
    """Return a table of pairs with a title, which is ``title`` in rows 3 and 12."""
    titles = {3: title, 12: title}
    rows = [("user", "item", "title"), *((f"u{row}", row, titles.get(row, "x")) for row in range(1, n + 1))]
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


class TestQuotes:
    @pytest.mark.parametrize("title", ['"Great', '"Weird Al" Yankovic', 'disk 5"', '"', '"""', '"all"', '"a" and "b"'])
    @pytest.mark.parametrize("separator", ["\t", "::"])
    def test_of_titles_swallow_no_row_of_a_separated_file(self, tmp_path, title, separator):
        assert read(tmp_path, lines_of(title, separator=separator)).nnz == 20

    def test_that_open_far_down_are_ordinary_in_the_whole_file(self, tmp_path):
        text = lines_of('"all"', n=200_000) + 'u\t0\t"Great\n'
        assert read(tmp_path, text).nnz == 200_001
        text = text_of([("user", "item"), *(('"u"', row) for row in range(3))], delimiter="\t").replace('"""', '"')
        assert read(tmp_path, text + '"v\t1\n').users.tolist() == ['"u"', '"v']

    def test_of_writers_that_quote_all_text_go(self, tmp_path):
        frame = pd.DataFrame({"user": ["a", 'b "c"'], "item": ["1\n2", "x\ty"], "rating": [1.5, 2]})
        text = frame.to_csv(sep="\t", index=False, quoting=2)
        data = read(tmp_path, text, "a.tsv")
        assert sorted(map(str, data.items)) == ["1\n2", "x\ty"]
        assert "span several lines" in data.remarks[0]
        r_table = '"user" "item" "rating"\n"a b" "x" 4\n"c" "y z" 5\n'
        assert sorted(read(tmp_path, r_table, "r.txt").users) == ["a b", "c"]

    @pytest.mark.parametrize("separator", [",", ";"])
    def test_that_are_not_closed_are_refused_with_their_row(self, tmp_path, separator):
        for title in ('"Great', 'disk 5"'):
            text = lines_of(title, separator=separator).replace(title, '"Great', 1)
            path = written(tmp_path / "a.csv", text)
            message = refusal(path)
            assert message.startswith("row 3 spans several lines")
            assert "set quote = 'none'" in message
            assert read_interactions(path, quote="none").nnz == 20

    def test_of_texts_with_line_ends_are_read_with_a_remark(self, tmp_path):
        data = read(tmp_path, 'user,item,text\n1,2,"one\ntwo, and\nthree"\n3,4,x\n')
        assert data.nnz == 2
        assert "the first is row 1" in data.remarks[0]

    def test_in_ids_are_mentioned_where_they_are_ordinary(self, tmp_path):
        data = read(tmp_path, 'user\titem\n"a\t1\n"b"\t2\n')
        assert any("quotation marks are part of the user ids" in remark for remark in data.remarks)

    def test_may_be_told(self, tmp_path):
        path = written(tmp_path / "a.csv", 'user,item\n"a,1\n"b",2\n')
        assert read_interactions(path, quote="none").users.tolist() == ['"a', '"b"']
        path = written(tmp_path / "b.tsv", 'user\titem\na\t"b\tc"\n"d\t1\n')
        assert "set quote = 'double'" in refusal(path)
        path = written(tmp_path / "c.dat", 'a::1\n"b::2\n')
        assert "not closed in its line" in refusal(path, quote="double", header=False)
        with pytest.raises(ConfigError, match="quote = 'single': expected one of auto, none, double"):
            read_interactions(path, quote="single")  # type: ignore[arg-type]


class TestMissing:
    @pytest.mark.parametrize(
        "marker", ["NA", "N/A", "null", "NULL", r"\N", "nan", "NaN", "None", "<NA>", " ", "", " NA "]
    )
    @pytest.mark.parametrize("role", ["user", "item", "rating", "timestamp"])
    def test_values_are_refused_with_their_row_or_skipped_and_counted(self, tmp_path, marker, role):
        row = {"user": "u9", "item": "i1", "rating": "4", "timestamp": "1600000000"} | {role: marker}
        good = [("u1", "i1", 3, 1_600_000_000), ("u2", "i2", 5, 1_600_000_001)]
        path = written(tmp_path / "a.csv", text_of([tuple(row), good[0], tuple(row.values()), good[1]]))
        message = refusal(path)
        assert message.startswith(f"{role} in row 2 is missing: ")
        assert "set missing = 'skip'" in message
        data = read_interactions(path, missing="skip")
        assert rows_of(data) == [(*good[0], 0), (*good[1], 2)]
        (step,) = data.steps
        kind = "user or item" if role in ("user", "item") else "rating or timestamp"
        assert step.name == f"rows without a {kind}"
        assert (step.before[0], step.after) == (3, (2, 2, 2))
        named = any(f"a {role} written" in remark for remark in data.remarks)
        assert named == bool(marker.strip() and (marker != "nan" or role != "rating")) or marker in ("nan", "NaN")

    def test_ids_leave_integers(self, tmp_path):
        data = read(tmp_path, "user,item\n7,1\nNA,2\n8.0,3\n", missing="skip")
        assert data.users.tolist() == [7, 8]

    def test_rows_keep_their_numbers_in_messages(self, tmp_path):
        text = "user,item,rating\n,1,2\n1,1,2\n1,1,3\n"
        assert "rows 2 and 3" in refusal(written(tmp_path / "a.csv", text), missing="skip")
        path = written(tmp_path / "b.csv", "user,item,rating\n,1,2\n1,1,2\n1,2,five\n")
        assert "rating (" not in refusal(path, missing="skip")
        assert "in row 3 is not a number: 'five'" in refusal(path, missing="skip")

    def test_values_of_json_lines_and_frames(self, tmp_path):
        path = written(tmp_path / "a.jsonl", '{"user": "NA", "item": 1}\n{"user": "a", "item": 2}\n')
        assert "user in row 1 is missing: 'NA'" in refusal(path)
        assert read_interactions(path, missing="skip").nnz == 1
        frame = pd.DataFrame({"user": [1, None, 3], "item": [1, 2, 3]})
        data = Interactions.from_frame(frame, missing="skip")
        assert data.users.tolist() == [1, 3]
        assert data.order.tolist() == [0, 2]

    def test_values_in_every_row_are_an_error(self, tmp_path):
        assert "is missing in all 2 rows" in refusal(written(tmp_path / "a.csv", "user,item\n,1\n,2\n"), missing="skip")
        path = written(tmp_path / "a.csv", "user,item\n,1\n1,\n")
        assert "no rows are left" in refusal(path, missing="skip")


class TestHeaders:
    def test_a_wide_table_without_one_is_refused_unless_its_columns_are_given(self, tmp_path):
        path = written(tmp_path / "a.csv", "".join("0,5,3,0,1,2\n" for _ in range(3)))
        assert refusal(path).startswith("the file has 6 columns and no header")
        assert read_interactions(path, user=5, item=1, duplicates="last").shape == (1, 1)

    def test_quoted_numbers_over_plain_ones_are_names(self, tmp_path):
        path = written(tmp_path / "a.csv", '"1","2","3"\n0,5,3\n1,0,2\n')
        assert "no column was recognised as the user" in refusal(path)


class TestLines:
    def test_of_comments_before_the_table_are_skipped_with_a_remark(self, tmp_path):
        for mark in "#%":
            data = read(tmp_path, f"{mark} made by hand, in 2020, by me\n{mark}\nuser,item\n1,2\n")
            assert data.nnz == 1
            assert "begins with 2 lines of comments" in data.remarks[0]

    def test_of_names_or_ids_behind_a_hash_are_kept(self, tmp_path):
        assert read(tmp_path, "#user,item\n1,2\n").nnz == 1
        assert read(tmp_path, "#a,1\n#b,2\nc,3\n", header=False).nnz == 3

    def test_of_comments_and_a_preamble_may_be_told(self, tmp_path):
        text = "Title\nmore text\n// remark\nuser,item\n1,2\n// 5,6\n3,4\n"
        assert read(tmp_path, text, skip_lines=2, comment="//").nnz == 2
        for options in ({"comment": ""}, {"skip_lines": -1}, {"skip_lines": 1.5}):
            with pytest.raises(ConfigError, match=f"{next(iter(options))} = "):
                read(tmp_path, text, **options)

    def test_of_a_matrix_market_file_are_no_rows(self, tmp_path):
        text = "%%MatrixMarket matrix coordinate real general\n%\n40 24 3\n1 5 4\n"
        assert "Matrix Market" in refusal(written(tmp_path / "a.mtx", text))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
    def test_begin_after_a_byte_order_mark_without_a_header(self, tmp_path, encoding, end):
        text = f"7,1{end}8,2".encode(encoding)
        assert read(tmp_path, text, encoding=encoding).users.tolist() == [7, 8]

    def test_with_long_fields(self, tmp_path):
        text = f'user,item,text\n1,2,"{"x" * 200_000}"\n3,4,y\n'
        assert read(tmp_path, text).nnz == 2

    def test_with_zero_bytes_far_down(self, tmp_path):
        text = "user,item\n" + "".join(f"{row},1\n" for row in range(300_000)) + "\0,1\n"
        assert refusal(written(tmp_path / "a.csv", text)) == "this is not a text file: row 300,001 holds a zero byte"

    def test_with_a_bad_byte_have_a_number(self, tmp_path):
        path = written(tmp_path / "a.csv", b"user,item,title\na,1,Am\xe9lie\nAm\xe9lie,2,x\n")
        assert "(see row 2)" in refusal(path)


class TestValues:
    def test_with_a_decimal_comma_are_refused_or_read(self, tmp_path):
        path = written(tmp_path / "a.csv", "user;item;rating\n1;1;4\n1;2;3,5\n")
        message = refusal(path)
        assert "in row 2 is not a number: '3,5'" in message
        assert "set decimal = ','" in message
        assert read_interactions(path, decimal=",").matrix.data.tolist() == [4, 3.5]
        path = written(tmp_path / "b.csv", "user;item;rating\n1;1;4,5\n1;2;x\n")
        assert "in row 2 is not a number: 'x'" in refusal(path, decimal=",")
        with pytest.raises(ConfigError, match="decimal = ';': expected a point or a comma"):
            read_interactions(path, decimal=";")

    @pytest.mark.parametrize("value", ["5 stars", "1.234,5", "1 234", "4/5"])
    def test_of_other_forms_are_refused_with_their_row(self, tmp_path, value):
        path = written(tmp_path / "a.csv", f"user\titem\trating\n1\t1\t4\n1\t2\t{value}\n")
        assert f"in row 2 is not a number: {value!r}" in refusal(path)

    @pytest.mark.parametrize("texts", [("True", "False"), ("true", "false"), ("TRUE", "FALSE")])
    def test_that_are_true_or_false_are_ratings_as_in_frames(self, tmp_path, texts):
        frame = pd.DataFrame({"user": [1, 2], "item": [1, 1], "liked": [True, False]})
        expected = rows_of(Interactions.from_frame(frame, rating="liked"))
        text = f"user,item,rating\n1,1,{texts[0]}\n2,1,{texts[1]}\n"
        assert rows_of(read(tmp_path, text)) == expected
        json_text = '{"user": 1, "item": 1, "rating": true}\n{"user": 2, "item": 1, "rating": false}\n'
        assert rows_of(read(tmp_path, json_text, "a.jsonl")) == expected


class TestIds:
    def test_have_one_form(self, tmp_path):
        assert read(tmp_path, "user,item\n7,1\n7.0,2\n 8,3\n+9,4\n").users.tolist() == [7, 8, 9]
        data = read(tmp_path, "user,item\n7,1\n7.0,2\na ,3\na,4\n007,5\n")
        assert sorted(data.users) == ["007", "7", "a"]
        assert any("2 user ids are written in several ways" in remark for remark in data.remarks)

    def test_that_are_whole_floats_are_integers(self):
        data = Interactions.from_frame(pd.DataFrame({"user": [1.0, 2.0], "item": [1.5, 2.0]}))
        assert data.users.tolist() == [1, 2]
        assert data.users.dtype.kind == "i"
        assert data.items.tolist() == [1.5, 2.0]


class TestParquet:
    def test_tables_without_rows_or_columns_are_one_line(self, tmp_path):
        pd.DataFrame({"user": pd.Series(dtype=str), "item": pd.Series(dtype=str)}).to_parquet(tmp_path / "a.parquet")
        assert refusal(tmp_path / "a.parquet") == "the table has no rows"
        pd.DataFrame().to_parquet(tmp_path / "b.parquet")
        assert refusal(tmp_path / "b.parquet") == "the table has no columns"

    def test_nested_columns_are_refused(self, tmp_path):
        frame = pd.DataFrame({"user": [1, 2], "item": [{"id": 1}, {"id": 3}]})
        frame.to_parquet(tmp_path / "a.parquet")
        assert refusal(tmp_path / "a.parquet").startswith("the column item holds a struct<")
