"""Processes that write, read and remove one folder at the same time."""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import torch

from recsys_ae.storage import artefact, atomic
from recsys_ae.storage.artefact import Artefact

Answers: TypeAlias = "Queue[tuple[str, str]]"
SIZE = 5000


def write(path: Path, number: int, *, overwrite: bool) -> None:
    """Write a model that holds one number in each of its files."""
    state = {"a": torch.full((SIZE,), number)}
    artefact.write(path, Artefact({"n": number}, pd.Index([number]), state, {"n": number}), overwrite=overwrite)


def read(path: Path) -> None:
    """Read a model, and check that all of its files hold the same number."""
    stored = artefact.read(path, torch.device("cpu"))
    numbers = {stored.config["n"], int(stored.items[0]), stored.notes["n"], *stored.state["a"].unique().tolist()}
    if len(numbers) != 1 or len(stored.state["a"]) != SIZE:
        raise AssertionError(f"mixed: {numbers}")


def compete(home: Path, tasks: dict[str, int], rounds: int, *, in_one_step: bool) -> dict[str, list[str]]:
    """Run processes for the tasks, as many as each says; return the outcomes by task: "done" or an error."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])  # the imports take longer than the rounds
    answers: Answers = context.Queue()
    names = [name for name, n in tasks.items() for _ in range(n)]
    workers = [
        context.Process(target=_work, args=(name, index, home / "model", rounds, in_one_step, answers), daemon=True)
        for index, name in enumerate(names)
    ]
    for worker in workers:
        worker.start()
    outcomes: dict[str, list[str]] = {name: [] for name in tasks}
    for _ in range(rounds * len(names)):
        name, outcome = answers.get(timeout=120)
        outcomes[name].append(outcome)
    for worker in workers:
        worker.join(timeout=30)
        assert worker.exitcode == 0
    return outcomes


def _work(name: str, index: int, path: Path, rounds: int, in_one_step: bool, answers: Answers) -> None:
    if not in_one_step:
        atomic.exchange = lambda *_: False  # type: ignore[assignment]
    uses: dict[str, Callable[[int], None]] = {
        "write": lambda number: write(path, number, overwrite=False),
        "overwrite": lambda number: write(path, number, overwrite=True),
        "read": lambda _: read(path),
        "remove": lambda _: atomic.remove_folder(path),
    }
    for number in range(rounds):
        try:
            uses[name](index * rounds + number)
            answers.put((name, "done"))
        except Exception as error:  # the test says which are allowed
            answers.put((name, f"{type(error).__name__}: {error}"))
