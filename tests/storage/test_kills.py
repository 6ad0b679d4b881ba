"""Processes that overwrite a model again and again, and are killed at any moment."""

import random
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from recsys_ae.storage import artefact, atomic
from recsys_ae.storage.leftovers import is_temporary
from tests.storage.contention import read, write


def overwrite_forever(path: Path, in_one_step: bool) -> None:
    if not in_one_step:
        atomic.exchange = lambda *_: False  # type: ignore[assignment]
        genuine = Path.rename

        def rename(self: Path, target: Path) -> Path:
            time.sleep(0.005)  # else no kill falls between the steps
            return genuine(self, target)

        Path.rename = rename  # type: ignore[method-assign, assignment]
    number = 0
    while True:
        write(path, number, overwrite=True)
        number += 1


def number_of(path: Path) -> int | None:
    """Return the number of a folder; None between the two renames of an overwrite."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def kill_an_overwrite(path: Path, in_one_step: bool, seconds: float) -> None:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    writer = context.Process(target=overwrite_forever, args=(path, in_one_step), daemon=True)
    before = number_of(path)
    writer.start()
    end = time.monotonic() + 60
    while number_of(path) == before and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(seconds)
    writer.kill()
    writer.join()


@pytest.mark.parametrize("in_one_step", [True, False], ids=["exchange", "two steps"])
@pytest.mark.parametrize("kills", [10, pytest.param(250, marks=pytest.mark.nightly)])
def test_after_every_kill_there_is_a_whole_model_and_nothing_else(
    in_one_step: bool, kills: int, tmp_path: Path
) -> None:
    write(tmp_path / "model", 0, overwrite=False)
    draw = random.Random(0)
    n_leftovers = n_between = 0
    for n in range(kills):
        kill_an_overwrite(tmp_path / "model", in_one_step, draw.uniform(0, 0.02))
        n_between += not (tmp_path / "model").exists()
        n_leftovers += any(is_temporary(path.name) for path in tmp_path.iterdir())
        if n % 2:
            read(tmp_path / "model")
        else:
            artefact.refuse_to_write(tmp_path / "model", overwrite=True)
        assert [path.name for path in tmp_path.iterdir()] == ["model"]
        read(tmp_path / "model")
    assert n_leftovers > kills / 3
    assert (n_between > kills / 10) != in_one_step or kills < 100
