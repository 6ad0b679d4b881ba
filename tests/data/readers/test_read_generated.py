"""Tests on generated files: they are read correctly, or refused with one line."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.data.id_forms import normal_text
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers.read import read_interactions
from recsys_ae.data.readers.written_values import MARKERS
from recsys_ae.errors import ConfigError, DataError
from tests.data.files import text_of, written, zipped
from tests.data.test_interactions import check_valid, rows_of


def outcome(path: Path, **options: Any) -> Interactions | None:
    """Read a file, and check that it is read correctly or refused with one line."""
    try:
        data, message = read_interactions(path, **options), ""
    except (DataError, ConfigError) as error:
        data, message = None, str(error)
    if data is None:
        assert len(message.splitlines()) == 1
    else:
        check_valid(data)
    return data


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "separator": st.sampled_from([",", "::", "\t", " ", ";;", "é"]) | st.text(max_size=2),
        "header": st.booleans(),
        "user": st.sampled_from(["user", 0, 1, 7]),
        "item": st.sampled_from(["item", 0, 1, -1]),
        "rating": st.sampled_from(["rating", 2]),
        "timestamp": st.sampled_from(["time", 1]),
        "encoding": st.sampled_from(["utf-8", "latin-1", "utf-16", "ascii", "utf-7"]),
        "duplicates": st.sampled_from(["last", "sum"]),
    },
)
FIELD = st.sampled_from(["1", "2", "5.0", "x", "", '"', '"a"', "nan", "-1", "é", "user", "🎬", "\0", "\ufeff"])
ODD = st.lists(FIELD | st.text(max_size=4), min_size=2, max_size=4)
WIDTH = 4
PLAIN = st.tuples(*[st.integers(0, 9).map(str)] * WIDTH)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    separator = draw(st.sampled_from([",", "\t", "::", " ", ";", "|"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    header = draw(st.sampled_from(["", "user,item,rating", "user,item,rating,time"]))
    fields = draw(st.sampled_from([PLAIN, PLAIN, PLAIN | ODD, st.tuples(*[FIELD] * WIDTH)]))
    rows = [header.replace(",", separator)] * bool(header) + [separator.join(row) for row in draw(st.lists(fields))]
    return end.join(rows).encode(draw(st.sampled_from(["utf-8", "utf-16", "utf-8-sig"])))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("generated")


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    texts() | texts() | st.binary() | st.text().map(str.encode),
    st.sampled_from(["a.csv", "a.csv", "a.csv", "a", "a.jsonl", "a.parquet", "a.zip", "a.csv.gz"]),
    st.just({"duplicates": "last"}) | OPTIONS,
)
def test_any_bytes_are_read_right_or_refused_in_one_line(folder, content, name, options):
    outcome(written(folder / name, content), **options)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    values = st.integers(0, 9) | st.integers(0, 9).map(str)
    row = {name: draw(values) for name in ("user", "item", "rating", "time")}
    return row | draw(st.just({}) | st.dictionaries(st.sampled_from(sorted(row)), VALUES, max_size=1))


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just([]) | st.just({})


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(objects(), min_size=1, max_size=5))
def test_any_json_lines_are_read_right_or_refused_in_one_line(folder, rows):
    outcome(written(folder / "a.jsonl", "\n".join(map(json.dumps, rows))), duplicates="last")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 5000), st.integers(1, 255), st.booleans(), st.sampled_from(["zip", "gz", "csv", "jsonl"]))
def test_a_file_changed_or_cut_anywhere_is_read_right_or_refused_in_one_line(folder, position, change, cut, form):
    rows = [("user", "item", "rating"), *((user, user * 7 % 11, user % 5) for user in range(150))]
    content = text_of(rows).encode()
    if form == "jsonl":
        content = "\n".join(json.dumps({"user": a, "item": b}) for a, b, _ in rows[1:]).encode()
    if form == "gz":
        content = gzip.compress(content, mtime=0)
    if form == "zip":
        content = zipped(folder / "whole.zip", ratings_csv=content).read_bytes()
    position %= len(content)
    changed = (
        content[:position]
        if cut
        else content[:position] + bytes([content[position] ^ change]) + content[position + 1 :]
    )
    outcome(written(folder / f"changed.{form}", changed))


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1f"), min_size=1, max_size=8)
# An id is the same with blanks around it, with a plus sign, or with a point behind a whole number.
NAMES = NAMES.map(lambda name: str(normal_text(name))).filter(lambda name: name.strip() not in MARKERS)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sets(st.tuples(NAMES, NAMES), min_size=1), st.sampled_from(["\n", "\r\n"]), st.sampled_from(",;\t|"))
def test_ids_survive_a_csv_file_whatever_they_are(folder, pairs, end, separator):
    rows = [("user", "item"), *pairs]
    text = text_of(rows, quoting=csv.QUOTE_ALL, lineterminator=end, delimiter=separator)
    data = read_interactions(written(folder / "ids.csv", text), separator=separator)
    assert {(str(user), str(item)) for user, item, *_ in rows_of(data)} == pairs


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sets(st.tuples(NAMES | st.integers(-9, 9), NAMES | st.integers(-(2**70), 2**70)), min_size=1))
def test_ids_survive_json_lines_with_their_types(folder, pairs):
    text = "\n".join(json.dumps({"user": user, "item": item}) for user, item in pairs)
    data = read_interactions(written(folder / "ids.jsonl", text))
    assert {(user, item) for user, item, *_ in rows_of(data)} == pairs
