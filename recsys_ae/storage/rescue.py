"""Another place for a model that took long to fit, if it cannot be saved where it should be."""

import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Protocol

from recsys_ae.errors import ArtefactError
from recsys_ae.storage.leftovers import short
from recsys_ae.storage.places import real


class Savable(Protocol):
    """A model with a method that saves it, such as a `Recommender` or a `FeatureEncoder`."""

    def save(self, path: str | Path, *, overwrite: bool = ...) -> None:
        """Save the model in a folder; raise an `ArtefactError` if that fails."""


def save(model: Savable, path: Path, *, overwrite: bool = False) -> None:
    """Save a model; if that fails, save it next to ``path`` or in the folder of temporary files, and say where.

    It is for programs that end after an error. In Python the model is still in memory when its own ``save`` has failed.

    Raises
    ------
    ArtefactError
        If the model could not be saved at ``path``; the message names the folder that holds it instead.
    """
    try:
        model.save(path, overwrite=overwrite)
    except ArtefactError as error:
        place = _saved_next_to(model, path) or _saved_among_temporary_files(model)
        if place is None:
            raise
        lost = f"; nothing is lost: the model is saved in {place}, and that folder can be moved and renamed"
        raise ArtefactError(*error.parts, lost) from error


def _saved_next_to(model: Savable, path: Path) -> Path | None:
    named = path if path.name not in ("", "..") else real(path)
    with suppress(ArtefactError, OSError):
        name = short(named.name)
        place = next(place for n in count(1) if not (place := named.with_name(f"{name}.rescued-{n}")).exists())
        model.save(place)
        return place
    return None


def _saved_among_temporary_files(model: Savable) -> Path | None:
    try:
        folder = Path(tempfile.mkdtemp(prefix="recsys_ae-rescued-"))
    except OSError:
        return None
    with suppress(ArtefactError):
        model.save(folder / "model")
        return folder / "model"
    folder.rmdir()
    return None
