"""Lists of ids: one in each line, or columns of a table in any format."""

import csv
import gzip
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.data.reading import Reading
from recsys_ae.errors import DataError

TEXTS = st.text("abcXYZ_-.é🎬", min_size=1, max_size=6).map(lambda text: f"i{text}")
IDS = st.lists(TEXTS, min_size=1, max_size=8) | st.lists(st.integers(0, 10**12), min_size=1, max_size=8)
FORMATS = ["lines", ",", "\t", ";", "|", "parquet", "jsonl"]


def packed(path: Path, content: bytes, packing: str) -> Path:
    """Write a file, compressed as its packing says."""
    if packing == "zip":
        with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
            archive.writestr(path.name, content)
        return path.with_suffix(".zip")
    path = path.with_name(path.name + (".gz" if packing == "gz" else ""))
    path.write_bytes(gzip.compress(content) if packing == "gz" else content)
    return path


def table(columns: dict[str, list[Any]], form: str) -> bytes:
    """Return a table in a format."""
    frame = pd.DataFrame(columns)
    if form == "parquet":
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
        return buffer.getvalue()
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in frame.to_dict("records")).encode()
    text = io.StringIO()
    csv.writer(text, delimiter=form).writerows([list(columns), *zip(*columns.values(), strict=True)])
    return text.getvalue().encode()


@settings(deadline=None, max_examples=60)
@given(ids=IDS, form=st.sampled_from(FORMATS), packing=st.sampled_from(["", "gz", "zip"]), name=st.sampled_from(
    ["user", "userId", "reader", "klient"]), lead=st.booleans())  # fmt: skip
def test_a_list_of_users_is_read_from_every_format(
    ids: list[Any], form: str, packing: str, name: str, *, lead: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"users.{form if form.isalpha() and form != 'lines' else 'txt'}"
        if form == "lines":
            content = "".join(f"{id}\r\n\n" for id in ids).encode()
        else:
            content = table({"segment": ["x y"] * len(ids), name: ids} if lead else {name: ids}, form)
        path = packed(path, content, packing)
        found = Reading(user_column="reader").read_ids(path, "user", fitted=Reading(user_column="klient"))
    assert list(found.columns) == ["user"]
    assert [str(id) for id in found["user"]] == [str(id) for id in ids]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(TEXTS, st.integers(0, 99)), min_size=1, max_size=8), st.sampled_from(FORMATS[1:]))
def test_pairs_are_read_from_every_format(pairs: list[tuple[str, int]], form: str) -> None:
    users, items = map(list, zip(*pairs, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.dat"
        path.write_bytes(table({"isbn13": items, "stars": [1] * len(items), "reader": users}, form))
        fitted = Reading(user_column="reader", item_column="isbn13")
        found = Reading().read_ids(path, "user", "item", fitted=fitted, every=True)
    assert list(zip(found["user"], found["item"].astype(int), strict=True)) == pairs


@pytest.mark.parametrize(
    ("text", "own", "roles", "expected"),
    [
        ('a, b\n"c\nd | e\n', {}, ("user", "item"), {"item": ["a, b", '"c', "d | e"]}),
        ("1,5\n2,6\n", {}, ("user", "item"), {"user": [1, 2], "item": [5, 6]}),
        ("1\t5\n2\t6\n", {}, ("user",), {"user": [1, 2]}),
        ("u\tv\nw\tx\n", {"header": False}, ("user", "item"), {"user": ["u", "w"], "item": ["v", "x"]}),
        ("1;5\n2;6\n", {"user_column": 1, "item_column": 0}, ("user", "item"), {"user": [5, 6], "item": [1, 2]}),
        ("user,item\nu,v\n", {"user_column": "who"}, ("user", "item"), {"user": ["u"], "item": ["v"]}),
        ("item,rating\n007,4\n", {}, ("user", "item"), {"item": ["007"]}),
        ('user\n"a, b"\nc\n', {}, ("user",), {"user": ["a, b", "c"]}),
        ("klient\nc\n", {"header": False}, ("user",), {"user": ["klient", "c"]}),
        ('"a ""b"", c"\n"d"\n', {}, ("item",), {"item": ['a "b", c', "d"]}),
        ("# one\nx\n", {}, ("item",), {"item": ["# one", "x"]}),
        ("\ufeffx\ny\n", {}, ("item",), {"item": ["x", "y"]}),
    ],
)
def test_a_text_is_a_table_if_its_first_line_shows_one(
    tmp_path: Path, text: str, own: dict[str, Any], roles: tuple[str, ...], expected: dict[str, list[Any]]
) -> None:
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    found = Reading(**own).read_ids(tmp_path / "list.txt", *roles)
    assert {name: column.tolist() for name, column in found.items()} == expected


def test_rows_without_an_id_are_skipped_and_counted_if_asked(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("user,item\nu,1\n,2\nv,NA\nw,3\n")
    found = Reading(missing="skip").read_ids(path, "user", "item")
    assert found.to_dict("list") == {"user": ["u", "w"], "item": [1, 3]}
    assert found.attrs["remarks"][-1] == "skipped 2 of 4 rows without a user or item"
    for text, message in (("user,item\n,1\n", "none of the 1 rows"), ("", "is empty")):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            Reading(missing="skip").read_ids(path, "user", "item")


@pytest.mark.parametrize(
    ("text", "roles", "every", "message"),
    [
        ("", ("user",), False, "is empty"),
        ("user\n", ("user",), False, "no row"),
        ("item,date\n1,2\n", ("user",), False, "no column was recognised as the user; set user_column"),
        ("user,date\n1,2\n", ("user", "item"), False, "no column was recognised as the item; set item_column"),
        ("a\nb\n", ("user", "item"), True, "no column was recognised as the user"),
        ("user,isbn\nu,1\nv,NA\n", ("user", "item"), False, "item (column isbn) in row 2 is missing: 'NA'"),
        ("a,b\nc,d\n", ("user", "item"), True, "may hold column names or data"),
        ("user,isbn\nu,1\nv,\n", ("user", "item"), True, "item (column isbn) in row 2 is missing"),
    ],
)
def test_a_list_that_cannot_be_read_says_what_to_do(
    tmp_path: Path, text: str, roles: tuple[str, ...], every: bool, message: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        Reading().read_ids(path, *roles, every=every)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
