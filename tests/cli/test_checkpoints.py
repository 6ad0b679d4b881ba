"""Interrupted fits go on when the same command is typed again."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli import conftest
from tests.cli.conftest import Run

# A shell that starts this suite in the background has it ignore Ctrl-C, which the command would inherit.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "import sys\nfrom recsys_ae_cli.main import main\nsys.exit(main())"
)
FAST = (*conftest.FAST, "--threads", "1", "--hidden", "8", "--latent", "4")
LONG = ("--epochs", "1000000", "--patience", "0", "--checkpoint-every", "0")


def stopped(number: int, *args: Any, when: Callable[[], bool] | None = None) -> tuple[int, str]:
    """Run a fit, send a signal while it trains, and return its exit code and its last line.

    The signal is sent after a second, or when a condition holds.
    """
    command = [sys.executable, "-c", PROGRAM, *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while "to be saved in" not in process.stdout.readline():
                assert process.poll() is None
            time.sleep(1 if when is None else 0)
            while when is not None and not when():
                assert process.poll() is None
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, err.strip().splitlines()[-1] if err.strip() else ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_a_fit_says_how_to_go_on(here: Path, ratings: Path, number: int, code: int) -> None:
    fit = ("fit", "mult-vae", "--data", ratings, *FAST, *LONG, "--out", "model")
    assert stopped(number, *fit) == (
        code,
        "Interrupted: the training so far is saved in model.checkpoint; the same command continues it",
    )
    assert [path.name for path in here.iterdir()] == ["model.checkpoint"]
    epochs = json.loads((here / "model.checkpoint" / "checkpoint.json").read_text())["parts"]["list"]
    assert len(epochs) == 1
    assert stopped(number, *fit)[0] == code


def test_a_fit_that_was_killed_goes_on_and_ends_like_an_undisturbed_one(cli: Run, here: Path, ratings: Path) -> None:
    fit = [
        "fit",
        "mult-vae",
        "--data",
        ratings,
        *FAST,
        "--patience",
        "0",
        "--epochs",
        "1000",
        "--checkpoint-every",
        "0.0001",
    ]
    written = here / "killed.checkpoint" / "checkpoint.json"
    code, _ = stopped(signal.SIGKILL, *fit, "--out", "killed", when=written.exists)
    assert code == -signal.SIGKILL
    outcome = cli(*fit, "--out", "killed")
    assert re.match(r"Going on from the checkpoint in killed\.checkpoint: \d+ epochs? done, written 2", outcome.err)
    cli(*fit, "--out", "undisturbed")
    assert sorted(path.name for path in here.iterdir()) == ["killed", "undisturbed"]
    states = [(here / name / "state.safetensors").read_bytes() for name in ("killed", "undisturbed")]
    assert states[0] == states[1]


def test_another_fit_is_refused_in_the_words_of_the_options(cli: Run, here: Path, ratings: Path) -> None:
    fit = ["fit", "mult-vae", "--data", ratings, *FAST, "--out", "model"]
    stopped(signal.SIGTERM, *fit, *LONG)
    refused = cli(*fit, *LONG, "--lr", "0.5")
    assert refused.code != 0
    assert refused.error == (
        "Error: the checkpoint model.checkpoint belongs to another fit: --lr 0.001, not 0.5. Give the settings and "
        "data of that fit, or discard the checkpoint with --restart"
    )
    assert cli(*fit, "--epochs", "2", "--restart").code == 0
    assert [path.name for path in here.iterdir()] == ["model"]


def test_a_checkpoint_that_outlived_its_saved_model_is_removed(cli: Run, here: Path, ratings: Path) -> None:
    """The command was killed after the model was saved, and before the checkpoint was removed."""
    fit = ["fit", "mult-vae", "--data", ratings, *FAST, "--patience", "0", "--epochs", "1000", "--out", "model"]
    stopped(signal.SIGTERM, *fit)
    kept = here / "kept"
    (here / "model.checkpoint").rename(kept)
    assert cli(*fit).code == 0
    kept.rename(here / "model.checkpoint")
    assert cli(*fit).error.startswith("Error: model exists")
    assert [path.name for path in here.iterdir()] == ["model"]


def test_models_that_are_not_trained_step_by_step_have_no_such_options(cli: Run) -> None:
    assert "--restart" not in cli("fit", "ease", "--help").out
    assert "--restart" in cli("fit", "blend", "--help").out
    assert "--restart" in cli("pretrain", "vanilla", "--help").out
    assert "--restart" not in cli("pretrain", "pca", "--help").out


@pytest.mark.parametrize("value", ["-1", "nan"])
def test_a_wrong_time_is_refused_in_the_words_of_the_option(cli: Run, ratings: Path, value: str) -> None:
    outcome = cli("fit", "mult-vae", "--data", ratings, *FAST, "--checkpoint-every", value)
    assert outcome.code == 2
    assert f"--checkpoint-every {value}" in outcome.error
    assert "must be a number of minutes, at least 0" in outcome.error


def test_ctrl_c_while_the_store_is_waited_for_loses_nothing(
    cli: Run, here: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def address(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recsys_ae_cli.mlflow_runs.Tracking.address", property(address))
    outcome = cli("fit", "mult-vae", "--data", ratings, *FAST, "--epochs", "2", "--out", "model")
    assert (outcome.code, outcome.err.splitlines()[-1]) == (130, "Interrupted: the model is saved in model")
    assert (here / "model" / "config.json").is_file()
