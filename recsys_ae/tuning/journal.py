"""Folder of a search: its settings, its trials with the validation values of each user, and the kept models."""

import dataclasses
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recsys_ae.errors import Argument, ArtefactError, ConfigError
from recsys_ae.storage import atomic, checks
from recsys_ae.storage.leftovers import is_temporary, sweep_tree
from recsys_ae.tuning.pruning import Curve, curve_arrays, curve_of
from recsys_ae.tuning.trial import Proposal, Trial, folder_name

SEARCH, TRIALS = "search.json", "trials"
PROPOSAL, TRIAL, VALUES, MODEL, CHECKPOINT = "proposal.json", "trial.json", "values.npz", "model", "checkpoint"


class Journal:
    """What a search has done so far, on the disk.

    A trial is a folder. Its proposal is written before the fit and its result afterwards, each in one step. So a search
    that is killed loses at most what its running trials did since their last checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, identity: Mapping[str, Any]) -> None:
        """Begin a search in the folder, or continue the same search.

        Raises
        ------
        ArtefactError
            If the folder holds other files, or cannot be written.
        ConfigError
            If the folder holds another search; the message names the differences.
        """
        path = self.folder / SEARCH
        if self.folder.exists() and not self.folder.is_dir():
            raise ArtefactError(f"{self.folder} is not a folder; set ", Argument("out"), " to a folder for the search")
        if path.is_file():
            self._refuse_other(json.loads(json.dumps(identity)))
        elif self.folder.is_dir() and not all(is_temporary(entry.name) for entry in self.folder.iterdir()):
            raise ArtefactError(
                f"{self.folder} holds no search but other files; set ", Argument("out"), " to a new or empty folder"
            )
        with atomic.errors_named(f"write {self.folder}"):
            (self.folder / TRIALS).mkdir(parents=True, exist_ok=True)
            sweep_tree(self.folder)
        if not path.is_file():
            atomic.write_text(path, json.dumps(identity, indent=1) + "\n")

    def _refuse_other(self, identity: Mapping[str, Any]) -> None:
        stored = self._read(self.folder / SEARCH)
        differing = sorted(name for name in {*stored, *identity} if stored.get(name) != identity.get(name))
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
        ended = []
        for folder in self._folders():
            if (folder / TRIAL).is_file():
                try:
                    ended.append(Trial.of_dict(self._read(folder / TRIAL)))
                except TypeError as error:
                    raise ArtefactError(
                        f"{folder / TRIAL} is damaged: {error}; remove {folder} to repeat the trial"
                    ) from error
        return ended

    def unfinished(self) -> list[tuple[Proposal, float]]:
        """Return the trials that were begun and not ended, and the seconds that the search had taken then."""
        begun = []
        for folder in self._folders():
            if (folder / PROPOSAL).is_file() and not (folder / TRIAL).is_file():
                values = self._read(folder / PROPOSAL)
                began = float(values.pop("elapsed"))
                begun.append((Proposal(**values), began))
        return begun

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
        """Return the validation values of each user in a trial."""
        return read_curve(self.place(trial.number), trial.epochs or 1)

    def _folders(self) -> list[Path]:
        folder = self.folder / TRIALS
        return sorted(entry for entry in folder.iterdir() if entry.name.isdigit()) if folder.is_dir() else []

    def _read(self, path: Path) -> dict[str, Any]:
        values = checks.parsed(path, checks.content(path))
        if not isinstance(values, dict):
            raise ArtefactError(f"{path} is damaged: it holds no table; remove its folder to repeat the trial")
        return values


def write_curve(folder: Path, curve: Curve) -> None:
    """Save the values of a curve."""
    path = folder / VALUES
    with atomic.errors_named(f"write {path}"), atomic.whole_file(path, durable=False) as partial:
        np.savez(partial, **curve_arrays(curve))  # type: ignore[arg-type]


def read_curve(folder: Path, epochs: int) -> Curve:
    """Return the curve in a folder; an empty one if there is none."""
    path = folder / VALUES
    if not path.is_file():
        return Curve(epochs)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return curve_of(epochs, dict(arrays))
    except (OSError, ValueError, KeyError) as error:
        raise ArtefactError(f"{path} is damaged: {error}; remove {folder} to repeat the trial") from error


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
