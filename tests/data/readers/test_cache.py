"""Tests of the binary cache: cached interactions equal those that were read, entry for entry."""

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data import named
from recsys_ae.data.catalog import msd, netflix
from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers import cache, cache_file
from recsys_ae.data.readers import read as reading
from recsys_ae.data.readers.read import read_interactions
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.storage.leftovers import PARTIAL, temporary_name
from tests.data.files import HEADER, lines, text_of, written, zipped

MIXED = '{"user": 1, "item": "a"}\n{"user": "1", "item": "b"}\n{"user": 98765432109876543210, "item": "a"}\n'


@pytest.fixture(autouse=True)
def every_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Enable the cache for small and new files, and set an empty user cache folder."""
    monkeypatch.setattr(cache, "LEAST", 1)
    monkeypatch.setattr(cache, "SETTLED", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RECSYS_AE_DATA", raising=False)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list with an element for each file that is parsed, not loaded from a cache."""
    files: list[str] = []
    read = reading.interactions_of
    monkeypatch.setattr(reading, "interactions_of", lambda *how: [files.append("file"), read(*how)][1])
    return files


def entries(folder: Path) -> list[Path]:
    return sorted((folder / cache.FOLDER).glob("*.bin"))


def assert_same(actual: Interactions, expected: Interactions) -> None:
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(actual.matrix, name), getattr(expected.matrix, name), strict=True)
    assert actual.matrix.shape == expected.matrix.shape
    pd.testing.assert_index_equal(actual.users, expected.users, exact=True)
    pd.testing.assert_index_equal(actual.items, expected.items, exact=True)
    np.testing.assert_array_equal(actual.order, expected.order, strict=True)
    assert (actual.timestamps is None) == (expected.timestamps is None)
    if actual.timestamps is not None and expected.timestamps is not None:
        np.testing.assert_array_equal(actual.timestamps, expected.timestamps, strict=True)
    assert actual.steps == expected.steps
    contents = [(data.matrix, data.users, data.items) for data in (actual, expected)]
    assert fingerprint(*contents[0]) == fingerprint(*contents[1])


def written_forms(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    text = lines()
    names = text.replace("3,", "ü3,").replace("1,", "1 ,")
    frame = pd.DataFrame({"user": [2**63, 1], "item": [0.5, 1.5]}).astype({"user": "uint64"})
    frame.to_parquet(folder / "odd.parquet")
    again = text_of([HEADER, (1, 2, 3.0, 5), (1, 2, 4.0, 6), (2, 2, 1.0, 7)])
    return [
        (written(folder / "numbers.csv", text), {}),
        (written(folder / "names.csv", names), {}),
        (written(folder / "pairs.csv", "user,item\n1,2\n3,4\n"), {}),
        (written(folder / "again.csv", again), {"duplicates": "last"}),
        (written(folder / "again.csv", again), {"duplicates": "sum"}),
        (written(folder / "mixed.jsonl", MIXED), {}),
        (folder / "odd.parquet", {}),
        (zipped(folder / "two.zip", a_csv=text, b_csv=names) / "a.csv", {}),
        (folder / "two.zip" / "b.csv", {}),
    ]


def test_what_comes_from_the_cache_is_what_was_read(tmp_path: Path, parsed: list[str]) -> None:
    for number, (path, options) in enumerate(written_forms(tmp_path), 1):
        plain = read_interactions(path, **options)
        parsed.clear()
        assert_same(read_interactions(path, cache=True, **options), plain)
        assert parsed == ["file"]
        assert_same(read_interactions(path, cache=True, **options), plain)
        assert parsed == ["file"], f"{path} was parsed again"
        assert len(entries(tmp_path)) == number


def test_without_being_asked_nothing_is_kept(tmp_path: Path) -> None:
    read_interactions(written(tmp_path / "a.csv", lines()))
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_small_files_and_files_that_may_be_changing_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.csv", lines())
    for name, value in (("LEAST", 10_000_000), ("SETTLED", 3600 * 10**9)):
        with monkeypatch.context() as usual:
            usual.setattr(cache, name, value)
            read_interactions(path, cache=True)
        assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_changed_file_is_read_again_and_what_was_kept_of_it_goes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "user,item\n1,2\n")
    read_interactions(path, cache=True)
    stat = path.stat()
    (earlier_entry,) = entries(tmp_path)
    path.write_text("user,item\n1,3\n")
    # Even if size and time are those of the earlier file.
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert read_interactions(path, cache=True).items.tolist() == [3]
    (entry,) = entries(tmp_path)
    assert entry != earlier_entry


def test_a_copy_that_looks_new_but_has_the_same_content_is_not_parsed_again(tmp_path: Path, parsed: list[str]) -> None:
    path = written(tmp_path / "a.csv", lines())
    read_interactions(path, cache=True)
    path.rename(tmp_path / "old")
    written(path, lines())
    read_interactions(path, cache=True)
    assert parsed == ["file"]


def test_the_content_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.csv", lines())
    read_interactions(path, cache=True)
    monkeypatch.delattr("hashlib.file_digest")
    assert read_interactions(path, cache=True).nnz == 3


def test_other_options_are_another_reading(tmp_path: Path, parsed: list[str]) -> None:
    path = written(tmp_path / "a.csv", lines(header=False))
    choices: list[dict[str, Any]] = [
        {},
        {"user": 1, "item": 0},
        {"rating": 3},
        {"separator": ","},
        {"header": False},
        {"encoding": "latin-1"},
        {"duplicates": "last"},
    ]
    for number, options in enumerate(choices, 1):
        assert_same(read_interactions(path, cache=True, **options), read_interactions(path, **options))
        assert len(entries(tmp_path)) == number
    parsed.clear()
    for options in choices:
        read_interactions(path, cache=True, **options)
    assert parsed == []


def test_another_version_of_the_form_is_another_reading(
    tmp_path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.csv", lines())
    read_interactions(path, cache=True)
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    read_interactions(path, cache=True)
    assert parsed == ["file", "file"]


def test_a_damaged_cache_is_made_again_without_a_word(tmp_path: Path, parsed: list[str]) -> None:
    path = written(tmp_path / "a.csv", lines())
    plain = read_interactions(path, cache=True)
    (entry,) = entries(tmp_path)
    content = entry.read_bytes()
    foreign = stored_elsewhere(tmp_path)
    for step in range(0, len(content), 61):
        flipped = bytearray(content)
        flipped[step] ^= 4
        for damaged in (content[:step], bytes(flipped)):
            entry.write_bytes(damaged)
            parsed.clear()
            assert_same(read_interactions(path, cache=True), plain)
            assert parsed == ["file"]
            assert entry.read_bytes() == content
    entry.write_bytes(foreign)
    assert_same(read_interactions(path, cache=True), plain)
    for memo in (b"", b"{}", b"[]", b"\xff", b'{"state": [], "sha256": "../.."}'):
        (tmp_path / cache.FOLDER / "a.csv.json").write_bytes(memo)
        assert_same(read_interactions(path, cache=True), plain)


def stored_elsewhere(folder: Path) -> bytes:
    """Return the bytes of a valid cache of other data."""
    (folder / "other").mkdir()
    read_interactions(written(folder / "other" / "a.csv", "user,item\n7,8\n"), cache=True)
    return entries(folder / "other")[0].read_bytes()


def test_a_matrix_that_points_outside_of_itself_is_no_cache(tmp_path: Path) -> None:
    data = read_interactions(written(tmp_path / "a.csv", lines()))
    data.matrix.indices[0] = 99
    cache_file.write(tmp_path / "bad", data, "key", 0o600)
    assert cache_file.read(tmp_path / "bad", "key") is None


def test_what_was_read_may_be_changed_without_changing_the_cache(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", lines())
    plain = read_interactions(path, cache=True)
    read_interactions(path, cache=True).matrix.data[:] = 0
    assert_same(read_interactions(path, cache=True), plain)


def test_where_the_folder_cannot_be_written_the_users_cache_folder_serves(tmp_path: Path, parsed: list[str]) -> None:
    (tmp_path / "data").mkdir()
    path = written(tmp_path / "data" / "a.csv", lines())
    written(tmp_path / "data" / cache.FOLDER, "a file where the folder would be made")
    plain = read_interactions(path, cache=True)
    assert_same(read_interactions(path, cache=True), plain)
    assert parsed == ["file"]
    assert len([*(tmp_path / "home" / "recsys_ae").rglob("*.bin")]) == 1
    # A file of the same name in another folder has its own cache.
    (tmp_path / "more").mkdir()
    written(tmp_path / "more" / cache.FOLDER, "")
    assert read_interactions(written(tmp_path / "more" / "a.csv", "user,item\n5,6\n"), cache=True).users.tolist() == [5]


def test_where_nothing_can_be_written_files_are_read_as_ever(
    tmp_path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.csv", lines())
    written(tmp_path / cache.FOLDER, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    assert_same(read_interactions(path, cache=True), read_interactions(path))
    assert sorted(file.name for file in tmp_path.iterdir()) == [cache.FOLDER, "a.csv"]


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.csv", lines())
    plain = read_interactions(path)

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_file, "_write_arrays", full)
    assert_same(read_interactions(path, cache=True), plain)
    assert not [*tmp_path.rglob("*.bin"), *tmp_path.rglob(f"*.{PARTIAL}")]


def test_only_those_who_may_read_the_data_may_read_the_cache(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", lines())
    path.chmod(0o640)
    read_interactions(path, cache=True)
    assert entries(tmp_path)[0].stat().st_mode & 0o777 == 0o640


def test_halves_that_a_killed_process_left_are_removed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", lines())
    read_interactions(path, cache=True)
    halves = [temporary_name(tmp_path / cache.FOLDER / f"{name}.bin", PARTIAL) for name in ("folder", "file")]
    halves[0].mkdir()
    written(halves[0] / "folder.bin", "half")
    written(halves[1], "half")
    read_interactions(path, duplicates="sum", cache=True)
    assert not any(half.exists() for half in halves)
    assert len(entries(tmp_path)) == 2


def test_backups_and_git_pass_the_folder_over(tmp_path: Path) -> None:
    read_interactions(written(tmp_path / "a.csv", lines()), cache=True)
    assert (tmp_path / cache.FOLDER / ".gitignore").read_text() == "*\n"
    # bford.info/cachedir: other programs look for the first 43 bytes.
    tag = b"Signature: 8a477f597d28d172789f06886806bc55"
    assert (tmp_path / cache.FOLDER / "CACHEDIR.TAG").read_bytes().startswith(tag)


def test_errors_are_the_same_and_nothing_is_kept_of_them(tmp_path: Path) -> None:
    for name, text, options in (
        ("empty.csv", "", {}),
        ("bad.csv", lines() + "3,30,many,70\n", {}),
        ("twice.csv", lines() + "3,10,4.0,100\n", {}),
        ("absent.csv", None, {}),
        ("odd.csv", lines(), {"user": "nobody"}),
        ("kind.csv", lines(), {"duplicates": "first"}),
    ):
        path = tmp_path / name
        if text is not None:
            written(path, text)
        messages = []
        for use_cache in (False, True, True):
            with pytest.raises((DataError, ConfigError)) as caught:
                read_interactions(path, cache=use_cache, **options)
            messages.append(str(caught.value))
        assert len(set(messages)) == 1
    assert entries(tmp_path) == []


def _read_often(path: Path, home: Path, answers: Any) -> None:
    cache.LEAST, cache.SETTLED = 1, 0
    os.environ["XDG_CACHE_HOME"] = str(home)
    for _ in range(15):
        data = read_interactions(path, cache=True)
        answers.put((fingerprint(data.matrix, data.users, data.items), data.order.tolist()))
        for entry in entries(path.parent):
            entry.unlink(missing_ok=True)


def test_processes_that_read_and_write_at_once_all_get_the_data(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", lines())
    plain = read_interactions(path)
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    readers = [context.Process(target=_read_often, args=(path, tmp_path / "home", answers)) for _ in range(3)]
    for reader in readers:
        reader.start()
    contents = [answers.get(timeout=60) for _ in range(3 * 15)]
    for reader in readers:
        reader.join()
    assert contents == [(fingerprint(plain.matrix, plain.users, plain.items), plain.order.tolist())] * len(contents)
    assert not [*tmp_path.rglob(f"*.{PARTIAL}")]


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.csv", lines())
    read = reading.interactions_of

    def grow(*how: Any) -> Interactions:
        interactions = read(*how)
        with path.open("a") as file:
            file.write("4,40,1.0,7\n")
        return interactions

    with monkeypatch.context() as growing:
        growing.setattr(reading, "interactions_of", grow)
        read_interactions(path, cache=True)
    assert entries(tmp_path) == []
    assert read_interactions(path, cache=True).nnz == 4


def test_named_data_sets_are_kept_too(tmp_path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = "\n".join(f"{user}::{item}::{1 + (user + item) % 5}::9" for user in range(1, 5) for item in range(1, 4))
    movies = "1::A (1990)::Comedy\n2::B (1991)::Drama\n3::C (1992)::Drama\n"
    zipped(tmp_path / "ml-1m.zip", **{"ml-1m__ratings_dat": ratings, "ml-1m__movies_dat": movies})
    (tmp_path / "msd").mkdir()
    written(tmp_path / "msd" / msd.FILES[0], "u\ts\t3\nv\ts\t1\n")
    (tmp_path / "netflix").mkdir()
    for number, name in enumerate(netflix.COMBINED, 1):
        written(tmp_path / "netflix" / name, f"{number}:\n7,3,2005-09-06\n")
    for name in ("ml-1m", "msd", "netflix"):
        plain = named.load(name, data_dir=tmp_path)
        assert not [*tmp_path.rglob("*.bin")]
        uncached = named.load(name, data_dir=tmp_path, cache=True)
        with monkeypatch.context() as never:
            never.setattr(reading, "interactions_of", None)
            never.setattr(netflix, "_ratings", None)
            cached = named.load(name, data_dir=tmp_path, cache=True)
        for dataset in (uncached, cached):
            assert_same(dataset.interactions, plain.interactions)
        for path in tmp_path.rglob("*.bin"):
            path.unlink()
    changed = written(tmp_path / "netflix" / netflix.COMBINED[2], "3:\n7,5,2005-09-06\n8,1,2005-09-06\n")
    assert named.load("netflix", data_dir=tmp_path, cache=True).interactions.nnz == 5, changed


def test_the_hash_that_is_remembered_is_that_of_the_content(tmp_path: Path) -> None:
    import hashlib

    path = written(tmp_path / "a.csv", lines())
    read_interactions(path, cache=True)
    digest = json.loads((tmp_path / cache.FOLDER / "a.csv.json").read_text())["sha256"]
    assert digest == hashlib.sha256(hashlib.sha256(path.read_bytes()).digest()).hexdigest()
    assert entries(tmp_path)[0].name.startswith(f"a.csv.{digest[:16]}-")
