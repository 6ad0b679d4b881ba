"""Saved models: folders of JSON and tensors. Loading one runs no code from it."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from recsys_ae.errors import Argument, ArtefactError
from recsys_ae.storage import atomic, checks, places, trust
from recsys_ae.storage.reading import read_folder
from recsys_ae.storage.tensors import State, load_tensors, save_tensors

if TYPE_CHECKING:
    import torch

FORMAT = 1
CONFIG, ITEMS, NOTES, STATE = "config.json", "items.json", "notes.json", "state.safetensors"
USERS, COLUMNS = "users.json", "columns.json"
ALWAYS, SOMETIMES = (ITEMS, NOTES, STATE), (USERS, COLUMNS)
KINDS = {"recommender": "Recommender", "feature_encoder": "FeatureEncoder"}
"""Kinds of saved models, and the class that loads each."""

MARK = "mark"
"""Key of the mark of the user who saved the model; it signs the checksum of the configuration without it."""

_RESTORE = checks.RESTORE


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
    doubt
        Why nothing shows that this user saved the model, as the beginning of a sentence; None if its mark shows it.
    """

    config: Mapping[str, Any]
    items: "pd.Index[Any]"
    state: State
    notes: Mapping[str, Any]
    users: "pd.Index[Any]" = dataclasses.field(default_factory=lambda: pd.Index([]))
    kind: str = "recommender"
    columns: "pd.Index[Any]" = dataclasses.field(default_factory=lambda: pd.Index([]))
    doubt: str | None = None


def write(path: Path, artefact: Artefact, *, overwrite: bool = False) -> None:
    """Write a saved model atomically: the folder is complete and on the disk, or not there.

    An existing folder is replaced only with ``overwrite``, and only if it holds nothing but a saved model. After a
    failure it is as before.

    Raises
    ------
    ArtefactError
        If the folder cannot be written or must not be replaced.
    """
    with atomic.errors_named(f"save to {path}"):
        _refuse_to_write(path, overwrite)
        place = places.real(path)  # a link stays, and its target is replaced
        place.parent.mkdir(parents=True, exist_ok=True)
        allowed = partial(_refuse_to_replace, path, overwrite)  # a folder may have appeared meanwhile
        with atomic.whole_folder(place, overwrite=overwrite, check=allowed) as folder:
            _fill(folder, artefact)


def refuse_to_write(path: Path, *, overwrite: bool, needed: int = places.LEAST) -> None:
    """Raise an `ArtefactError` if no model of ``needed`` bytes can be saved at ``path``; call it before a long fit."""
    with atomic.errors_named(f"save to {path}"):
        _refuse_to_write(path, overwrite)
        places.try_out(path, needed=needed)


def _refuse_to_write(path: Path, overwrite: bool) -> None:
    places.refuse_unwritable(path, STATE)
    read_folder(path, partial(_refuse_to_replace, path, overwrite))


def _refuse_to_replace(path: Path, overwrite: bool) -> None:
    if not path.exists():
        return
    with suppress(FileNotFoundError):  # another process has just removed it
        names = {file.name for file in path.iterdir()} if path.is_dir() else {path.name}
        if names and not overwrite:
            way_out = Argument("overwrite", value=True)
            raise ArtefactError(f"{path} exists; choose another folder, or replace it with ", way_out)
        if names and not _holds_a_model(path):
            raise ArtefactError(f"{path} holds no saved model, so it is not overwritten; choose another folder")
        if foreign := sorted(names - {CONFIG, *ALWAYS, *SOMETIMES}):
            raise ArtefactError(
                f"{path} also holds {foreign[0]}, which is not part of a saved model, so it is not overwritten; choose "
                "another folder"
            )


def read(path: Path, device: "torch.device", kind: str = "recommender", room: int | None = None) -> Artefact:
    """Read a saved model of this kind, with its tensors on a device.

    Anybody may have made the files: their kinds, sizes and checksums are checked before they are used.

    Parameters
    ----------
    room
        Bytes of memory that the tensors may take; None is no limit.

    Raises
    ------
    ArtefactError
        If the folder is no saved model of this kind, is damaged or too large, or was written by a newer version.
    """
    with atomic.errors_named(f"read {path}"):
        return read_folder(path, partial(_read, path, device, kind, room))


def _read(path: Path, device: "torch.device", kind: str, room: int | None) -> Artefact:
    if not (path / CONFIG).is_file():
        raise ArtefactError(f"{path} is not a saved model: it has no {CONFIG}; give the folder of a saved model")
    config = _config(path)
    saved_kind = config.get("kind", "recommender")  # the first version saved recommenders only, without a kind
    if saved_kind != kind:
        loader = f"; load it with {KINDS[saved_kind]}" if saved_kind in [*KINDS] else ""
        raise ArtefactError(f"{path} is not a saved {KINDS[kind]}{loader}")
    checksums = config["checksums"]
    names = [*ALWAYS, *(name for name in SOMETIMES if name in checksums)]
    if missing := [name for name in names if not (path / name).is_file()]:
        raise ArtefactError(f"{path} is damaged: {missing[0]} is missing; {_RESTORE}")
    texts = {name: checks.content(path / name) for name in names if name != STATE}
    checks.refuse_large(path / STATE, room)
    digests = {STATE: _checksum(path / STATE), **{name: checks.digest(text) for name, text in texts.items()}}
    for name in names:
        if digests[name] != checksums.get(name):
            raise ArtefactError(f"{path} is damaged: {name} does not match its checksum; {_RESTORE}")
    values = {name: checks.parsed(path / name, text) for name, text in texts.items()}
    items, users, columns = (
        checks.ids(values[name], path / name) if name in names else pd.Index([]) for name in (ITEMS, *SOMETIMES)
    )
    if not isinstance(values[NOTES], dict):
        raise ArtefactError(f"{path / NOTES} is damaged: it is no JSON object; {_RESTORE}")
    doubt = trust.doubt(_checksum_of(_unmarked(config)), config.get(MARK))
    return Artefact(
        config, items, load_tensors(path / STATE, device, _RESTORE), values[NOTES], users, kind, columns, doubt
    )


def _config(path: Path) -> dict[str, Any]:
    """Return the configuration in a folder, which has its checksum and a format that this version reads."""
    config = checks.parsed(path / CONFIG, checks.content(path / CONFIG, checks.MOST_OF_CONFIG))
    if not isinstance(config, dict) or not _is_number(config.get("format")):
        raise ArtefactError(f"{path / CONFIG} was not written by recsys_ae; give the folder of a saved model")
    if config["format"] > FORMAT:
        newer = f"format {config['format']}; this one reads up to {FORMAT}"
        raise ArtefactError(f"{path} was written by a newer version ({newer}); upgrade recsys-ae")
    if not _is_ours(config) or _checksum_of(config) != config["checksums"].get(CONFIG):
        raise ArtefactError(f"{path} is damaged: {CONFIG} does not match its checksum; {_RESTORE}")
    return config


def _fill(folder: Path, artefact: Artefact) -> None:
    optional = {USERS: artefact.users, COLUMNS: artefact.columns}
    ids = {ITEMS: artefact.items, **{name: index for name, index in optional.items() if len(index)}}
    for name, index in ids.items():
        stored = {"dtype": str(index.dtype), "values": index.tolist()}
        _write_json(folder / name, stored)
        checks.ids(stored, name)
    _write_json(folder / NOTES, artefact.notes)
    save_tensors(folder / STATE, artefact.state)
    checksums = {name: _checksum(folder / name) for name in (*ids, NOTES, STATE)}
    config = {"format": FORMAT, "kind": artefact.kind, **artefact.config, "checksums": checksums}
    if (mark := trust.mark(_checksum_of(config))) is not None:
        config[MARK] = mark
    checksums[CONFIG] = _checksum_of(config)
    _write_json(folder / CONFIG, config, indent=2, most=checks.MOST_OF_CONFIG)
    # safetensors makes its file private; give it the permissions of the user's other files.
    (folder / STATE).chmod((folder / CONFIG).stat().st_mode & 0o777)


def _checksum(path: Path) -> str:
    with checks.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum_of(config: Mapping[str, Any]) -> str:
    """Return the checksum of a configuration without that checksum."""
    checksums = {name: value for name, value in config["checksums"].items() if name != CONFIG}
    text = _text({**config, "checksums": checksums}, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _unmarked(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != MARK}


def _holds_a_model(path: Path) -> bool:
    try:
        return (path / CONFIG).is_file() and _is_ours(checks.parsed(path / CONFIG, checks.content(path / CONFIG)))
    except ArtefactError:
        return False


def _is_ours(config: Any) -> bool:
    return isinstance(config, dict) and _is_number(config.get("format")) and isinstance(config.get("checksums"), dict)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


def _write_json(path: Path, value: Any, indent: int | None = None, most: int = checks.MOST_OF_JSON) -> None:
    content = _text(value, indent=indent).encode("utf-8", errors="surrogatepass")
    if len(content) > most:  # it could not be read again
        raise ArtefactError(
            f"cannot save the model: {path.name} would have {len(content):,} bytes, and may have {most:,}; shorten the "
            "ids, notes or metadata"
        )
    path.write_bytes(content)


def _text(value: Any, **options: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, **options)
        checks.refuse_deep(value)
        return text
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtefactError(
            f"cannot save the model, because its ids, notes and metadata must be JSON: {error}"
        ) from error
