"""Tests on damaged files of every format: each is read, or refused with one line by an error of this package."""

import bz2
import gzip
import io
import json
import lzma
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_ae.data.readers.read import read_interactions
from recsys_ae.errors import ConfigError, DataError, printable
from tests.data.files import written, zipped
from tests.data.test_interactions import check_valid

ROWS = [(user, user * 7 % 11, user % 5 + 0.5, 1_600_000_000 + user) for user in range(40)]
TABLE = pd.DataFrame(ROWS, columns=["user", "item", "rating", "timestamp"])
TOKENS = [
    b'"', b"\n", b"\r", b"\0", b",", b"\t", b"::", b"\xff", b"\xef\xbb\xbf", b"NA", b"#", b"%", b" ", b"1e999", b"\\N",
    b'""', b"\x1f", b"-", b"9" * 30, b"{", b"[", b"\xe2\x80\xa8", b"inf", b"PK", b"true", b"7.0",
    b"\x1b[2J", b"\xc2\x9b", b"\xe2\x80\xae", b"\x07\x08", b"=1+1", b"'=1", b"\xff\xff\xff\xff", b"\0\0\0\x80",
]  # fmt: skip
OPTIONS: list[dict[str, Any]] = [
    {}, {}, {}, {}, {"missing": "skip"}, {"header": False}, {"quote": "double"}, {"quote": "none"}, {"decimal": ","},
    {"comment": "#"}, {"skip_lines": 2}, {"encoding": "latin-1"}, {"user": 0, "item": 1}, {"separator": "::"},
]  # fmt: skip


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a valid file of each format by its name."""
    folder = tmp_path_factory.mktemp("whole")
    text = TABLE.to_csv(index=False).encode()
    table = io.BytesIO()
    TABLE.to_parquet(table)
    return {
        "a.csv": text,
        "quoted.csv": TABLE.astype(str).to_csv(index=False, quoting=1).encode(),
        "titles.tsv": ("user\titem\ttitle\n" + "".join(f'{row[0]}\t{row[1]}\t"T{row[0]}\n' for row in ROWS)).encode(),
        "a.dat": "".join("::".join(map(str, row)) + "\n" for row in ROWS).encode(),
        "a.jsonl": "\n".join(json.dumps(dict(zip(TABLE, row, strict=True))) for row in ROWS).encode(),
        "a.parquet": table.getvalue(),
        "a.csv.gz": gzip.compress(text, mtime=0),
        "a.csv.bz2": bz2.compress(text),
        "a.csv.xz": lzma.compress(text),
        "parts.csv.gz": b"".join(gzip.compress(text[start : start + 99], mtime=0) for start in range(0, len(text), 99)),
        "a.zip": zipped(folder / "a.zip", a_csv=text).read_bytes(),
        "gz.zip": zipped(folder / "gz.zip", a_csv_gz=gzip.compress(text, mtime=0)).read_bytes(),
        "many.zip": zipped(folder / "many.zip", a_csv=text, b_csv=text, readme_txt="about").read_bytes(),
    }


def damaged(content: bytes, random_: random.Random) -> bytes:
    """Return the content with one to three bytes, tokens or parts changed, added or removed."""
    changed = bytearray(content)
    for _ in range(random_.choice([1, 1, 1, 3])):
        position, kind = random_.randrange(len(changed) + 1), random_.randrange(5)
        if kind == 0:
            changed[position % len(changed)] ^= random_.randrange(1, 256)
        elif kind == 1:
            changed[position:position] = random_.choice(TOKENS)
        elif kind == 2:
            del changed[position : position + random_.choice([1, 3, 30])]
        elif kind == 3 and random_.random() < 0.3:
            changed = changed[:position]
        else:
            changed[position : position + 1] = random_.choice(TOKENS)
        changed = changed or bytearray(b"x")
    return bytes(changed)


def is_read(seed: int, folder: Path, contents: dict[str, bytes]) -> bool:
    random_ = random.Random(seed)
    name = random_.choice(list(contents))
    path = written(folder / name, damaged(contents[name], random_))
    try:
        data, message = read_interactions(path, duplicates="last", **random_.choice(OPTIONS)), "read"
    except (DataError, ConfigError) as error:
        data, message = None, str(error)
    assert len(message.splitlines()) == 1, seed
    assert printable(message) == message, seed
    if data is not None:
        check_valid(data)
    return data is not None


def test_damaged_files_are_read_or_refused(tmp_path: Path, contents: dict[str, bytes]) -> None:
    assert 25 < sum(is_read(seed, tmp_path, contents) for seed in range(500)) < 450


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_fifty_thousand_damaged_files_are_read_or_refused(tmp_path: Path, contents: dict[str, bytes]) -> None:
    for seed in range(50_000):
        is_read(seed, tmp_path, contents)
