"""Tests of files that cannot be read: the error is one helpful line that begins with the path."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.readers.read import read_interactions
from recsys_ae.data.readers.text_blocks import BLOCK
from recsys_ae.errors import ConfigError
from tests.data.files import HEADER, TABLE, lines, refusal, text_of, written, zipped
from tests.data.test_interactions import rows_of


class TestRefusesInOneLine:
    def test_a_file_that_is_not_there(self, tmp_path):
        assert refusal(tmp_path / "none.csv") == "there is no such file"
        path = written(tmp_path / "a.csv", lines())
        assert refusal(path / "b.csv") == "there is no such file; a.csv is not a zip archive"

    def test_a_folder(self, tmp_path):
        written(tmp_path / "a.csv", lines())
        written(tmp_path / "b.jsonl", "{}")
        assert refusal(tmp_path).startswith("the folder holds files of different kinds; give one of them, or a pattern")
        written(tmp_path / "b.jsonl", "{}").unlink()
        written(tmp_path / "movies.csv", "movieId,title\n1,x\n")
        assert refusal(tmp_path).startswith("movies.csv: it has no column userId, as a.csv has; its columns are: ")

    @pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.txt"])
    def test_an_empty_file(self, tmp_path, name):
        assert refusal(written(tmp_path / name, "")) == "the file is empty"

    @pytest.mark.parametrize("text", ["\n\n", "  \n", "\ufeff", "\r\n"])
    def test_a_file_of_empty_lines(self, tmp_path, text):
        assert refusal(written(tmp_path / "a.csv", text)) == "the file is empty"
        assert refusal(written(tmp_path / "a.csv.gz", gzip.compress(text.encode()))) == "the file is empty"

    @pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n\n"])
    @pytest.mark.parametrize("separator", [",", "::", " "])
    def test_a_header_alone(self, tmp_path, end, separator):
        path = written(tmp_path / "a.csv", separator.join(HEADER) + end)
        assert refusal(path) == "there is a header but no row"

    def test_a_parquet_file_without_rows(self, tmp_path):
        TABLE[:0].to_parquet(tmp_path / "a.parquet")
        assert refusal(tmp_path / "a.parquet") == "the table has no rows"

    def test_the_wrong_separator(self, tmp_path):
        path = written(tmp_path / "a.csv", lines("\t"))
        assert refusal(path, separator=",") == (
            "two columns are needed; separated by ',', the first line is 'userId\\tmovieId\\trating\\ttimestamp'"
        )
        assert "separated by '::'" in refusal(path, separator="::", user="userId")

    def test_a_text_without_separators(self, tmp_path):
        message = refusal(written(tmp_path / "a.csv", "hello\nworld\n"))
        assert message == (
            "two columns are needed; no separator was recognised in the first line, 'hello'; set separator"
        )

    def test_a_missing_column_and_says_which_there_are(self, tmp_path):
        path = written(tmp_path / "a.csv", lines())
        message = refusal(path, item="itemId")
        assert message.startswith("item = 'itemId': there is no such column; the columns are: userId, movieId,")
        assert "rating = 9: there is no such column" in refusal(path, rating=9)
        path = written(tmp_path / "b.csv", "userId,thing\n1,2\n")
        assert (
            "no column was recognised as the item; set item to its name or position; the columns are: userId, thing"
            in refusal(path)
        )

    def test_a_missing_column_of_the_other_formats(self, tmp_path):
        TABLE.to_parquet(tmp_path / "a.parquet")
        TABLE.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
        for name in ("a.parquet", "a.jsonl"):
            assert "the columns are: userId, movieId" in refusal(tmp_path / name, user="who")

    def test_a_name_that_occurs_twice(self, tmp_path):
        path = written(tmp_path / "a.csv", "user,item,item\n1,2,3\n")
        assert "item = 'item' occurs 2 times" in refusal(path, item="item")

    def test_a_name_where_there_is_no_header(self, tmp_path):
        path = written(tmp_path / "a.csv", lines())
        assert "user = 'userId' is a name, but header = False" in refusal(path, user="userId", header=False)

    def test_a_first_line_that_may_be_either(self, tmp_path):
        path = written(tmp_path / "a.csv", "alice,b1,5\nbob,b2,4\n")
        assert refusal(path) == (
            "the first line may hold column names or data: alice, b1, 5; "
            "say which with header = True or header = False, or set user and item to the names of the columns"
        )
        assert read_interactions(path, header=False).users.tolist() == ["alice", "bob"]

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("", "rating in row 3 is missing"),
            ("nan", "rating in row 3 is "),
            ("abc", "rating in row 3 is not a number: 'abc'"),
            ('"4,5"', "rating in row 3 is not a number: '4,5'"),
            ("inf", "rating in row 3 is not finite: inf"),
            ("-inf", "rating in row 3 is not finite: -inf"),
            ("1e39", "rating in row 3 is too large"),
        ],
    )
    @pytest.mark.parametrize("before", ["", "\n\n"])
    def test_a_rating_that_is_none(self, tmp_path, value, message, before):
        text = lines().replace("5.0", value).replace("\n", f"\n{before}")
        assert refusal(written(tmp_path / "a.csv", text)).startswith(message)

    def test_a_rating_that_is_none_in_the_other_formats(self, tmp_path):
        rows = [{"user": 1, "item": 1, "rating": 3}, {"user": 2, "item": 1, "rating": "abc"}]
        path = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
        assert refusal(path) == "rating in row 2 is not a number: 'abc'; to leave out the column, set rating = 'none'"
        path.write_text(path.read_text().replace('"abc"', "NaN"))
        assert refusal(path).startswith("rating in row 2 is missing")
        pd.DataFrame({"user": [1, 2], "item": [1, 1], "rating": [1.0, np.inf]}).to_parquet(tmp_path / "a.parquet")
        assert refusal(tmp_path / "a.parquet").startswith("rating in row 2 is not finite: inf")

    @pytest.mark.parametrize("value", ["-1", "-1.5"])
    def test_a_negative_timestamp(self, tmp_path, value):
        path = written(tmp_path / "a.csv", lines().replace("80", value))
        message = refusal(path)
        assert message.startswith("timestamp in row 3 is negative: ")
        assert value in message

    def test_a_timestamp_that_is_none(self, tmp_path):
        path = written(tmp_path / "a.csv", lines().replace("80", "yesterday"))
        assert refusal(path) == (
            "timestamp in row 3 is neither a number nor a date such as 2020-12-31T23:59:59Z: 'yesterday'; "
            "to leave out the column, set timestamp = 'none'"
        )

    @pytest.mark.parametrize("empty", ["", '""'])
    def test_an_empty_id(self, tmp_path, empty):
        assert refusal(written(tmp_path / "a.csv", f"user,item\n1,2\n{empty},3\n")).startswith(
            "user in row 2 is missing"
        )
        path = written(tmp_path / "a.jsonl", '{"user": "a", "item": ""}')
        assert refusal(path).startswith("item in row 1 is missing")

    def test_a_pair_that_occurs_twice(self, tmp_path):
        path = written(tmp_path / "a.csv", lines() + "3,10,1,1\n")
        assert refusal(path).startswith("user 3 and item 10 occur together in rows 1 and 4 (1 repeated pairs)")
        assert rows_of(read_interactions(path, duplicates="last"))[1] == (3, 10, 1, 1, 3)
        assert rows_of(read_interactions(path, duplicates="sum"))[1] == (3, 10, 5, 1, 3)

    @pytest.mark.parametrize("separator", [",", "::", "\t", " "])
    @pytest.mark.parametrize("header", [True, False])
    def test_a_row_with_too_few_or_too_many_fields(self, tmp_path, separator, header):
        good = lines(separator, header=header) * 1  # three rows of data
        short = written(tmp_path / "short.csv", good + f"1{separator}2\n" + lines(separator, header=False))
        message = f"row 4 has 2 columns, but the first line has 4: {f'1{separator}2'!r}"
        assert refusal(short, separator=separator) == message
        long = written(tmp_path / "long.csv", good + separator.join("abcde") + "\n")
        assert refusal(long, separator=separator).startswith("row 4 has 5 columns, but the first line has 4: ")

    def test_a_bad_row_far_down_is_numbered_right(self, tmp_path):
        n = 2_000_000
        text = "user,item\n" + "".join(f"{row},1\n" for row in range(n)) + "x\n"
        path = written(tmp_path / "a.csv", text)
        assert path.stat().st_size > 2 * BLOCK
        assert refusal(path).startswith(f"row {n + 1} has 1 columns")

    def test_a_quotation_mark_that_is_not_closed(self, tmp_path):
        path = written(tmp_path / "a.csv", 'user,item\n1,2\n"3,4\n5,6\n')
        assert refusal(path).endswith("is a quotation mark not closed?")
        path = written(tmp_path / "b.csv", 'user,item\n1,2\n"' + "3,4\n" * BLOCK)
        assert refusal(path).endswith("is a quotation mark not closed?")

    def test_a_first_line_without_end(self, tmp_path):
        assert "does not end within" in refusal(written(tmp_path / "a.csv", "x" * 3_000_000))

    def test_a_file_that_is_not_text(self, tmp_path):
        assert (
            refusal(written(tmp_path / "a.csv", bytes(range(256)) * 9))
            == "this is not a text file: it holds zero bytes"
        )
        noise = bytes(1 + byte % 255 for byte in np.random.default_rng(0).bytes(5000))
        assert "give its encoding" in refusal(written(tmp_path / "b.csv", noise))

    def test_the_wrong_encoding(self, tmp_path):
        hint = "the file is not utf-8 text; give its encoding, such as encoding = 'latin-1'"
        assert refusal(written(tmp_path / "a.csv", "user,item\nAmélie,1\n".encode("latin-1"))) == f"{hint} (see row 1)"
        assert (
            refusal(written(tmp_path / "b.csv", "usér,item\nx,1\n".encode("latin-1"))) == f"{hint} (see the first line)"
        )
        assert refusal(written(tmp_path / "c.jsonl", '{"user": "Amélie", "item": 1}'.encode("latin-1"))) == hint
        assert "use encoding = 'utf-16'" in refusal(written(tmp_path / "d.csv", lines().encode("utf-16")))
        path = written(tmp_path / "e.csv", "user,item\nAmélie,1\n".encode())
        assert refusal(path, encoding="ascii").startswith("the file is not ascii text")

    def test_a_control_character_in_the_place_of_a_long_separator(self, tmp_path):
        path = written(tmp_path / "a.dat", "user::item\na\x1fb::1\n")
        assert "holds the control character" in refusal(path)

    def test_a_truncated_or_damaged_archive(self, tmp_path):
        text = text_of([("user", "item"), *((user * 7919 % 10_007, user) for user in range(5000))]).encode()
        packed = gzip.compress(text)
        archive = zipped(tmp_path / "whole.zip", a_csv=text).read_bytes()
        for name, content in {
            "short.csv.gz": packed[: len(packed) // 2],
            "changed.csv.gz": packed[:5000] + b"?" + packed[5001:],
            "fake.csv.gz": text,
            "short.zip": archive[: len(archive) // 2],
            "changed.zip": archive[:5000] + bytes([archive[5000] ^ 255]) + archive[5001:],
            "fake.zip": text,
            "empty.zip": b"",
        }.items():
            assert refusal(written(tmp_path / name, content)).startswith("the file is truncated or damaged ("), name

    def test_a_truncated_parquet_file(self, tmp_path):
        TABLE.to_parquet(tmp_path / "a.parquet")
        content = (tmp_path / "a.parquet").read_bytes()
        for n in (10, len(content) // 2, len(content) - 1):
            assert "Parquet" in refusal(written(tmp_path / "b.parquet", content[:n]))
        assert "Parquet" in refusal(written(tmp_path / "c.parquet", lines()))

    def test_an_archive_of_several_files_and_lists_them(self, tmp_path):
        path = zipped(tmp_path / "set.zip", s__ratings_csv=lines(), s__movies_csv="x", s__README="y")
        assert refusal(path) == (
            "the zip archive holds 2 files; give one of them as set.zip/s/ratings.csv: s/ratings.csv, s/movies.csv"
        )
        assert refusal(path / "links.csv").startswith("the zip archive has no file links.csv; it holds: s/ratings.csv")
        assert refusal(zipped(tmp_path / "none.zip", README="y")) == "the zip archive holds no data file"

    def test_an_archive_with_a_password(self, tmp_path):
        path = zipped(tmp_path / "a.zip", a_csv=lines())
        content = bytearray(path.read_bytes())
        for start, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(start) + offset] |= 1  # the flag that says: encrypted
        assert "password" in refusal(written(path, bytes(content)))

    @pytest.mark.parametrize("line", ["[1, 2]", "5", '{"user": 1', "nonsense", '"text"', "[" * 100_000])
    def test_a_line_that_is_no_json_object(self, tmp_path, line):
        path = written(tmp_path / "a.jsonl", '{"user": 1, "item": 1}\n\n' + line + "\n")
        assert refusal(path).startswith("row 2 is not a JSON object: ")

    def test_a_json_array(self, tmp_path):
        path = written(tmp_path / "a.json", '[\n{"user": 1, "item": 1}\n]')
        assert refusal(path).endswith("JSON arrays are not supported, write one object per line")

    @pytest.mark.parametrize("value", ["[[1]]", "{}", "true"])
    def test_a_json_id_that_is_none(self, tmp_path, value):
        path = written(tmp_path / "a.jsonl", f'{{"user": {value}, "item": 1}}')
        assert refusal(path).startswith("user in row 1 is neither text nor a number")

    def test_half_a_character_in_json(self, tmp_path):
        path = written(tmp_path / "a.jsonl", '{"user": "\\ud83c", "item": 1}')
        assert refusal(path) == "user in row 1 is not valid Unicode text: '\\ud83c'"

    @pytest.mark.skipif(sys.platform == "win32", reason="permissions work differently there")
    def test_a_file_nobody_may_read(self, tmp_path, monkeypatch):
        path = written(tmp_path / "a.csv", lines())

        def refuse(*args: Any, **kwargs: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
        assert refusal(path) == "the file cannot be read: Permission denied"

    def test_options_that_do_not_exist(self, tmp_path):
        path = written(tmp_path / "a.csv", lines())
        with pytest.raises(ConfigError, match="encoding = 'klingon' is unknown"):
            read_interactions(path, encoding="klingon")
        for separator in ("", "\n", '"', "\0"):
            with pytest.raises(ConfigError, match="separator = "):
                read_interactions(path, separator=separator)
        with pytest.raises(ConfigError, match="duplicates = 'first'"):
            read_interactions(path, duplicates="first")  # type: ignore[arg-type]

    def test_to_read_without_pyarrow_and_says_what_to_do(self, tmp_path):
        path = written(tmp_path / "a.csv", lines())
        code = (
            "import sys; sys.modules['pyarrow'] = None\n"
            "from recsys_ae.data.readers.read import read_interactions\n"
            "from recsys_ae.errors import MissingPackageError\n"
            f"try: read_interactions({str(path)!r})\n"
            "except MissingPackageError as error: print(error)"
        )
        process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert process.stdout.startswith("reading files needs the package pyarrow: pip install pyarrow")
