"""What a study keeps on the disk: a folder for each fit, with its encoder and a file for each measure.

A file is whole or not there. What its values were measured of is written beside them: where that differs, it is
measured again.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from recsys_ae.errors import ArtefactError
from recsys_ae.storage.atomic import errors_named, whole_file, write_text

Numbers: TypeAlias = dict[str, Any]
FIT = "fit"
ENCODER = "encoder"


@dataclass(frozen=True, eq=False)
class Measured:
    """Numbers, as JSON, and arrays by name."""

    numbers: Numbers
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Shelf:
    """The folder of one fit."""

    folder: Path

    @property
    def encoder(self) -> Path:
        """Where the saved model is."""
        return self.folder / ENCODER

    def has(self, name: str, of: Mapping[str, Any]) -> bool:
        """Whether a measure is kept that was made of the same."""
        found = self._json(name)
        return found is not None and found["of"] == json.loads(json.dumps(dict(of)))

    def keep(self, name: str, of: Mapping[str, Any], measured: Measured) -> None:
        """Write a measure; its arrays first, so that a file of numbers has all of them."""
        with errors_named(f"write {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            if measured.arrays:
                path = self.folder / f"{name}.npz"
                with errors_named(f"write {path}"), whole_file(path) as partial, partial.open("wb") as file:
                    np.savez_compressed(file, **dict(measured.arrays))  # type: ignore[arg-type]
            text = json.dumps({"of": dict(of), "numbers": measured.numbers}, indent=1, allow_nan=False)
            write_text(self.folder / f"{name}.json", text)

    def measured(self, name: str) -> Measured | None:
        """Return a measure; None where there is none."""
        found = self._json(name)
        if found is None:
            return None
        arrays: dict[str, np.ndarray] = {}
        path = self.folder / f"{name}.npz"
        if path.is_file():
            try:
                with np.load(path, allow_pickle=False) as stored:
                    arrays = {key: stored[key] for key in stored.files}
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                raise ArtefactError(
                    f"{path} is damaged: {error}; delete {self.folder} and run the study again"
                ) from error
        return Measured(found["numbers"], arrays)

    def _json(self, name: str) -> dict[str, Any] | None:
        path = self.folder / f"{name}.json"
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {"of": found["of"], "numbers": found["numbers"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtefactError(f"{path} is damaged: {error}; delete {self.folder} and run the study again") from error
