"""Folder of a search: its settings, its trials with the validation values of each user, and the kept models."""

import dataclasses
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from recsys_ae.errors import Argument, ArtefactError, ConfigError, Message
from recsys_ae.storage import atomic, checks, locks
from recsys_ae.storage.leftovers import is_temporary, sweep_tree
from recsys_ae.tuning.pruning import Curve, Values, curve_arrays, curve_of
from recsys_ae.tuning.trial import Proposal, Trial, folder_name, refuse_wrong

SEARCH, TRIALS = "search.json", "trials"
StoredT = TypeVar("StoredT", Proposal, Trial)
FOLDS = "folds.npz"
PROPOSAL, TRIAL, VALUES, MODEL, CHECKPOINT = "proposal.json", "trial.json", "values.npz", "model", "checkpoint"


class Journal:
    """What a search has done so far, on the disk.

    A trial is a folder. Its proposal is written before the fit and its result afterwards, each in one step. So a search
    that is killed loses at most what its running trials did since their last checkpoint.

    Parameters
    ----------
    n_users
        Number of validation users, of whom each trial has values; None if they are not read.
    """

    def __init__(self, folder: Path, n_users: int | None = None) -> None:
        self.folder, self._n_users = folder, n_users

    @contextmanager
    def opened(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Begin a search in the folder, or continue the same search; no other process can do so inside the context.

        Raises
        ------
        ArtefactError
            If the folder holds other files, cannot be written, or is used by another process now.
        ConfigError
            If the folder holds another search; the message names the differences.
        """
        path = self.folder / SEARCH
        if self.folder.exists() and not self.folder.is_dir():
            raise ArtefactError(f"{self.folder} is not a folder; set ", Argument("out"), " to a folder for the search")
        if path.is_file():
            self._refuse_other(json.loads(json.dumps(identity)))
        elif self.folder.is_dir() and not self._is_unused():
            raise ArtefactError(
                f"{self.folder} holds no search but other files; set ", Argument("out"), " to a new or empty folder"
            )
        with atomic.errors_named(f"write {self.folder}"):
            (self.folder / TRIALS).mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not path.is_file():
                atomic.write_text(path, json.dumps(identity, indent=1) + "\n")
            self._refuse_other(json.loads(json.dumps(identity)))  # another process may have begun it just now
            sweep_tree(self.folder)
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the trials. The folder itself is locked for a moment whenever a model is saved in it."""
        descriptor = locks.opened((self.folder / TRIALS).resolve())
        try:
            if descriptor is not None and locks.take(descriptor) is False:
                raise ArtefactError(
                    f"another process searches in {self.folder} now; wait for its end, or set ",
                    *(Argument("out"), " to a new folder"),
                )
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _is_unused(self) -> bool:
        """Return True if the folder is empty, or holds what a search leaves that is killed at its beginning."""
        others = [entry for entry in self.folder.iterdir() if not is_temporary(entry.name)]
        return all(entry.name == TRIALS and entry.is_dir() and not any(entry.iterdir()) for entry in others)

    def _refuse_other(self, identity: Mapping[str, Any]) -> None:
        stored = self._read(self.folder / SEARCH)
        names = (name for name in {*stored, *identity} if stored.get(name) != identity.get(name))
        differing = sorted(names, key=lambda name: (name == "defaults", name))  # what the user has chosen comes first
        if differing:
            name = differing[0]
            others = "" if len(differing) == 1 else f" (and {', '.join(differing[1:])})"
            values = f"{_brief(stored.get(name))}, not {_brief(identity.get(name))}{others}"
            raise ConfigError(
                *(f"{self.folder} holds a search with another setting of ", Argument(name), f": {values}; repeat its "),
                *("command to continue it, or set ", Argument("out"), " to a new folder"),
            )

    def trials(self) -> list[Trial]:
        """Return the trials that have ended, by number."""
        ended = [folder for folder in self._folders() if (folder / TRIAL).is_file()]
        return [self._stored(Trial, folder / TRIAL) for folder in ended]

    def unfinished(self) -> list[tuple[Proposal, float]]:
        """Return the trials that were begun and not ended, and the seconds that the search had taken then."""
        begun = []
        for folder in self._folders():
            if (folder / PROPOSAL).is_file() and not (folder / TRIAL).is_file():
                began = self._read(folder / PROPOSAL).get("elapsed")
                proposal = self._stored(Proposal, folder / PROPOSAL, without=("elapsed",))
                begun.append((proposal, float(began) if isinstance(began, int | float) else 0.0))
        return begun

    def _stored(self, kind: type[StoredT], path: Path, without: tuple[str, ...] = ()) -> StoredT:
        """Return a trial or proposal that is stored in a trial's folder."""
        values = {name: value for name, value in self._read(path).items() if name not in without}
        try:
            stored = kind(**values)
            refuse_wrong(stored)
            if stored.number != int(path.parent.name):
                raise ValueError(f"it is of trial {stored.number}")
        except (TypeError, ValueError) as error:
            raise damaged(path, error) from error
        return stored

    def spent(self) -> float:
        """Return the seconds of the budget that were spent when the latest trial began or ended."""
        return max([*(trial.elapsed for trial in self.trials()), *(began for _, began in self.unfinished())], default=0)

    def begin(self, proposal: Proposal, elapsed: float) -> None:
        """Write down that a trial begins."""
        folder = self.place(proposal.number)
        with atomic.errors_named(f"write {folder}"):
            folder.mkdir(exist_ok=True)
        values = {**dataclasses.asdict(proposal), "settings": dict(proposal.settings), "elapsed": elapsed}
        atomic.write_text(folder / PROPOSAL, json.dumps(values) + "\n")

    def end(self, trial: Trial) -> None:
        """Write down the result of a trial."""
        folder = self.place(trial.number)
        atomic.write_text(folder / TRIAL, json.dumps(trial.as_dict(), indent=1) + "\n")
        shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)

    def keep(self, trials: Iterable[Trial]) -> None:
        """Remove the models of all other trials."""
        kept = {trial.name for trial in trials}
        for folder in self._folders():
            if folder.name not in kept and (folder / MODEL).exists() and (folder / TRIAL).is_file():
                atomic.remove_folder(folder / MODEL)

    def place(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.folder / TRIALS / folder_name(number)

    def model(self, trial: Trial) -> Path:
        """Return the folder of the fitted model of a trial."""
        return self.place(trial.number) / MODEL

    def curve(self, trial: Trial) -> Curve:
        """Return the validation values of each user in a trial; those of a trial with a value are complete."""
        curve = read_curve(self.place(trial.number), trial.epochs or 1)
        of_users = [*curve.at.values(), *([] if curve.best is None else [curve.best])]
        is_complete = curve.best is not None and all(len(values) == self._n_users for values in of_users)
        if trial.value is not None and not is_complete:
            raise damaged(self.place(trial.number) / VALUES, "it does not hold the values of the users")
        return curve

    def folds(self, trial: Trial) -> list[Values]:
        """Return the values of each user of the groups that the trial was measured on so far."""
        arrays = read_arrays(self.place(trial.number) / FOLDS)
        return [arrays[name] for name in sorted(arrays)]

    def write_folds(self, trial: Trial, folds: Sequence[Values]) -> None:
        """Save the values of each user of the groups that the trial was measured on."""
        write_arrays(self.place(trial.number) / FOLDS, {f"{number:04}": values for number, values in enumerate(folds)})

    def _folders(self) -> list[Path]:
        folder = self.folder / TRIALS
        found = [entry for entry in folder.iterdir() if entry.name.isdecimal()] if folder.is_dir() else []
        return sorted(found, key=lambda entry: int(entry.name))

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            content = checks.content(path)
            values = json.loads(content.decode("utf-8"))
            checks.refuse_deep(values)
        except (OSError, ValueError, RecursionError) as error:
            raise damaged(path, error) from error
        if not isinstance(values, dict):
            raise damaged(path, "it holds no table")
        return values


def damaged(path: Path, error: BaseException | str) -> ArtefactError:
    """Return the error of a file of a search that cannot be read, with the way out."""
    repeat: Message = (f"remove {path.parent} to repeat the trial",)
    way_out = repeat if path.name != SEARCH else ("set ", Argument("out"), " to a new folder")
    return ArtefactError(f"{path} is damaged: {checks.brief(error)}; ", *way_out)


def write_curve(folder: Path, curve: Curve, *, durable: bool = False) -> None:
    """Save the values of a curve."""
    write_arrays(folder / VALUES, curve_arrays(curve), durable=durable)


def read_curve(folder: Path, epochs: int, *, is_unfinished: bool = False) -> Curve:
    """Return the curve in a folder; an empty one if there is none, or a damaged one of an unfinished trial."""
    try:
        arrays = read_arrays(folder / VALUES)
        try:
            return curve_of(epochs, arrays) if arrays else Curve(epochs)
        except (ValueError, KeyError) as error:
            raise damaged(folder / VALUES, error) from error
    except ArtefactError:
        if is_unfinished:  # it is not flushed to the disk after each epoch
            return Curve(epochs)
        raise


def write_arrays(path: Path, arrays: Mapping[str, Any], *, durable: bool = False) -> None:
    """Save arrays by name."""
    with atomic.errors_named(f"write {path}"), atomic.whole_file(path, durable=durable) as partial:
        np.savez(partial, **arrays)


def read_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of a file by name; none if there is no such file."""
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise ValueError("it is no archive of arrays")
            return dict(arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from error


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
