"""Searches: the same result disturbed or not, nothing fitted twice, and several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_ae.errors import ConfigError
from recsys_ae.nn.runtime import Run
from recsys_ae.testing.resuming import Interrupter
from recsys_ae.tuning import search, tune
from recsys_ae.tuning.journal import CHECKPOINT, MODEL, TRIAL, VALUES, Journal
from recsys_ae.tuning.search import Advance, Watch
from recsys_ae.tuning.trial import Proposal, Trial
from tests.single_thread import single_thread  # noqa: F401
from tests.tuning.small import CPU, METRIC, QUICK, RANGES, Interrupting, searched, split_of, trial_of, without_times

N = 8
PROGRAM = """
from pathlib import Path
import sys
import torch
from tests.tuning.small import searched
torch.set_num_threads(1)
searched(Path(sys.argv[1]), 8)
"""


class Counting(Watch):
    """Watch that counts the trials that begin and end."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "seen", ([], [], []))

    def started(self, proposal: Proposal) -> None:
        self.seen[0].append(proposal.number)  # type: ignore[attr-defined]

    def ended(self, advance: Advance) -> None:
        self.seen[1].append(advance)  # type: ignore[attr-defined]

    def first_table(self, trials: Any) -> None:
        self.seen[2].append([trial.model for trial in trials])  # type: ignore[attr-defined]


def values_in(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.glob(f"trials/*/{VALUES}")):
        with np.load(path) as arrays:
            found[path.parent.name] = {name: values.tolist() for name, values in arrays.items()}
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the trials of a search, and their values."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return searched(folder, N), values_in(folder)


def test_equal_searches_are_equal(tmp_path: Path, undisturbed: Any) -> None:
    trials = searched(tmp_path, N)
    assert (trials, values_in(tmp_path)) == undisturbed
    assert [trial["number"] for trial in trials] == list(range(1, N + 1))
    assert {trial["model"] for trial in trials[:4]} == set(QUICK)
    assert all(trial["is_default"] == (trial["number"] <= 4) for trial in trials)
    assert not list(tmp_path.rglob(CHECKPOINT))
    assert searched(tmp_path / "other", N, run=Run(device="cpu", seed=1)) != trials


def test_the_defaults_come_first_and_the_quick_ones_are_a_table(tmp_path: Path) -> None:
    watch = Counting()
    searched(tmp_path, N, watch=watch)
    started, ended, tables = watch.seen  # type: ignore[attr-defined]
    assert started == list(range(1, N + 1))
    (table,) = tables
    assert sorted(table) == ["ease", "edlae", "popularity"]
    assert [advance.n_trials for advance in ended] == [(number, N) for number in range(1, N + 1)]
    values = [advance.best.value for advance in ended]
    assert values == sorted(values)
    assert all(advance.left is None for advance in ended)


@pytest.mark.parametrize("after", [1, 3, 6, N])
def test_a_search_that_is_interrupted_between_trials_goes_on(tmp_path: Path, undisturbed: Any, after: int) -> None:
    watch = Interrupting(after)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, N, watch=watch)
    assert watch.seen == list(range(1, after + 1))  # type: ignore[attr-defined]
    counted = Counting()
    assert (searched(tmp_path, N, watch=counted), values_in(tmp_path)) == undisturbed
    assert counted.seen[0] == list(range(after + 1, N + 1))  # type: ignore[attr-defined]


TRAINED = ("popularity", "mult_dae")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, Any], int]:
    """Return the trials of a search with trainings, their values, and the number of updates."""
    folder, counter = tmp_path_factory.mktemp("trained"), Interrupter(10**9)
    trials = searched(folder, 4, models=TRAINED, run=Run(device="cpu", progress=counter))
    return trials, values_in(folder), counter.updates


@pytest.mark.parametrize("interruptions", [(1,), (3,), (4,), (6, 1, 2), (12, 12), (23,), (24,), (25, 3)])
def test_a_training_that_is_interrupted_goes_on_from_its_checkpoint(
    tmp_path: Path, trained: Any, interruptions: tuple[int, ...]
) -> None:
    """The default has eight epochs of three updates."""
    assert trained[0][1]["status"] == "complete"
    for updates in interruptions:
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path, 4, models=TRAINED, run=Run(device="cpu", progress=Interrupter(updates)))
        (place,) = tmp_path.glob(f"trials/*/{CHECKPOINT}")
        assert not (place.parent / TRIAL).exists()
    counter = Interrupter(10**9)
    trials = searched(tmp_path, 4, models=TRAINED, run=Run(device="cpu", progress=counter))
    assert (trials, values_in(tmp_path)) == trained[:2]
    assert counter.updates == trained[2] - sum(interruptions)  # no update is done twice
    assert not list(tmp_path.rglob(CHECKPOINT))


@pytest.mark.parametrize("file", ["checkpoint.json", "tensors.safetensors", "other fit"])
def test_a_checkpoint_that_cannot_be_used_is_discarded(tmp_path: Path, trained: Any, file: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path, 4, models=TRAINED, run=Run(device="cpu", progress=Interrupter(7)))
    (place,) = tmp_path.glob(f"trials/*/{CHECKPOINT}")
    if file == "other fit":
        head = json.loads((place / "checkpoint.json").read_text())
        head["identity"]["spec"]["epochs"] = 99
        (place / "checkpoint.json").write_text(json.dumps(head))
    else:
        (place / file).write_bytes(b"cut")
    assert searched(tmp_path, 4, models=TRAINED) == trained[0]


def test_more_trials_continue_a_search_that_has_ended(tmp_path: Path, undisturbed: Any) -> None:
    searched(tmp_path, 5)
    assert searched(tmp_path, 3) == undisturbed[0][:5]  # what was done stays
    assert searched(tmp_path, N) == undisturbed[0]


def state_of(folder: Path) -> dict[Path, int]:
    """Return the files in a folder and the times of their last changes."""
    found = {}
    for home, folders, files in os.walk(folder):  # other than `rglob`, it does not fail when a folder disappears
        for path in (Path(home) / name for name in (*folders, *files)):
            with suppress(FileNotFoundError):
                found[path] = path.stat().st_mtime_ns
    return found


def kill_and_continue(folder: Path, rng: np.random.Generator, kills: int) -> None:
    """Start a search so many times, and kill it at a random moment after its first change in the folder."""
    for _ in range(kills):
        ended, before = set(folder.glob(f"trials/*/{TRIAL}")), state_of(folder)
        with subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)]) as process:
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end and state_of(folder) == before:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
        assert ended <= set(folder.glob(f"trials/*/{TRIAL}"))


def test_a_search_that_is_killed_goes_on(tmp_path: Path, undisturbed: Any) -> None:
    kill_and_continue(tmp_path, np.random.default_rng(0), 2)
    assert (searched(tmp_path, N), values_in(tmp_path)) == undisturbed


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_a_search_that_is_killed_often_goes_on(tmp_path: Path, undisturbed: Any, seed: int) -> None:
    kill_and_continue(tmp_path, np.random.default_rng(seed), 20)
    assert (searched(tmp_path, N), values_in(tmp_path)) == undisturbed


def test_several_processes_give_every_trial_once(tmp_path: Path, undisturbed: Any) -> None:
    watch = Counting()
    result = tune(split_of(), models=QUICK, ranges=RANGES, run=Run(device="cpu", threads=1), trials=6, jobs=2,
                  out=tmp_path, watch=watch)  # fmt: skip
    assert [trial.number for trial in result.trials] == [1, 2, 3, 4, 5, 6]
    assert sorted(watch.seen[0]) == [1, 2, 3, 4, 5, 6]  # type: ignore[attr-defined]
    for one, other in zip(result.trials[:3], undisturbed[0][:3], strict=True):
        assert without_times(one) == other


def test_the_budget_ends_the_search_and_its_clock_goes_on(tmp_path: Path) -> None:
    began = time.monotonic()
    one = tune(split_of(), models=QUICK, ranges=RANGES, run=CPU, budget=5, out=tmp_path)
    seconds = time.monotonic() - began
    assert len(one.trials) > 4
    assert seconds < 1.1 * 5 + 5
    again = tune(split_of(), models=QUICK, ranges=RANGES, run=CPU, budget=5, out=tmp_path)
    assert len(again.trials) <= len(one.trials) + 1
    assert without_times(again.best) == without_times(one.best) or len(again.trials) > len(one.trials)


def test_models_of_the_best_trials_stay(tmp_path: Path) -> None:
    result = tune(split_of(), models=QUICK, ranges=RANGES, run=CPU, trials=N, out=tmp_path)
    kept = {path.parent.name for path in tmp_path.glob(f"trials/*/{MODEL}")}
    assert kept == {trial.name for trial in search.kept(result.trials, METRIC, 8)}
    assert {trial.model for trial in search.best_per_model(result.trials, METRIC)} == set(QUICK)


def test_a_changed_search_is_refused(tmp_path: Path) -> None:
    searched(tmp_path, 1)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"run": Run(device="cpu", seed=1)}, "seed: 0, not 1"),
        ({"metric": "recall@7"}, 'metric: "ndcg@100", not "recall@7"'),
        ({"ranges": {}}, "ranges: "),
        ({"models": ("ease",)}, "models: "),
    ]
    for change, said in changes:
        with pytest.raises(ConfigError, match="holds a search with another setting of") as caught:
            searched(tmp_path, 1, **change)
        assert said in str(caught.value)
    with pytest.raises(ConfigError, match="another setting of data"):
        tune(split_of(1), models=QUICK, ranges=RANGES, run=CPU, trials=1, out=tmp_path)
    assert len(Journal(tmp_path).trials()) == 1


# Orders of trials


def test_the_best_of_equal_trials_is_the_first() -> None:
    trials = [trial_of(1, "als", None), trial_of(2, value=0.4), trial_of(3, "als", 0.4), trial_of(4, value=0.3)]
    assert search.best_of(trials, METRIC) == trials[1]
    assert search.best_of(trials, "rmse") == trials[3]
    assert search.best_of(trials[:1], METRIC) is None
    assert search.best_per_model(trials, METRIC) == trials[1:3]


def test_baselines_are_the_simple_models_and_the_best_default() -> None:
    def default(number: int, model: str, value: float) -> Trial:
        return trial_of(number, model, value, is_default=True)

    trials = [default(1, "als", 0.3), default(2, "ease", 0.5), default(3, "elsa", 0.4), trial_of(4, "als", 0.6)]
    assert [trial.number for trial in search.baselines(trials, METRIC)] == [1, 2]
