"""Interactions in blocks of users have the same rows as when they are read at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers.parts import user_blocks
from recsys_ae.data.readers.parts.places import parts_of
from recsys_ae.data.reading import Reading
from recsys_ae.errors import DataError
from tests.data.readers.parts.test_parted_table import ENDINGS, FRAME, TEXT, in_parts, write

FRAMES: Mapping[str, pd.DataFrame] = {
    "numbers": FRAME,
    "text": TEXT.assign(userId="u" + TEXT["userId"].astype(str)),
    "mixed": TEXT.assign(userId=[f"x{user}" if user > 35 else str(user) for user in TEXT["userId"]]),
}


def pairs_of(data: Interactions) -> set[tuple[Any, Any, float, int]]:
    times = data.timestamps if data.timestamps is not None else np.zeros(data.nnz, int)
    rows = zip(data.users[data.rows], data.items[data.matrix.indices], data.matrix.data, times, strict=True)
    return {(user, item, float(value), int(time)) for user, item, value, time in rows}


def check(path: Path, reading: Reading, n_blocks: int, folder: Path) -> list[Interactions]:
    """Check blocks against the interactions that are read at once, and return them."""
    expected = reading.read_file(path)
    read = list(reading.read_blocks(path, n_blocks=n_blocks, folder=folder))
    blocks = [block.data for block in read]
    assert [block.n_blocks for block in read] == [n_blocks] * len(read)
    assert [block.number for block in read] == sorted({block.number for block in read})
    assert {block.is_rated for block in read} == {bool((expected.matrix.data != 1).any())}
    users = [user for data in blocks for user in data.users]
    assert len(users) == len(set(users)) == len(expected.users)
    assert set(users) == set(expected.users)
    assert {data.users.dtype for data in blocks} == {expected.users.dtype}
    assert set().union(*map(pairs_of, blocks)) == pairs_of(expected)
    assert list(folder.iterdir()) == []
    return blocks


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("n_blocks", [1, 2, 7])
def test_blocks_are_the_same_rows(tmp_path: Path, ending: str, name: str, n_blocks: int) -> None:
    frame = FRAMES[name]
    write(frame, tmp_path / f"one.{ending}")
    (tmp_path / "room").mkdir()
    found = check(tmp_path / f"one.{ending}", Reading(), n_blocks, tmp_path / "room")
    assert len(found) == n_blocks
    in_parts(frame, tmp_path / "parts", ending, 5)
    check(tmp_path / "parts", Reading(where="country != FR"), n_blocks, tmp_path / "room")


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_options_and_repeated_pairs(tmp_path: Path, ending: str) -> None:
    doubled = pd.concat([TEXT, TEXT.sample(60, random_state=1).assign(rating=1.0, timestamp=1_800_000_000)])
    write(doubled.sample(frac=1, random_state=0), tmp_path / f"one.{ending}")
    (tmp_path / "room").mkdir()
    for duplicates in ("last", "sum"):
        check(tmp_path / f"one.{ending}", Reading(duplicates=duplicates), 4, tmp_path / "room")  # type: ignore[arg-type]
    check(tmp_path / f"one.{ending}", Reading(rating_column="none", timestamp_column="none"), 3, tmp_path / "room")


def test_batches_may_be_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys_ae.data.readers import json_lines, parquet_table

    for module in (json_lines, parquet_table):
        monkeypatch.setattr(module, "ROWS", 37)
    (tmp_path / "room").mkdir()
    for ending in ("parquet", "jsonl"):
        write(TEXT, tmp_path / f"one.{ending}")
        check(tmp_path / f"one.{ending}", Reading(), 3, tmp_path / "room")


def test_ids_of_several_forms_are_one_user(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("user,item\n7,a\n7.0,b\n 7,c\n8,a\nNA,a\n" * 1)
    (tmp_path / "room").mkdir()
    check(tmp_path / "one.csv", Reading(missing="skip"), 3, tmp_path / "room")
    (tmp_path / "two.csv").write_text("user,item\n7,a\n7.0,b\nx,c\n8,a\n")
    check(tmp_path / "two.csv", Reading(), 5, tmp_path / "room")


def test_lists_and_files_without_names(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    lines = [f"{user} {' '.join(map(str, rows['itemId']))}\n" for user, rows in FRAME.groupby("userId")]
    (tmp_path / "lists.txt").write_text("".join(lines))
    check(tmp_path / "lists.txt", Reading(), 3, tmp_path / "room")
    (tmp_path / "plain.csv").write_text(FRAME[["userId", "itemId", "rating"]].to_csv(index=False, header=False))
    check(tmp_path / "plain.csv", Reading(), 3, tmp_path / "room")


def test_fewer_users_than_blocks(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("user,item\n1,a\n2,a\n")
    (tmp_path / "room").mkdir()
    found = check(tmp_path / "one.csv", Reading(), 50, tmp_path / "room")
    assert 1 <= len(found) <= 2


def test_the_number_of_blocks_follows_the_rows(tmp_path: Path) -> None:
    in_parts(FRAME, tmp_path / "parquet", "parquet", 4)
    assert user_blocks.n_blocks_of(parts_of(tmp_path / "parquet"), rows=50) == -(-len(FRAME) // 50)
    in_parts(FRAME, tmp_path / "csv", "csv", 4)
    n = user_blocks.n_blocks_of(parts_of(tmp_path / "csv"), rows=50)
    assert len(FRAME) // 50 <= n <= 4 * len(FRAME) // 50
    assert user_blocks.n_blocks_of(parts_of(tmp_path / "csv")) == 1


def test_errors_are_those_of_the_data(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("user,item,rating\n1,a,5\n2,b,x\n3,c,4\n")
    with pytest.raises(DataError, match="rating"):
        list(Reading().read_blocks(tmp_path / "one.csv", n_blocks=2))
    with pytest.raises(DataError, match="there is no such file"):
        list(Reading().read_blocks(tmp_path / "none.csv"))
