"""Commands whose surroundings fail: closed or full streams, memory, home, working directory, and early signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
import torch

from recsys_ae_cli.commands import _memory_errors, models
from recsys_ae_cli.framework import Option
from tests.cli.conftest import FAST, PROGRAM, Outcome, Run

CLOSED = "Error: standard output is closed; redirect it to a file or to /dev/null"
FULL = "Error: standard output: No space left on device"


def shell(words: str, here: Path, **settings: str) -> Outcome:
    """Run the program in a shell that redirects its streams; P is the program."""
    environment = {**os.environ, **settings, "P": str(PROGRAM)}
    command = ["bash", "-c", f"set -o pipefail; {words}"]
    ended = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ("$P models >&-", 1, CLOSED),
        ("$P fit --help >&-", 1, CLOSED),
        ("$P models >&- 2>&-", 1, ""),
        ("$P models >&- <&-", 1, CLOSED),
        ("$P models 2>&- >/dev/null", 0, ""),
        ("$P fti 2>&-", 2, ""),
        ("$P fti 2>/dev/full", 2, ""),
        ("$P models >/dev/full", 1, FULL),
        ("$P --version >/dev/full", 1, FULL),
        ("$P models 2>/dev/full >/dev/null", 0, ""),
    ],
)
def test_a_stream_that_cannot_be_written_is_one_line(here: Path, words: str, code: int, line: str) -> None:
    outcome = shell(words, here)
    assert (outcome.code, outcome.err.rstrip("\n"), outcome.out) == (code, line, "")


def test_a_file_does_not_get_the_number_of_a_closed_stream(here: Path, ratings: Path) -> None:
    words = " ".join(["$P", "fit", "popularity", "--data", str(ratings), *FAST, "--quiet", "--out", "model"])
    assert shell(f"{words} <&- >&- 2>&-", here).code == 0
    assert shell("$P evaluate model --no-track --metrics ndcg@10", here).code == 0


def test_a_fit_whose_output_cannot_be_written_ends_before_the_training(here: Path, ratings: Path) -> None:
    words = " ".join(["$P", "fit", "popularity", "--data", str(ratings), *FAST, "--out", "model"])
    assert shell(f"{words} >/dev/full", here).error.startswith(FULL)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."), "20.00 GiB"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8589934592 bytes."),
            "8.0 GiB",
        ),
        (MemoryError(), ""),
        (OSError(12, "Cannot allocate memory"), ""),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), ""),
    ],
)
def test_memory_that_runs_out_is_one_line_with_what_to_change(
    cli: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("recsys_ae.recommender.recommender.Recommender.fit", fail)
    outcome = cli("fit", "mult-vae", "--no-track", "--quiet")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: out of memory")
    assert said in outcome.error
    assert all(option in outcome.error for option in ("--batch-size", "--latent", "--min-item-users"))


def test_real_errors_of_memory_are_recognised() -> None:
    with pytest.raises(MemoryError) as of_numpy:
        np.empty((2**40, 2**10))
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**60)
    option = [Option(["--batch-size"], type=click.INT)]
    for error in (of_numpy.value, of_torch.value):
        assert _memory_errors.is_out_of_memory(error)
        assert "for one array; lower --batch-size" in _memory_errors.explained(error, option)
    assert not _memory_errors.is_out_of_memory(ValueError("cannot allocate memory for this joke"))


def test_a_deleted_working_directory_is_one_line(here: Path) -> None:
    outcome = shell("mkdir gone; cd gone; rmdir ../gone; exec $P models", here)
    assert outcome.code == 1
    assert outcome.error.startswith("Error: the working directory cannot be used")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("seconds", [0.15, 0.4, 0.8])
def test_a_signal_in_the_first_second_is_one_line(here: Path, number: signal.Signals, seconds: float) -> None:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    slow = 3 * (time.monotonic() - began)  # until Python runs, a signal ends it; a busy machine needs longer for that

    def listen() -> None:  # a shell that starts this suite in the background has it ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)

    command = [
        str(PROGRAM),
        "fit",
        "mult-vae",
        "--no-track",
        "--epochs",
        "1000000",
        "--patience",
        "0",
        "--out",
        "model",
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen,  # noqa: PLW1509  no threads
    ) as process:
        try:
            time.sleep(seconds + slow)
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert err == "Interrupted: nothing was saved\n"
    assert list(here.iterdir()) == []


def test_an_interruption_that_other_code_drops_is_repeated(here: Path) -> None:
    program = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from recsys_ae_cli.commands import models
from recsys_ae_cli.main import main
def deaf(*_, **__):
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        time.sleep(20)
    except BaseException:
        pass
    time.sleep(20)
models.command.callback = deaf
sys.exit(main(["models"]))
"""
    started = time.monotonic()
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (143, "Interrupted: nothing was saved\n")
    assert time.monotonic() - started < 20


def test_a_table_on_a_full_disk_is_one_line(here: Path, model: Path) -> None:
    outcome = shell(f"$P recommend {model} --out - >/dev/full", here)
    assert (outcome.code, outcome.error) == (1, FULL)


def test_without_a_home_folder_the_cache_is_in_the_working_directory(
    cli: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cli("fit", "popularity", "--no-track", "--quiet", "--out", "model").code == 0
    outcome = cli("doctor")
    assert outcome.code == 0
    assert str(here / ".cache/recsys_ae") in outcome.out


@pytest.mark.parametrize(
    ("words", "truth"),
    [
        (["recommend", "{}", "--out", "top.csv"], "top.csv was saved"),
        (["recommend", "{}", "--out", "-"], "nothing was saved"),
        (["evaluate", "{}", "--per-user", "users.csv", "--no-track"], "users.csv was saved"),
        (["evaluate", "{}", "--no-track"], "nothing was saved"),
    ],
)
def test_an_interruption_at_the_end_says_what_was_saved(
    cli: Run, model: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], truth: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recsys_ae_cli.lists.lists._Exceptions.say", interrupted)
    monkeypatch.setattr("recsys_ae_cli.commands.evaluate._show", interrupted)
    outcome = cli(*(word.format(model) for word in words))
    assert outcome.code == 130
    assert outcome.err.splitlines()[-1] == f"Interrupted: {truth}"


def test_an_end_of_file_is_no_interruption(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def truncated(*_: object, **__: object) -> None:
        raise EOFError("Compressed file ended before the end-of-stream marker was reached")

    monkeypatch.setattr(models.command, "callback", truncated)
    outcome = cli("models")
    assert outcome.code == 1
    assert "Interrupted" not in outcome.error
