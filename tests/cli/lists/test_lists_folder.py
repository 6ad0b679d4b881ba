"""``recsys-ae recommend --out DIR``: lists in a folder of parts, in blocks of users, continued and up to date."""

import json
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.readers.parts import user_blocks
from recsys_ae_cli.lists.folder import MANIFEST, ListsFolder
from recsys_ae_cli.main import main
from tests.cli.conftest import FAST, PROGRAM, Run
from tests.single_thread import single_thread  # noqa: F401

N_USERS, N_ITEMS = 300, 40


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of Parquet parts, in which rows of a user are in several parts."""
    rng = np.random.default_rng(0)
    pairs = {(user, item) for user in range(N_USERS) for item in rng.choice(N_ITEMS, rng.integers(2, 12))}
    frame = pd.DataFrame(sorted(pairs), columns=["user", "item"])
    frame = frame.assign(rating=rng.integers(1, 6, len(frame)).astype(float)).sample(frac=1, random_state=0)
    folder = tmp_path_factory.mktemp("histories") / "parts"
    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), 6)):
        frame.iloc[rows].to_parquet(folder / f"part-{number}.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def fitted(histories: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "ease"
    assert main(["fit", "ease", "--data", str(histories), *FAST, "--l2", "5", "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_blocks, "BLOCK_ROWS", 300)


def lists_in(folder: str | Path) -> pd.DataFrame:
    """Return the lists of a folder as programs read it."""
    frame = pd.read_parquet(folder)
    return frame.sort_values(["user", "rank"], ignore_index=True)


def at_once(cli: Run, *words: object) -> pd.DataFrame:
    assert cli("recommend", *words, "--out", "once.parquet", "--overwrite").code == 0
    return pd.read_parquet("once.parquet").sort_values(["user", "rank"], ignore_index=True)


def manifest(folder: str | Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((Path(folder) / MANIFEST).read_text())
    return content


@pytest.mark.parametrize("of_fit", [True, False])
def test_blocks_have_the_lists_of_all_users(cli: Run, histories: Path, fitted: Path, of_fit: bool) -> None:
    words = [fitted, *([] if of_fit else ["--histories", histories]), "--k", "7"]
    outcome = cli("recommend", *words, "--out", "lists", "--users-per-part", "20")
    assert outcome.code == 0, outcome.err
    found = lists_in("lists")
    pd.testing.assert_frame_equal(found, at_once(cli, *words))
    assert found["user"].nunique() == N_USERS
    content = manifest("lists")
    assert content["complete"] is True
    assert len(content["blocks"]) > 3
    parts = [part for block in content["blocks"].values() for part in block["parts"].values()]
    assert sum(part["users"] for part in parts) == N_USERS
    assert sum(part["rows"] for part in parts) == len(found)
    assert max(part["users"] for part in parts) == 20
    assert f"{len(found):,} recommendations for {N_USERS} users in {len(parts)} parts in lists" in outcome.err
    assert {path.name for path in Path("lists").iterdir()} == {MANIFEST, *(
        name for block in content["blocks"].values() for name in block["parts"]
    )}  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["--include-seen"],
        ["--allow", "items.txt"],
        ["--deny", "pairs.csv"],
        ["--unknown-users", "skip"],
        ["--where", "item < 20"],
    ],
)
def test_filters_hold_in_blocks(cli: Run, here: Path, histories: Path, fitted: Path, words: list[str]) -> None:
    (here / "items.txt").write_text("\n".join(map(str, range(10, 30))))
    (here / "pairs.csv").write_text("user,item\n" + "\n".join(f"{user},{user % 9}" for user in range(N_USERS)))
    every = ["--histories", histories, "--k", "5", *words]
    assert cli("recommend", fitted, *every, "--out", "lists").code == 0
    pd.testing.assert_frame_equal(lists_in("lists"), at_once(cli, fitted, *every))


@pytest.mark.parametrize("of_fit", [True, False])
def test_a_block_may_have_no_history_at_all(
    cli: Run, here: Path, of_fit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_blocks, "BLOCK_ROWS", 4)
    rng = np.random.default_rng(0)
    good = [(user, int(item), 5.0) for user in range(60) for item in rng.choice(30, 8, replace=False)]
    low = [(1000 + user, int(rng.integers(30)), 1.0) for user in range(200)]
    pd.DataFrame([*good, *low], columns=["user", "item", "rating"]).to_parquet("data.parquet", index=False)
    assert cli("fit", "ease", "--data", "data.parquet", *FAST, "--quiet", "--out", "m").code == 0
    words = ["m", *([] if of_fit else ["--histories", "data.parquet"]), "--k", "5"]
    outcome = cli("recommend", *words, "--out", "lists")
    assert outcome.code == 0, outcome.err
    assert "200 of 260 users get the most popular items" in outcome.err
    pd.testing.assert_frame_equal(lists_in("lists"), at_once(cli, *words))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_parts_have_other_formats(cli: Run, histories: Path, fitted: Path, suffix: str) -> None:
    words = [fitted, "--histories", histories, "--k", "3"]
    assert cli("recommend", *words, "--out", "lists", "--format", suffix).code == 0
    files = sorted(Path("lists").glob(f"part-*.{suffix}"))
    read = pd.read_csv if suffix == "csv" else lambda path: pd.read_json(path, lines=True)
    found = pd.concat([read(path) for path in files]).sort_values(["user", "rank"], ignore_index=True)
    pd.testing.assert_frame_equal(found, at_once(cli, *words), check_dtype=False, rtol=1e-4)


def test_nothing_is_done_if_nothing_has_changed(cli: Run, histories: Path, fitted: Path) -> None:
    words = ["recommend", fitted, "--histories", histories, "--k", "3", "--out", "lists"]
    first = cli(*words)
    times = {path: path.stat().st_mtime_ns for path in Path("lists").iterdir()}
    for more in ([], ["--overwrite"]):
        again = cli(*words, *more)
        assert again.code == 0
        assert "lists is up to date: " in again.err
        assert {path: path.stat().st_mtime_ns for path in Path("lists").iterdir()} == times
    assert "up to date" not in first.err


def test_other_lists_are_refused_or_replaced(cli: Run, here: Path, histories: Path, fitted: Path) -> None:
    words = ["recommend", fitted, "--histories", histories, "--out", "lists"]
    assert cli(*words, "--k", "3").code == 0
    refused = cli(*words, "--k", "4")
    assert refused.code == 1
    assert "lists holds lists that were made with another" in refused.error
    assert "3, not 4; choose another folder, or pass --overwrite" in refused.error
    assert set(lists_in("lists")["rank"]) == {1, 2, 3}
    assert cli(*words, "--k", "4", "--overwrite").code == 0
    pd.testing.assert_frame_equal(lists_in("lists"), at_once(cli, fitted, "--histories", histories, "--k", "4"))


def test_changed_data_and_missing_parts_are_noticed(cli: Run, here: Path, histories: Path, fitted: Path) -> None:
    import shutil

    shutil.copytree(histories, here / "mine")
    words = ["recommend", fitted, "--histories", "mine", "--k", "3", "--out", "lists"]
    assert cli(*words).code == 0
    before = lists_in("lists")
    lost = sorted(Path("lists").glob("part-*"))[1]
    lost.unlink()
    assert cli(*words).code == 0
    pd.testing.assert_frame_equal(lists_in("lists"), before)
    (here / "mine" / "part-0.parquet").unlink()
    assert "made with other data" in cli(*words).error
    assert cli(*words, "--overwrite").code == 0
    assert not lists_in("lists").equals(before)


def test_foreign_files_are_kept(cli: Run, here: Path, histories: Path, fitted: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "thesis.txt").write_text("precious")
    words = ["recommend", fitted, "--histories", histories, "--out", "mine"]
    for more in ([], ["--overwrite"]):
        refused = cli(*words, *more)
        assert "mine holds other files, such as thesis.txt; choose an empty folder" in refused.error
    assert (here / "mine" / "thesis.txt").read_text() == "precious"
    (here / "file").write_text("x")
    assert "file is not a folder" in cli("recommend", fitted, "--out", "file").error
    assert "there is no folder none" in cli("recommend", fitted, "--out", "none/lists").error


def test_a_damaged_manifest_is_one_line(cli: Run, here: Path, histories: Path, fitted: Path) -> None:
    words = ["recommend", fitted, "--histories", histories, "--k", "3", "--out", "lists"]
    assert cli(*words).code == 0
    for text in ("[", "{}", '{"blocks": {"0": {"parts": {"x": {"bytes": "y"}}}}}', "[" * 10_000):
        (here / "lists" / MANIFEST).write_text(text)
        assert f"lists/{MANIFEST} is damaged: " in cli(*words).error


@pytest.mark.parametrize("place", ["none.csv", "none/*.csv", "none/"])
def test_histories_that_are_not_there_are_named(cli: Run, fitted: Path, place: str) -> None:
    error = cli("recommend", fitted, "--histories", place, "--out", "lists").error
    assert error.startswith(f"Error: {place.rstrip('/')}: there is no such file")


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (100, r"cannot write lists/_manifest\.json: File too large"),
        (3_000, r"the rows, sorted by user, cannot be written to \S+: .*; set TMPDIR to a larger folder"),
    ],
)
def test_lists_go_on_after_the_disk_was_full(cli: Run, histories: Path, fitted: Path, limit: int, message: str) -> None:
    words = ["recommend", fitted, "--histories", histories, "--k", "7", "--out", "lists"]
    with files_up_to(limit):
        full = cli(*words)
    assert full.code == 1
    assert re.fullmatch(rf"Error: (\S+: )?{message}", full.error)
    assert cli(*words).code == 0
    pd.testing.assert_frame_equal(lists_in("lists"), at_once(cli, fitted, "--histories", histories, "--k", "7"))


def test_a_part_that_finds_the_disk_full_is_written_later(
    cli: Run, histories: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_blocks, "BLOCK_ROWS", 10_000)
    words = ["recommend", fitted, "--histories", histories, "--k", "7", "--out", "lists"]
    with files_up_to(3_000):
        full = cli(*words)
    assert full.error == "Error: cannot write lists/part-00000-000.parquet: File too large"
    assert [path.name for path in Path("lists").iterdir()] == [MANIFEST]
    assert cli(*words).code == 0
    pd.testing.assert_frame_equal(lists_in("lists"), at_once(cli, fitted, "--histories", histories, "--k", "7"))


@contextmanager
def files_up_to(limit: int) -> Iterator[None]:
    """Let the operating system limit the size of files, as a quota or a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("after", [0, 2])
def test_interrupted_lists_go_on(
    cli: Run, histories: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    words = ["recommend", fitted, "--histories", histories, "--k", "5", "--out", "lists"]
    keep, kept = ListsFolder.keep, []

    def interrupted(self: ListsFolder, block: int, facts: Any) -> None:
        if len(kept) == after:
            raise KeyboardInterrupt
        kept.append(block)
        keep(self, block, facts)

    monkeypatch.setattr(ListsFolder, "keep", interrupted)
    outcome = cli(*words)
    assert outcome.code == 130
    assert "the finished parts are in lists; the same command goes on" in outcome.err
    assert manifest("lists")["complete"] is False
    times = {path: path.stat().st_mtime_ns for block in kept for path in Path("lists").glob(f"part-{block:05}-*")}
    monkeypatch.setattr(ListsFolder, "keep", keep)
    assert cli(*words).code == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times
    pd.testing.assert_frame_equal(lists_in("lists"), at_once(cli, fitted, "--histories", histories, "--k", "5"))
    assert not list(Path("lists").glob("_blocks-*"))


def kill_and_go_on(here: Path, words: list[str], rng: np.random.Generator, kills: int) -> None:
    """Start the command so many times, and kill it at a random moment after it has begun to write."""
    code = (
        "import sys; from recsys_ae.data.readers.parts import user_blocks; user_blocks.BLOCK_ROWS = 60;"
        "from recsys_ae_cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [str(PROGRAM.parent / "python"), "-c", code, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for _ in range(kills):
        before = set(here.rglob("lists/*"))
        with subprocess.Popen(command, cwd=here, stderr=subprocess.DEVNULL, env=environment) as process:
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end and set(here.rglob("lists/*")) == before:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def assert_every_list_once(cli: Run, fitted: Path, histories: Path) -> None:
    found = lists_in("lists")
    assert not found.duplicated(["user", "rank"]).any()
    pd.testing.assert_frame_equal(found, at_once(cli, fitted, "--histories", histories, "--k", "5"))
    assert {path.suffix for path in Path("lists").iterdir()} == {".parquet", ".json"}


def test_killed_lists_go_on(cli: Run, here: Path, histories: Path, fitted: Path) -> None:
    words = ["recommend", str(fitted), "--histories", str(histories), "--k", "5", "--out", "lists"]
    kill_and_go_on(here, words, np.random.default_rng(0), 2)
    assert_every_list_once(cli, fitted, histories)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_lists_that_are_killed_often_go_on(cli: Run, here: Path, histories: Path, fitted: Path, seed: int) -> None:
    words = ["recommend", str(fitted), "--histories", str(histories), "--k", "5", "--out", "lists"]
    kill_and_go_on(here, words, np.random.default_rng(seed), 10)
    assert_every_list_once(cli, fitted, histories)
