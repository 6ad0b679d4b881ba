"""Tables in several files are read like the same rows in one file."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers.lists.id_lists import read_ids
from recsys_ae.data.readers.read import read_interactions, read_table
from recsys_ae.data.readers.text_format import TextFormat
from recsys_ae.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
N = 400
FRAME = pd.DataFrame(
    {
        "userId": RNG.integers(1, 40, N),
        "itemId": RNG.integers(1, 60, N),
        "rating": RNG.integers(1, 6, N).astype(float),
        "timestamp": 1_700_000_000 + RNG.integers(0, 10**6, N),
        "country": RNG.choice(["DE", "FR", "IT"], N),
    }
).drop_duplicates(["userId", "itemId"], ignore_index=True)
TEXT = FRAME.assign(itemId="i" + FRAME["itemId"].astype(str))
ENDINGS = ("csv", "csv.gz", "parquet", "jsonl", "tsv")


def write(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in frame.to_dict("records")))
    else:
        text = frame.to_csv(index=False, sep="\t" if path.suffix == ".tsv" else ",")
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def in_parts(frame: pd.DataFrame, folder: Path, ending: str, n: int = 12) -> Path:
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), n)):
        write(frame.iloc[rows], folder / f"part-{number}.{ending}")
    return folder


def assert_equal(found: Interactions, expected: Interactions) -> None:
    assert (found.matrix != expected.matrix).nnz == 0
    for name in ("users", "items"):
        assert getattr(found, name).equals(getattr(expected, name)), name
        assert getattr(found, name).dtype == getattr(expected, name).dtype, name
    assert np.array_equal(found.order, expected.order)
    assert (found.timestamps is None) == (expected.timestamps is None)
    if expected.timestamps is not None:
        assert np.array_equal(found.timestamps, expected.timestamps)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("frame", [FRAME, TEXT], ids=["numbers", "text"])
def test_parts_are_read_like_one_file(tmp_path: Path, ending: str, frame: pd.DataFrame) -> None:
    write(frame, tmp_path / f"one.{ending}")
    expected = read_interactions(tmp_path / f"one.{ending}")
    for place in (in_parts(frame, tmp_path / "parts", ending), tmp_path / "parts" / f"part-*.{ending}"):
        found = read_interactions(place)
        assert_equal(found, expected)
        assert found.remarks[0] == "read 12 parts"
        assert set(expected.remarks) <= set(found.remarks)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_options_apply_to_all_parts(tmp_path: Path, ending: str) -> None:
    doubled = pd.concat([TEXT, TEXT.head(50).assign(rating=1.0)])
    write(doubled, tmp_path / f"one.{ending}")
    folder = in_parts(doubled, tmp_path / "parts", ending)
    options: dict[str, Any] = {"duplicates": "last", "rating": "none", "timestamp": "none", "user": 0}
    assert_equal(read_interactions(folder, **options), read_interactions(tmp_path / f"one.{ending}", **options))


def test_parts_without_a_header(tmp_path: Path) -> None:
    plain = FRAME[["userId", "itemId", "rating"]]
    for number, rows in enumerate(np.array_split(np.arange(len(plain)), 5)):
        path = tmp_path / "parts" / f"{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(plain.iloc[rows].to_csv(index=False, header=False))
    (tmp_path / "one.csv").write_text(plain.to_csv(index=False, header=False))
    assert_equal(read_interactions(tmp_path / "parts"), read_interactions(tmp_path / "one.csv"))
    (tmp_path / "parts" / "9.csv").write_text("1,2,3,4\n")
    with pytest.raises(DataError, match=r"9.csv: it has 4 columns, but the first part has 3"):
        read_interactions(tmp_path / "parts")


def test_lists_of_a_user_in_parts(tmp_path: Path) -> None:
    lines = [f"{user} {' '.join(map(str, rows['itemId']))}\n" for user, rows in FRAME.groupby("userId")]
    (tmp_path / "one.txt").write_text("".join(lines))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.txt").write_text("".join(lines[:20]))
    (tmp_path / "parts" / "b.txt").write_text("".join(lines[20:]))
    assert_equal(read_interactions(tmp_path / "parts"), read_interactions(tmp_path / "one.txt"))


def test_ids_of_one_part_that_are_text_make_all_text(tmp_path: Path) -> None:
    odd = TEXT.assign(itemId=[str(n) if n < 350 else f"x{n}" for n in range(len(TEXT))])
    write(odd, tmp_path / "one.csv")
    assert_equal(read_interactions(in_parts(odd, tmp_path / "parts", "csv")), read_interactions(tmp_path / "one.csv"))


def test_columns_may_be_in_another_order(tmp_path: Path) -> None:
    folder = in_parts(FRAME, tmp_path / "parts", "csv", 3)
    write(
        pd.read_csv(folder / "part-1.csv")[["country", "timestamp", "itemId", "userId", "rating"]],
        folder / "part-1.csv",
    )
    write(FRAME, tmp_path / "one.csv")
    assert_equal(read_interactions(folder), read_interactions(tmp_path / "one.csv"))


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_empty_parts_are_said(tmp_path: Path, ending: str) -> None:
    folder = in_parts(FRAME, tmp_path / "parts", ending, 4)
    write(FRAME.head(0), folder / f"part-00.{ending}")
    (folder / f"part-99.{'csv' if ending != 'jsonl' else 'jsonl'}").write_bytes(b"")
    if ending == "parquet":
        (folder / "part-99.csv").unlink()
    found = read_interactions(folder)
    assert found.nnz == len(FRAME)
    assert found.remarks[0].startswith("read 4 parts; ")


class TestFoldersWithValues:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for (country, day), rows in TEXT.assign(day=TEXT["timestamp"] % 3).groupby(["country", "day"]):
            write(
                rows.drop(columns=["country", "day"]),
                tmp_path / "hive" / f"country={country}" / f"day={day}" / "a.parquet",
            )
        return tmp_path / "hive"

    def test_they_are_columns(self, folder: Path) -> None:
        table = read_table(folder)
        assert set(table.columns) == {"userId", "itemId", "rating", "timestamp", "country", "day"}
        merged = table.merge(TEXT, on=["userId", "itemId"])
        assert len(merged) == len(TEXT)
        assert (merged["country_x"] == merged["country_y"]).all()
        assert table["day"].dtype.kind in "iu"

    def test_conditions_choose_files_and_rows(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from recsys_ae.data.readers import read

        opened = []
        real = read.open_table
        monkeypatch.setattr(
            read, "open_table", lambda source, *args, **options: opened.append(source) or real(source, *args, **options)
        )
        wanted = TEXT[(TEXT["country"] != "FR") & (TEXT["timestamp"] % 3 > 0) & (TEXT["rating"] >= 3)]
        found = read_interactions(folder, where="country != FR and day > 0 and rating >= 3")
        assert found.nnz == len(wanted)
        assert set(found.users) == set(wanted["userId"])
        assert len({source.path for source in opened}) == 4
        rows = len(TEXT[(TEXT["country"] != "FR") & (TEXT["timestamp"] % 3 > 0)])
        assert f"{len(wanted):,} of {rows:,} rows fulfil the condition country != FR and day > 0" in " ".join(
            found.remarks
        )

    def test_a_condition_that_nothing_fulfils(self, folder: Path) -> None:
        with pytest.raises(DataError, match="none of the 9 parts fulfils the condition country = XX"):
            read_interactions(folder, where="country = XX")
        with pytest.raises(DataError, match="rows fulfils the condition rating > 9"):
            read_interactions(folder, where="rating > 9")
        with pytest.raises(DataError, match=r"there is no column age; the columns are: userId"):
            read_interactions(folder, where="age > 9")
        with pytest.raises(ConfigError, match="expected a condition"):
            read_interactions(folder, where="age")

    def test_other_folders_are_refused(self, folder: Path) -> None:
        write(TEXT.drop(columns="country"), folder / "date=1" / "a.parquet")
        with pytest.raises(DataError, match="the names of the folders have different keys"):
            read_interactions(folder)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_condition_applies_to_one_file(tmp_path: Path, ending: str) -> None:
    write(TEXT, tmp_path / f"one.{ending}")
    found = read_interactions(tmp_path / f"one.{ending}", where="country = DE and timestamp < 1700500000")
    wanted = TEXT[(TEXT["country"] == "DE") & (TEXT["timestamp"] < 1700500000)]
    assert found.nnz == len(wanted)
    assert set(found.items) == set(wanted["itemId"])


class TestRefusesInOneLine:
    def broken(self, tmp_path: Path, ending: str, change: Any) -> str:
        folder = in_parts(FRAME, tmp_path / "parts", ending, 5)
        change(folder / f"part-3.{ending}")
        with pytest.raises(DataError) as caught:
            read_interactions(folder)
        message = str(caught.value)
        assert message.startswith(f"{folder}: ")
        assert "\n" not in message
        return message.removeprefix(f"{folder}: ")

    @pytest.mark.parametrize("ending", ["parquet", "csv.gz"])
    def test_a_damaged_part(self, tmp_path: Path, ending: str) -> None:
        message = self.broken(tmp_path, ending, lambda path: path.write_bytes(path.read_bytes()[:-30]))
        assert message.startswith(f"part-3.{ending}: ")

    @pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
    def test_a_part_without_a_column(self, tmp_path: Path, ending: str) -> None:
        message = self.broken(
            tmp_path, ending, lambda path: write(FRAME.rename(columns={"itemId": "thing"}).head(9), path)
        )
        if ending == "jsonl":
            assert message.startswith("part-3.jsonl: it has no column itemId")
        assert message.startswith(
            f"part-3.{ending}: it has no column itemId, as part-0.{ending} has; its columns are: "
        )

    def test_other_types(self, tmp_path: Path) -> None:
        message = self.broken(tmp_path, "parquet", lambda path: write(FRAME.head(9).astype({"userId": str}), path))
        assert (
            message
            == "the column userId holds numbers in some parts and text in others; write all parts with the same types"
        )

    @pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
    def test_a_wrong_value_is_named_by_its_part_and_row(self, tmp_path: Path, ending: str) -> None:
        wrong = FRAME.head(9).astype({"rating": object})
        wrong.loc[4, "rating"] = "inf" if ending == "csv" else float("inf")
        message = self.broken(tmp_path, ending, lambda path: write(wrong.astype({"rating": float}), path))
        assert message.startswith(f"part-3.{ending}: ")
        assert "row 5" in message

    def test_what_parts_share_is_counted_over_all(self, tmp_path: Path) -> None:
        folder = in_parts(FRAME, tmp_path / "parts", "csv", 2)
        write(pd.concat([FRAME.tail(9), FRAME.head(1)]), folder / "part-1.csv")
        with pytest.raises(DataError) as caught:
            read_interactions(folder)
        assert "rows are counted over all parts, in the order of their names" in str(caught.value)

    def test_nothing_but_empty_parts(self, tmp_path: Path) -> None:
        for name in ("a.csv", "b.csv"):
            (tmp_path / name).write_bytes(b"")
        with pytest.raises(DataError, match="none of the files has a row"):
            read_interactions(tmp_path)


def test_lists_of_ids_in_parts(tmp_path: Path) -> None:
    (tmp_path / "ids").mkdir()
    (tmp_path / "ids" / "a.txt").write_text("7\n8\n")
    (tmp_path / "ids" / "b.txt").write_text("9\n")
    found = read_ids(tmp_path / "ids", {"user": [None]}, TextFormat())
    assert found["user"].tolist() == [7, 8, 9] or found["user"].tolist() == ["7", "8", "9"]


def test_the_cache_knows_parts_and_conditions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys_ae.data.readers import cache

    monkeypatch.setattr(cache, "LEAST", 0)
    monkeypatch.setattr(cache, "SETTLED", 0)
    folder = in_parts(FRAME, tmp_path / "parts", "csv", 3)
    first = read_interactions(folder, cache=True)
    chosen = read_interactions(folder, cache=True, where="country = DE")
    assert chosen.nnz < first.nnz
    assert_equal(read_interactions(folder, cache=True), first)
    assert_equal(read_interactions(folder, cache=True, where="country = DE"), chosen)
    assert len(list(tmp_path.rglob("*.bin"))) == 2
    assert len(list(folder.rglob("*.csv"))) == 3
    write(FRAME.tail(20), folder / "part-2.csv")
    assert read_interactions(folder, cache=True, duplicates="last").nnz < first.nnz
