"""``recsys-ae data`` and ``recsys-ae doctor``."""

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from recsys_ae.data.named import names
from tests.cli.conftest import ITEMS, USERS, Run


def test_list_shows_every_set_and_which_are_here(cli: Run, here: Path) -> None:
    zipfile.ZipFile(here / "ml-100k.zip", "w").close()
    lines = {line.split()[0]: line for line in cli("data", "list", "--data-dir", here).out.splitlines() if line}
    assert set(names()) <= set(lines)
    assert lines["ml-100k"].endswith("downloaded")
    assert lines["ml-1m"].endswith("5.9 MB")
    assert lines["sample"].endswith("generated")


def test_list_says_what_has_to_be_fetched_by_hand_and_where(cli: Run, here: Path) -> None:
    shown = cli("data", "list", "--data-dir", here).out
    assert sum(line.endswith("by hand") for line in shown.splitlines()) == 2
    assert "netflix must be downloaded by hand, from https://www.netflixprize.com" in shown
    (here / "msd").mkdir()
    (here / "msd/train_triplets.txt").touch()
    shown = cli("data", "list", "--data-dir", here).out
    assert "msd must be downloaded by hand" not in shown


def test_fetch_says_in_a_line_what_to_do_by_hand(cli: Run, here: Path) -> None:
    outcome = cli("data", "fetch", "netflix", "--data-dir", here)
    assert outcome.code == 1
    assert "put netflix/ with" in outcome.error


def test_describe_counts_what_is_there_and_what_would_remain(cli: Run, ratings: Path) -> None:
    shown = cli("data", "describe", ratings).out
    table = pd.read_csv(ratings)
    assert f"interactions  {len(table):,}" in shown
    assert f"users         {len(USERS)}" in shown
    assert f"items         {len(ITEMS)}" in shown
    assert "timestamps    1970-01-12 to 1970-01-12" in shown
    fives = int((table["rating"] == 5).sum())
    assert f"{fives:,}  {fives / len(table):.1%}" in shown
    left = int((table["rating"] >= 4).sum())
    assert any(line.startswith("rating >= 4") and f"{left:,}" in line for line in shown.splitlines())


def test_describe_says_when_there_are_no_ratings_and_no_times(cli: Run, here: Path) -> None:
    (here / "clicks.csv").write_text("user,item\n" + "".join(f"{u},{i}\n" for u in range(9) for i in range(6)))
    shown = cli("data", "describe", "clicks.csv").out
    assert "There are no ratings" in shown
    assert "timestamps    none" in shown


def test_describe_says_what_the_usual_filters_would_take(cli: Run, here: Path) -> None:
    (here / "low.csv").write_text("user,item,rating\n" + "".join(f"{u},{i},0.5\n" for u in range(9) for i in range(6)))
    outcome = cli("data", "describe", "low.csv")
    assert outcome.code == 0
    assert "no interaction is left after the filter 'rating >= 4'" in outcome.out


def test_split_writes_what_fit_would_learn_from(cli: Run, here: Path, ratings: Path, model: Path) -> None:
    outcome = cli("data", "split", ratings, "--min-user-items", 3, "--out", "split")
    assert outcome.code == 0
    about = json.loads((here / "split/split.json").read_text(encoding="utf-8"))
    notes = json.loads((model / "notes.json").read_text(encoding="utf-8"))
    assert about.pop("fingerprint") == notes["fingerprint"]
    assert about == notes["source"]
    parts = {path.stem: pd.read_parquet(path) for path in (here / "split").glob("*.parquet")}
    assert set(parts) == {"train", "valid_histories", "valid_targets", "test_histories", "test_targets"}
    together = pd.concat(parts.values())
    table = pd.read_csv(ratings).query("rating >= 4")
    assert set(zip(together["user"], together["item"], strict=True)) == set(
        zip(table["userId"], table["itemId"], strict=True)
    )
    assert list(together.columns) == ["user", "item", "value"]


def test_split_replaces_nothing(cli: Run, here: Path, ratings: Path) -> None:
    (here / "split").mkdir()
    outcome = cli("data", "split", ratings, "--out", "split")
    assert outcome.code == 1
    assert "exists" in outcome.error


def test_fetch_leaves_alone_what_is_there(cli: Run, here: Path) -> None:
    zipfile.ZipFile(here / "ml-1m.zip", "w").close()
    assert (
        cli("data", "fetch", "ml-1m", "--data-dir", here).out == f"ml-1m is already downloaded: {here / 'ml-1m.zip'}\n"
    )


def test_fetch_shows_the_licence_before_anything_is_downloaded(
    cli: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recsys_ae.data import download

    def downloaded(remote: download.Remote, folder: Path, **_: object) -> None:
        (folder / remote.path).write_bytes(b"")

    monkeypatch.setattr(download, "download", downloaded)
    lines = cli("data", "fetch", "ml-1m", "--data-dir", here).out.splitlines()
    assert any(line.startswith("Licence: ") for line in lines[:-1])
    assert lines[-1] == f"ml-1m is saved in {here / 'ml-1m.zip'}"


@pytest.mark.parametrize("command", [("data", "fetch"), ("data", "describe")])
def test_a_mistyped_name_suggests_the_right_one(cli: Run, command: tuple[str, str]) -> None:
    outcome = cli(*command, "ml1m")
    assert outcome.code in (1, 2)
    assert "ml-1m" in outcome.error


def test_doctor_shows_versions_device_data_and_store(cli: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipfile.ZipFile(here / "ml-100k.zip", "w").close()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody:secret@server:5000")
    shown = cli("doctor", "--data-dir", here).out
    found = dict(line.split(None, 1) for line in shown.splitlines() if line.strip())
    assert {"python", "torch", "numpy", "mlflow", "memory", "threads", "device"} <= set(found)
    assert "data sets    sample, ml-100k" in shown
    assert found["tracking"] == "http://server:5000"


def test_doctor_says_which_package_is_missing(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys_ae_cli.commands import doctor

    monkeypatch.setattr(doctor, "PACKAGES", ("torch", "no-such-package"))
    assert "no-such-package  missing: pip install no-such-package" in cli("doctor").out


def test_the_share_for_validation_can_be_chosen(cli: Run, here: Path, ratings: Path) -> None:
    sizes = {}
    for split, share in (("weak", 0.3), ("weak", 0.1), ("weak", None), ("ratings", 0), ("time", 0.05)):
        out = f"{split}-{share}"
        chosen = () if share is None else ("--valid-share", share)
        assert cli("data", "split", ratings, "--split", split, *chosen, "--out", out).code == 0
        parts = {path.stem: len(pd.read_parquet(path)) for path in (here / out).glob("*.parquet")}
        sizes[out] = parts.get("valid_targets", 0) / parts["train"]
    assert sizes["weak-0.3"] > 0.4
    assert 0.1 < sizes["weak-0.1"] < 0.3
    assert sizes["weak-0.1"] == sizes["weak-None"]
    assert sizes["ratings-0"] == 0
    assert 0 < sizes["time-0.05"] < 0.1


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (("--split", "strong", "--valid-share", "0.2"), "--valid-share needs --split weak or time or ratings or given"),
        (("--split", "weak", "--valid-share", "1"), "'1' is not a share"),
        (("--split", "weak", "--valid-share", "-0.1"), "'-0.1' is not a share"),
    ],
)
def test_a_share_that_makes_no_sense_is_wrong_usage(cli: Run, ratings: Path, how: tuple[str, ...], said: str) -> None:
    outcome = cli("data", "split", ratings, "--out", "never", *how)
    assert outcome.code == 2
    assert said in outcome.error
