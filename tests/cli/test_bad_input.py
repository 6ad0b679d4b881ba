"""Wrong input: one line that names the problem, and an exit code."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Run

HEADER = "user,item,rating,timestamp\n"
GOOD = "".join(f"u{u},i{i},5,{u * 10 + i + 1}\n" for u in range(30) for i in range(8) if (u + i) % 4)
PAIRS = "".join(f"u{u},i{i}\n" for u in range(20) for i in range(9))


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", (), "empty"),
        (HEADER, (), "no row"),
        (HEADER + GOOD, ("--separator", ";"), "separated by ';'"),
        (HEADER + GOOD, ("--user-column", "who"), "user, item, rating, timestamp"),
        (HEADER + GOOD + "u1,i1,,5\n", (), "rating in row 181"),
        (HEADER + GOOD + "u1,i1,good,5\n", (), "'good'"),
        (HEADER + GOOD + "u1,i1,inf,5\n", (), "not finite"),
        (HEADER + GOOD + "u1,i1,5,-7\n", (), "negative"),
        (HEADER + GOOD + "u1,,5,7\n", (), "item in row 181"),
        (HEADER + GOOD + GOOD, ("--duplicates", "error"), "180 repeated pairs"),
        (HEADER + GOOD.replace(",5,", ",1,"), ("--min-rating", "4"), "rating >= 4"),
        (HEADER + GOOD, ("--min-user-items", "50"), "users with >= 50"),
        (HEADER + GOOD, ("--valid-users", "20", "--test-users", "20"), "30 users"),
        (HEADER + GOOD, ("--device", "cuda:99"), "cuda:99"),
        (
            "user,item\n" + PAIRS,
            ("--split", "time"),
            "timestamps",
        ),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00", (), "not a text file"),
        (b"PK\x03\x04 and no more", (), "zip"),
    ],
)
def test_data_that_cannot_be_used(
    cli: Run, here: Path, content: str | bytes, options: tuple[str, ...], said: str
) -> None:
    (here / "bad.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    outcome = cli("fit", "ease", "--data", "bad.csv", "--no-track", *options)
    assert outcome.code == 1
    assert said in outcome.error
    assert not (here / "models").exists()


def test_a_missing_file_is_named(cli: Run) -> None:
    outcome = cli("fit", "ease", "--data", "./nowhere.csv", "--no-track")
    assert outcome.code == 1
    assert "nowhere.csv: there is no such file" in outcome.error


def test_a_truncated_archive_is_named(cli: Run, here: Path) -> None:
    with zipfile.ZipFile(here / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ratings.csv", HEADER + GOOD * 50)
    content = (here / "whole.zip").read_bytes()
    (here / "half.zip").write_bytes(content[: len(content) // 2])
    outcome = cli("data", "describe", "half.zip")
    assert outcome.code == 1
    assert "half.zip" in outcome.error


def test_users_with_one_interaction_do_not_matter(cli: Run, here: Path) -> None:
    (here / "few.csv").write_text(HEADER + GOOD + "".join(f"single{n},i1,5,9\n" for n in range(9)))
    assert cli("fit", "ease", "--data", "few.csv", "--no-track", "--min-user-items", 1).code == 0


def test_a_folder_that_is_no_model(cli: Run, here: Path) -> None:
    for folder in ("nowhere", "."):
        outcome = cli("evaluate", folder)
        assert outcome.code == 1
        assert "not a saved model" in outcome.error


def test_a_model_of_a_newer_version(cli: Run, here: Path, model: Path) -> None:
    shutil.copytree(model, here / "newer")
    config = json.loads((here / "newer/config.json").read_text(encoding="utf-8"))
    (here / "newer/config.json").write_text(json.dumps({**config, "format": 99}), encoding="utf-8")
    outcome = cli("similar", "newer", "film 1")
    assert outcome.code == 1
    assert "newer version" in outcome.error


def test_a_damaged_model(cli: Run, here: Path, model: Path) -> None:
    shutil.copytree(model, here / "damaged")
    with (here / "damaged/state.safetensors").open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"abc")
    outcome = cli("evaluate", "damaged")
    assert outcome.code == 1
    assert "damaged" in outcome.error


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(cli: Run, ratings: Path) -> None:
    outcome = cli("fit", "ease", "--data", ratings, "--no-track", "--device", "cuda")
    assert outcome.code == 1
    assert "CUDA" in outcome.error
