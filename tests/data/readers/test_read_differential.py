"""Tests against Python's csv: every row of a file is used, counted in a step, or the file is refused with one line."""

import csv
import io
import random
from pathlib import Path
from typing import NamedTuple

import pytest

from recsys_ae.data.id_forms import normal_text
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers.read import read_interactions
from recsys_ae.data.readers.written_values import MARKERS
from recsys_ae.errors import DataError
from tests.data.files import written
from tests.data.test_interactions import check_valid, rows_of

IDS = [
    "1",
    "2",
    "3.0",
    "007",
    "u 1",
    " x",
    "é",
    "a,b",
    "a;b",
    "a\tb",
    "a|b",
    'say "hi"',
    "NA",
    "",
    "null",
    "🎬",
    "z" * 200,
]
TEXTS = [
    "fine",
    "",
    '"Great',
    'disk 5"',
    '"Weird Al" Yankovic',
    "two\nlines",
    '5" disk',
    "a,b",
    '"all"',
    "x;y",
    "tab\there",
]
PLAIN = ["u1", "u2", "7", "8", "9", "item"]


class File(NamedTuple):
    """A generated file: its text, its columns, and what must become of it."""

    text: str
    separator: str
    header: bool
    encoding: str
    safe: bool
    """Whether it is written as Python's csv writes it, so that it must be read."""


def generated(seed: int) -> File:
    random_ = random.Random(seed)
    separator = random_.choice([",", ",", ";", "|", "\t", "\t"])
    end = random_.choice(["\n", "\n", "\r\n", "\r"])
    header, safe = random_.random() < 0.7, random_.random() < 0.5
    ids = random_.choice([PLAIN, IDS])
    n = random_.randrange(1, 12)
    rows = [[random_.choice(ids), f"i{row}", random_.choice(TEXTS)] for row in range(n)]
    if random_.random() < 0.15:
        rows[random_.randrange(n)].append("more")
        safe = False
    rows = [["user", "item", "title"]] * header + rows
    if safe:
        # Tab-separated files show quoting by their first line; Python does not quote a \n where rows end in \r.
        quoting = (
            csv.QUOTE_ALL if separator == "\t" or end == "\r" else random_.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
        )
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
        text = buffer.getvalue()
    else:
        text = "".join(separator.join(row) + end for row in rows)
        text = text.replace(end, end * 2) if random_.random() < 0.2 else text
        text = text.removesuffix(end) if random_.random() < 0.3 else text
    encoding = random_.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
    return File(text, separator, header, encoding, safe)


def rows_by_csv(file: File, *, quoted: bool) -> list[list[str]]:
    """Return the rows of data as Python's csv reads them."""
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    rows = csv.reader(io.StringIO(file.text, newline=""), delimiter=file.separator, quoting=quoting)
    return [row for row in rows if row][int(file.header) :]


def is_missing(row: list[str]) -> bool:
    return any(field.strip() in MARKERS for field in row[:2])


def explained(data: Interactions, rows: list[list[str]]) -> bool:
    """Return True if the interactions are these rows, without those that the steps count."""
    kept = [(number, row) for number, row in enumerate(rows) if not is_missing(row)]
    n_rows = data.steps[0].before[0] if data.steps else data.nnz
    read = sorted((row[4], str(row[0]), str(row[1])) for row in rows_of(data))
    expected = [(number, normal_text(row[0]), normal_text(row[1])) for number, row in kept]
    return n_rows == len(rows) and read == expected and all(len(row) == len(rows[0]) for row in rows)


def difference(seed: int, folder: Path) -> str:
    """Return how the reader differs from Python's csv on a generated file: ``read``, ``refused`` or a description."""
    file = generated(seed)
    path = written(folder / "a.csv", file.text.encode(file.encoding))
    options = {"separator": file.separator, "header": file.header, "encoding": file.encoding, "missing": "skip"}
    try:
        data = read_interactions(path, user=0, item=1, **options)
    except DataError as error:
        one_line = len(str(error).splitlines()) == 1
        why = "no rows are left", "is missing in all", "seem to be", "look like rows", "has no rows", "no row"
        legal = one_line and (not file.safe or any(word in str(error) for word in why))
        return "refused" if legal else f"{seed}: refused: {error}"
    check_valid(data)
    ways = (True,) if file.separator != "\t" or file.safe else (True, False)
    return "read" if any(explained(data, rows_by_csv(file, quoted=way)) for way in ways) else f"{seed}: {file}, {data}"


@pytest.mark.parametrize("block", range(4))
def test_every_row_is_used_or_counted(tmp_path: Path, block: int) -> None:
    outcomes = [difference(seed, tmp_path) for seed in range(block * 100, block * 100 + 100)]
    assert {outcome for outcome in outcomes if outcome not in ("read", "refused")} == set()
    assert outcomes.count("read") > 30


@pytest.mark.nightly
def test_every_row_of_ten_thousand_files_is_used_or_counted(tmp_path: Path) -> None:
    outcomes = [difference(seed, tmp_path) for seed in range(10_000)]
    assert {outcome for outcome in outcomes if outcome not in ("read", "refused")} == set()
    assert outcomes.count("read") > 4_000
