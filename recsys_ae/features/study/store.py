"""Saved fits of a study: a folder for each fit, with its encoder and a file for each measure.

Files are written atomically. A file also holds what its values depend on; if that differs, the measure is repeated.
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
    """The values of a measure: numbers, which are JSON values, and arrays by name."""

    numbers: Numbers
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Shelf:
    """The folder of one fit."""

    folder: Path

    @property
    def encoder(self) -> Path:
        """The folder of the saved model."""
        return self.folder / ENCODER

    def has(self, name: str, of: Mapping[str, Any]) -> bool:
        """Return True if a measure is saved that depends on the same values."""
        content = self._json(name)
        return content is not None and content["of"] == json.loads(json.dumps(dict(of)))

    def keep(self, name: str, of: Mapping[str, Any], measured: Measured) -> None:
        """Write a measure, the arrays before the numbers, so that saved numbers always have their arrays.

        The former numbers are deleted first, because the new arrays are not theirs.
        """
        with errors_named(f"write {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{name}.json").unlink(missing_ok=True)
            path = self.folder / f"{name}.npz"
            if not measured.arrays:
                path.unlink(missing_ok=True)
            else:
                with errors_named(f"write {path}"), whole_file(path) as partial, partial.open("wb") as file:
                    np.savez_compressed(file, **dict(measured.arrays))  # type: ignore[arg-type]
            text = json.dumps({"of": dict(of), "numbers": measured.numbers}, indent=1, allow_nan=False)
            write_text(self.folder / f"{name}.json", text)

    def measured(self, name: str) -> Measured | None:
        """Return a saved measure; None if there is none."""
        content = self._json(name)
        if content is None:
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
        return Measured(content["numbers"], arrays)

    def _json(self, name: str) -> dict[str, Any] | None:
        path = self.folder / f"{name}.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return {"of": content["of"], "numbers": content["numbers"]}
        except FileNotFoundError:  # not measured, or another process is writing it anew
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtefactError(f"{path} is damaged: {error}; delete {self.folder} and run the study again") from error
