"""Trials: a command is killed, typed again, and compared with an undisturbed run."""

import json
import random
import re
import shutil
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from reliability.children import Ended, forked, installed, preload
from reliability.commands import Command, all_commands, make_inputs, models
from reliability.contents import below, contents, differences
from reliability.place import Moment, Place
from reliability.publisher import Publisher

from recsys_ae.storage import artefact

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
AFTER = 0.004
"""Longest time in seconds between a change of a file and a signal that follows it."""
EARLY = 0.05
"""Seconds in which a command that was copied handles signals at the latest."""
TRIES = 6
"""Number of draws of a moment, until one is before the end of the command."""


@dataclass(frozen=True)
class Undisturbed:
    """A run of a command that is not disturbed."""

    start: dict[str, str]
    end: dict[str, str]
    ended: Ended


class World:
    """Inputs of all commands, and their undisturbed runs. All runs have the same folder, because models name it."""

    def __init__(self, root: Path, names: Sequence[str] = ()) -> None:
        self.root, self.trial = root, Place(root / "trial")
        base = Place(root / "base").make()
        self.inputs = base.work / "inputs"
        commands = all_commands(self.inputs, Publisher().address)
        self.commands = {command.name: command for command in commands if not names or command.name in names}
        if not self.inputs.exists():
            _finished(forked(base, (), instead=lambda: make_inputs(self.inputs)))
        read = {word for command in self.commands.values() for word in command.words}
        for name, words in models(self.inputs).items():
            folder = self.inputs / name
            if str(folder) in read and not folder.exists():
                _finished(forked(base, (*words, "--out", str(folder))))
        if (base.work / "mlflow.db").exists():
            (base.work / "mlflow.db").rename(self.inputs / "mlflow.db")
        self.undisturbed = {name: self._undisturbed(command) for name, command in self.commands.items()}

    def begin(self, command: Command) -> Place:
        """Return the folders in which the command starts."""
        shutil.rmtree(self.trial.root, ignore_errors=True)
        shutil.copytree(self._start(command), self.trial.root)
        return self.trial

    def _start(self, command: Command) -> Path:
        start = Place(self.root / "starts" / re.sub(r"\W+", "-", command.name))
        if not start.root.exists():
            shutil.rmtree(self.trial.root, ignore_errors=True)
            self.trial.make()
            shutil.copytree(self.root / "base" / "home", self.trial.root / "home", dirs_exist_ok=True)
            for name in command.needs:
                shutil.copy(self.inputs / name, self.trial.work / name)
            if command.old:
                _finished(forked(self.trial, command.old))
            start.root.parent.mkdir(exist_ok=True)
            self.trial.root.rename(start.root)
        return start.root

    def _undisturbed(self, command: Command) -> Undisturbed:
        modules = self.root / "modules"
        ends = []
        for _ in range(2):
            place = self.begin(command)
            start = contents(place.root)
            ended = _finished(forked(place, command.words, prepare=command.prepare, modules=modules))
            preload(modules)
            ends.append(contents(place.root))
        unequal = differences(*ends)
        assert not unequal, f"{command.name}: two undisturbed runs differ: {unequal}"
        return Undisturbed(start, ends[0], ended)


def _finished(ended: Ended) -> Ended:
    assert ended.code == 0, ended.err
    return ended


class Trial:
    """A command that is killed once, and typed again."""

    def __init__(self, world: World, seed: int, number: int, *, real: bool) -> None:
        self.world, self.real = world, real
        self.draw = random.Random(f"{seed}/{number}")  # noqa: S311  no secret
        commands = [c for c in world.commands.values() if c.prepare is None or not real]
        (self.command,) = self.draw.choices(commands, [c.share for c in commands])
        self.signal = self.draw.choice(SIGNALS)
        self.expected = world.undisturbed[self.command.name]
        self.faults: list[str] = []
        self.record = {"number": number, "command": self.command.name, "real": real, "signal": self.signal.name}

    def run(self) -> dict[str, Any]:
        """Return the record of the trial."""
        first = self._killed()
        state = self._state()
        self._check_whole()
        if first.code != -signal.SIGKILL:
            self._check_answer(first, state)
        self.record |= {"state": state, "code": first.code, "answered": first.answered}
        self.record |= {"line": (first.err.strip().splitlines() or [""])[-1]}
        again = self._run(None)
        self._check_again(again, state)
        went_on = re.search(r"Going on from the checkpoint .*", again.err + again.out)
        self.record |= {"went_on": went_on[0] if went_on else "", "seconds": again.seconds}
        self.faults += [f"a process is left: {line}" for line in (*first.left, *again.left)]
        return self.record | {"faults": self.faults}

    def _killed(self) -> Ended:
        """Run the command until the signal."""
        for tried in range(TRIES):
            moment = self._moment(0.8**tried)
            self.record |= {"seconds_of_signal": moment.seconds, "change": moment.change, "tries": tried + 1}
            self.world.begin(self.command)
            ended = self._run(moment)
            if ended.answered is not None and ended.code != 0:
                break
        return ended

    def _run(self, moment: Moment | None) -> Ended:
        if self.real and moment is not None:
            return installed(self.world.trial, self.command.words, moment)
        return forked(self.world.trial, self.command.words, moment, prepare=self.command.prepare)

    def _moment(self, share: float) -> Moment:
        """Draw a moment: in the whole duration, or close to a change of a file."""
        usual = self.expected.ended
        if self.real:
            start = 2.5  # seconds of imports
            return Moment(self.signal, self.draw.uniform(0, start + usual.seconds) * share)
        if not usual.changes or self.draw.random() < 0.5:
            return Moment(self.signal, self.draw.uniform(0, usual.seconds) * share)
        change = 1 + self.draw.randrange(max(1, round(usual.changes * share)))
        return Moment(self.signal, self.draw.choice([None, self.draw.uniform(0, AFTER)]), change)

    def _state(self) -> str:
        """Return "old" or "new", which is what lies under the final name."""
        command, everything = self.command, contents(self.world.trial.root, temporary=False)
        out = f"work/{command.out}"
        found, old, new = (below(part, out) for part in (everything, self.expected.start, self.expected.end))
        if command.parts:
            found = {name: text for name, text in found.items() if text != "folder"}  # of a fit that has begun
            rewritten = ("study.json", "report.json", "fit.json")
            partial = [p for p in differences(found, new) if not p.startswith("missing") and not p.endswith(rewritten)]
            self.faults += [f"after the kill, {text}" for text in partial]
            return "new" if found == new else "old"
        if found not in (old, new):
            self.faults += [f"after the kill, {text}" for text in differences(found, new)]
            return "damaged"
        return "old" if found == old and command.out else "new" if command.out else "none"

    def _check_whole(self) -> None:
        """Check that a saved model can be read, which compares its checksums."""
        saved = self.world.trial.work / (self.command.out or "none")
        if (saved / artefact.CONFIG).is_file():
            ended = forked(Place(self.world.root / "reader").make(), (), instead=lambda: _read(saved))
            self.faults += [] if ended.code == 0 else [f"after the kill, unreadable: {ended.err[-300:]}"]

    def _check_answer(self, ended: Ended, state: str) -> None:
        """Check the exit code and the line of a command that got SIGTERM or SIGINT."""
        usual = self.expected.ended.err.splitlines()
        lines = [line for line in ended.err.splitlines() if line not in usual]
        if ended.code == 0 or (ended.code == -self.signal and state != "old"):
            return  # the command was finished
        after = ended.seconds - (ended.answered or 0.0)
        if ended.code == -self.signal and not lines and (self.real or after < EARLY):
            return  # Python had not begun to run the command, or the command to handle signals
        if ended.code != 128 + self.signal:
            self.faults.append(f"exit code {ended.code} after {self.signal.name}")
        if len(lines) != 1:
            self.faults.append(f"{len(lines)} lines after {self.signal.name}: {lines[:3]}")
        elif not self._is_true(lines[0], state):
            self.faults.append(f"untrue: {lines[0]} ({state})")

    def _is_true(self, line: str, state: str) -> bool:
        checkpoint = self.world.trial.work / f"{self.command.out}.checkpoint"
        if line.endswith("nothing was saved"):
            return state in ("old", "none") and not (self.command.out and checkpoint.exists())
        if "the training so far is saved in" in line:
            return state == "old" and checkpoint.is_dir()
        return line.startswith("Interrupted: ")

    def _check_again(self, again: Ended, state: str) -> None:
        """Check that the command, typed again, gave what an undisturbed one gives, and left nothing else."""
        words = self.command.words
        exists = state == "new" and self.command.out and "exists" in again.err and "--overwrite" not in words
        if again.code != 0 and not (again.code == 1 and exists):
            self.faults.append(f"typed again, it ends with {again.code}: {again.err.strip()[-300:]}")
        found = contents(self.world.trial.root)
        end = self.expected.end
        if state == "new":  # what is logged after the model was saved is not logged later
            end = {name: text for name, text in end.items() if name in found or not name.startswith("work/mlruns/")}
        self.faults += [f"typed again, {text}" for text in differences(found, end)]
        self._check_whole()
        database = self.world.trial.work / "mlflow.db"
        if database.exists():
            self.faults += _faults_of(database)


def _read(path: Path) -> None:
    kind = json.loads((path / artefact.CONFIG).read_text(encoding="utf-8"))["kind"]
    artefact.read(path, torch.device("cpu"), kind)


def _faults_of(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as store:
        (whole,) = store.execute("PRAGMA integrity_check").fetchone()
        running = store.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()[0]
    return ([] if whole == "ok" else [f"mlflow.db: {whole}"]) + (
        [f"{running} runs are left running"] if running else []
    )
