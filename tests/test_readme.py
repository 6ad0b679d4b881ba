"""README: all command blocks and snippets run unchanged."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from recsys_ae import Recommender

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which all blocks run one after the other, as a reader would type them."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating\n"
        + "".join(f"{user},{item},{3 + (user + item) % 3}\n" for user in range(90) for item in range(user % 5, 60, 4))
    )
    (folder / "new-users.csv").write_text("user,item\nann,1\nann,2\nbob,3\n")
    (folder / "pairs.csv").write_text("user,item\n1,2\n3,4\n")
    rows = [f"{item},{item % 7},{item * item % 11},{'space' if item % 2 else 'cowboy'} movie\n" for item in range(64)]
    (folder / "movies.csv").write_text("movieId,length,budget,plot\n" + "".join(rows))
    for day in range(1, 11):
        part = folder / f"events/date=2026-02-{day:02}"
        part.mkdir(parents=True)
        events = [(f"u{user}", item, 4 + item % 2) for user in range(300) for item in range(user % 5, 60, 5)]
        frame = pd.DataFrame(events[day - 1 :: 10], columns=["user", "item", "rating"])
        frame.to_parquet(part / "part-0.parquet", index=False)
    return folder


def run(command: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    shell = ["bash", "-euo", "pipefail", "-c", command]
    with subprocess.Popen(
        shell, cwd=folder, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            printed, errors = process.communicate(timeout=900)
        finally:  # servers in the background end with the command
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"{command}\n{printed}\n{errors}"
    return printed


def test_the_first_screen_names_both_commands() -> None:
    first = "\n".join(README.splitlines()[:40])
    assert "make demo" in first
    assert "make test" in first


@pytest.mark.parametrize("block", [pytest.param(b, id=shlex.quote(b.split("\n")[0])) for b in blocks("bash")])
def test_a_command_block_runs(block: str, desk: Path, request: pytest.FixtureRequest) -> None:
    if "ml-1m" in block:
        request.getfixturevalue("data_dir")
    if "curl" in block and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    printed = run(block.replace("--budget 10m", "--budget 20s"), desk)
    if "invocations" in block:
        assert '{"predictions": [{"user": "ann", "items": [' in printed
        assert len(pd.read_parquet(desk / "shop-lists")) == 300 * 20
    if "--gate" in block:
        assert re.search("^(promoted|rejected|suspicious|ungated): ", printed, flags=re.MULTILINE)


@pytest.mark.parametrize("block", blocks("python"))
def test_a_snippet_runs(block: str, desk: Path) -> None:
    (desk / "snippet.py").write_text(block)
    run("rm -rf models/mult_vae", desk)
    assert "ndcg@100" in run(f"{sys.executable} -W error snippet.py", desk)


def test_the_command_line_and_python_give_the_same_model(desk: Path) -> None:
    command = next(block for block in blocks("bash") if "--out models/mine" in block).splitlines()[0]
    (desk / "snippet.py").write_text(blocks("python")[0])
    run(f"rm -rf models/mult_vae; {command} --overwrite; {sys.executable} snippet.py", desk)
    typed, imported = (Recommender.load(desk / "models" / name) for name in ("mine", "mult_vae"))
    assert typed.spec == imported.spec
    assert typed.recipe == imported.recipe
    assert typed.recipe.expected == imported.recipe.expected
    weights = imported.network.state_dict()
    for name, tensor in typed.network.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_the_demo_runs_what_the_makefile_says(tmp_path: Path) -> None:
    plan = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "--assume-old", ".venv/.ready", "demo", f"BIN={BIN}"],
        cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "MAKEFLAGS": ""},
    )  # fmt: skip
    printed = run(plan.stdout, tmp_path)
    assert "attainable" in printed
    assert (tmp_path / "demo/top10.csv").read_text().startswith("user,rank,item,score")
