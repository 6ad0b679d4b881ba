"""The program as a whole: its help, its exit codes, and interrupts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recsys_ae_cli.commands import models
from recsys_ae_cli.mlflow_runs import Tracking
from tests.cli.conftest import FAST, PROGRAM, Run

COMMANDS = ("fit", "evaluate", "recommend", "predict", "similar", "models", "data", "doctor")


HEAVY = {
    "torch", "pandas", "numpy", "scipy", "sklearn", "rich", "mlflow", "pyarrow", "matplotlib", "safetensors", "pooch",
    "implicit", "PIL", "jinja2", "umap", "asyncio",
}  # fmt: skip
HELP = f"""
import sys
from recsys_ae_cli.main import main
sys.stdout = open({os.devnull!r}, "w", encoding="utf-8")
for words in sys.argv[1:] or [""]:
    assert main([*words.split(), "--help"]) == 0
    print(words, *sorted({HEAVY!r} & set(sys.modules)), sep=":", file=sys.stderr)
"""


def test_help_lists_every_command(cli: Run) -> None:
    shown = cli("--help")
    assert all(re.search(rf"^  {command} ", shown.out, re.MULTILINE) for command in COMMANDS)


def loaded_by_the_help_of(*commands: str) -> dict[str, set[str]]:
    """Return the heavy packages that are loaded after the help of each command and of those before it."""
    ended = subprocess.run([sys.executable, "-c", HELP, *commands], capture_output=True, text=True, check=False)
    lines = [line.split(":") for line in ended.stderr.splitlines()]
    assert [name for name, *_ in lines] == list(commands), ended.stderr
    return {name: set(packages) for name, *packages in lines}


def test_the_help_of_no_command_loads_a_heavy_package() -> None:
    # Imports take most of the time of a help: 0.1 s without these packages, more than 1 s with PyTorch.
    loaded = loaded_by_the_help_of("", *COMMANDS, "pretrain", "encode", "blend", "study", "data list")
    assert {name: packages for name, packages in loaded.items() if packages} == {}


def test_the_help_of_a_model_loads_what_its_network_needs_and_no_more() -> None:
    needed = {"torch", "numpy", "scipy", "pandas", "pyarrow", "asyncio"}
    loaded = loaded_by_the_help_of("fit mult-vae", "fit ease", "pretrain denoising")
    assert set().union(*loaded.values()) <= needed


def test_without_arguments_the_help_is_shown(cli: Run) -> None:
    assert cli().out == cli("--help").out
    assert cli("data").out == cli("data", "--help").out


def test_the_version_is_that_of_the_package(cli: Run) -> None:
    assert re.fullmatch(r"recsys-ae \d+\.\d+\.\d+\S*\n", cli("--version").out)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("fti",), "fit"),
        (("data", "lits"), "list"),
        (("fit", "mult-vea"), "mult-vae"),
        (("fit", "ease", "--l3", "1"), "--l2"),
        (("fit", "ease", "--dtype", "float65"), "float64"),
        (("fit", "ease", "--data", "ml-1n"), "ml-1m"),
        (("evaluate", "model", "--metrics", "ndgc@10"), "ndcg"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_line_that_names_the_nearest(
    cli: Run, typed: tuple[str, ...], meant: str
) -> None:
    outcome = cli(*typed)
    assert outcome.code == 2
    assert meant in outcome.error
    assert outcome.error.startswith("Error: ")


def test_fit_without_a_model_says_what_is_missing(cli: Run) -> None:
    outcome = cli("fit", "--epochs", 3)
    assert outcome.code == 2
    assert "the model is missing" in outcome.error


def test_an_unexpected_error_is_one_line_and_with_debug_a_traceback(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("two\nlines")

    monkeypatch.setattr(models.command, "callback", broken)
    outcome = cli("models")
    assert (outcome.code, outcome.error.split(";")[0]) == (1, "Error: ValueError: two lines")
    assert "--debug" in outcome.error
    assert "Traceback" in cli("--debug", "models").err


def test_a_reader_that_leaves_early_is_no_error(here: Path) -> None:
    command = f"set -o pipefail; {PROGRAM} fit --help | true"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert ended.stderr == ""


def test_ctrl_c_after_the_fit_says_where_the_model_is(
    cli: Run, here: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Tracking, "finish", interrupted)
    outcome = cli("fit", "popularity", "--data", ratings, *FAST, "--out", "model")
    assert (outcome.code, outcome.error) == (130, "Interrupted: the model is saved in model")
    assert (here / "model/config.json").is_file()


def test_ctrl_c_elsewhere_ends_with_130(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(models.command, "callback", interrupted)
    outcome = cli("models")
    assert outcome.code == 130
    assert outcome.err.strip().startswith("Interrupted")
