"""Saved models: folders of JSON and tensors. Loading one runs no code from it."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from recsys_ae.errors import Argument, ArtefactError
from recsys_ae.storage import atomic
from recsys_ae.storage.tensors import State, load_tensors, save_tensors

if TYPE_CHECKING:
    import torch

FORMAT = 1
CONFIG, ITEMS, NOTES, STATE = "config.json", "items.json", "notes.json", "state.safetensors"
USERS, COLUMNS = "users.json", "columns.json"
ALWAYS, SOMETIMES = (ITEMS, NOTES, STATE), (USERS, COLUMNS)
KINDS = {"recommender": "Recommender", "feature_encoder": "FeatureEncoder"}
"""Kinds of saved models, and the class that loads each."""

_RESTORE = "restore it from a copy, or fit and save the model again"


@dataclass(frozen=True, eq=False)
class Artefact:
    """Contents of a saved model.

    Attributes
    ----------
    config
        Hyper-parameters, history, metadata and counts: JSON.
    items
        Ids of the model's columns. Their types are kept: the text "1" and the number 1 differ.
    state
        Learnt tensors by name.
    notes
        Additional information of the caller: JSON.
    users
        Ids of the training users, if the model has learnt parameters of each; else empty.
    kind
        Kind of model, one of `KINDS`.
    columns
        Names of the item features, if a recommender has learnt from them; else empty.
    """

    config: Mapping[str, Any]
    items: "pd.Index[Any]"
    state: State
    notes: Mapping[str, Any]
    users: "pd.Index[Any]" = dataclasses.field(default_factory=lambda: pd.Index([]))
    kind: str = "recommender"
    columns: "pd.Index[Any]" = dataclasses.field(default_factory=lambda: pd.Index([]))


def write(path: Path, artefact: Artefact, *, overwrite: bool = False) -> None:
    """Write a saved model atomically: the folder is complete and on the disk, or not there.

    An existing folder is replaced only with ``overwrite``, and only if it holds nothing but a saved model. After a
    failure it is as before.

    Raises
    ------
    ArtefactError
        If the folder cannot be written or must not be replaced.
    """
    refuse_to_write(path, overwrite=overwrite)
    with atomic.errors_named(f"save to {path}"):
        path = path.resolve()  # a link stays, and its target is replaced
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.whole_folder(path) as partial:
            _fill(partial, artefact)


def refuse_to_write(path: Path, *, overwrite: bool) -> None:
    """Raise an `ArtefactError` if no model can be saved at ``path``; call it before a long fit."""
    with atomic.errors_named(f"save to {path}"):
        _refuse_to_replace(path, overwrite)
        home = next(parent for parent in path.absolute().parents if parent.exists())
        if not home.is_dir():
            raise ArtefactError(f"cannot save to {path}: {home} is not a folder")
        if not os.access(home, os.W_OK | os.X_OK):
            raise ArtefactError(f"cannot save to {path}: {home} is not writable")


def _refuse_to_replace(path: Path, overwrite: bool) -> None:
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        if not overwrite:
            raise ArtefactError(
                f"{path} exists; choose another folder, or replace it with ", Argument("overwrite", value=True)
            )
        if not _holds_a_model(path):
            raise ArtefactError(f"{path} holds no saved model, so it is not overwritten; choose another folder")
        foreign = sorted({file.name for file in path.iterdir()} - {CONFIG, *ALWAYS, *SOMETIMES})
        if foreign:
            raise ArtefactError(
                f"{path} also holds {foreign[0]}, which is not part of a saved model, so it is not overwritten; choose "
                "another folder"
            )


def read(path: Path, device: "torch.device", kind: str = "recommender") -> Artefact:
    """Read a saved model of this kind, with its tensors on a device.

    Raises
    ------
    ArtefactError
        If the folder is no saved model of this kind, is damaged, or was written by a newer version.
    """
    with atomic.errors_named(f"read {path}"):
        if not (path / CONFIG).is_file():
            raise ArtefactError(f"{path} is not a saved model: it has no {CONFIG}; give the folder of a saved model")
        config = _json(path / CONFIG)
        _refuse_foreign(path, config)
        saved_kind = config.get("kind", "recommender")  # the first version saved recommenders only, without a kind
        if saved_kind != kind:
            raise ArtefactError(
                f"{path} is not a saved {KINDS[kind]}; load it with {KINDS.get(saved_kind, saved_kind)}"
            )
        checksums = config["checksums"]
        names = [*ALWAYS, *(name for name in SOMETIMES if name in checksums)]
        for name in names:
            if not (path / name).is_file():
                raise ArtefactError(f"{path} is damaged: {name} is missing; {_RESTORE}")
            if _checksum(path / name) != checksums.get(name):
                raise ArtefactError(f"{path} is damaged: {name} does not match its checksum; {_RESTORE}")
        items, users, columns = (
            _ids(_json(path / name)) if name in names else pd.Index([]) for name in (ITEMS, *SOMETIMES)
        )
        state, notes = load_tensors(path / STATE, device, _RESTORE), _json(path / NOTES)
        return Artefact(config, items, state, notes, users, kind, columns)


def _refuse_foreign(path: Path, config: Any) -> None:
    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise ArtefactError(f"{path / CONFIG} was not written by recsys_ae; give the folder of a saved model")
    if config["format"] > FORMAT:
        newer = f"format {config['format']}; this one reads up to {FORMAT}"
        raise ArtefactError(f"{path} was written by a newer version ({newer}); upgrade recsys-ae")
    if not _is_ours(config) or _checksum_of(config) != config["checksums"].get(CONFIG):
        raise ArtefactError(f"{path} is damaged: {CONFIG} does not match its checksum; {_RESTORE}")


def _fill(folder: Path, artefact: Artefact) -> None:
    optional = {USERS: artefact.users, COLUMNS: artefact.columns}
    ids = {ITEMS: artefact.items, **{name: index for name, index in optional.items() if len(index)}}
    for name, index in ids.items():
        _write_json(folder / name, {"dtype": str(index.dtype), "values": index.tolist()})
    _write_json(folder / NOTES, artefact.notes)
    save_tensors(folder / STATE, artefact.state)
    checksums = {name: _checksum(folder / name) for name in (*ids, NOTES, STATE)}
    config = {"format": FORMAT, "kind": artefact.kind, **artefact.config, "checksums": checksums}
    checksums[CONFIG] = _checksum_of(config)
    _write_json(folder / CONFIG, config, indent=2)
    # safetensors makes its file private; give it the permissions of the user's other files.
    (folder / STATE).chmod((folder / CONFIG).stat().st_mode & 0o777)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum_of(config: Mapping[str, Any]) -> str:
    """Return the checksum of a configuration without that checksum."""
    checksums = {name: value for name, value in config["checksums"].items() if name != CONFIG}
    text = _text({**config, "checksums": checksums}, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _holds_a_model(path: Path) -> bool:
    try:
        return (path / CONFIG).is_file() and _is_ours(_json(path / CONFIG))
    except ArtefactError:
        return False


def _is_ours(config: Any) -> bool:
    return (
        isinstance(config, dict) and isinstance(config.get("format"), int) and isinstance(config.get("checksums"), dict)
    )


def _write_json(path: Path, value: Any, indent: int | None = None) -> None:
    path.write_bytes(_text(value, indent=indent).encode("utf-8", errors="surrogatepass"))


def _text(value: Any, **options: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, **options)
    except (TypeError, ValueError) as error:
        raise ArtefactError(
            f"cannot save the model, because its ids, notes and metadata must be JSON: {error}"
        ) from error


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode("utf-8", errors="surrogatepass"))
    except (ValueError, OSError) as error:
        raise ArtefactError(f"{path} is damaged: {error}; {_RESTORE}") from error


def _ids(stored: Mapping[str, Any]) -> "pd.Index[Any]":
    text = stored["dtype"] in ("str", "string")  # pandas chooses the type of text, which differs by version
    ids: pd.Index[Any] = pd.Index(stored["values"], dtype=None if text else stored["dtype"])
    return ids
