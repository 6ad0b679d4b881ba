"""Folder of a checkpoint: one file of JSON and one of tensors."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from recsys_ae.errors import Argument, ArtefactError, ConfigError, Message
from recsys_ae.storage import artefact, atomic, nested
from recsys_ae.storage.reading import restore
from recsys_ae.storage.tensors import State, load_tensors, save_tensors

FORMAT = 1
STATE, TENSORS = "checkpoint.json", "tensors.safetensors"
RESTART = Argument("restart", value=True)


@dataclass(frozen=True)
class Stored:
    """Contents of a checkpoint.

    Attributes
    ----------
    identity
        Hyper-parameters, data and run settings of the fit, as JSON.
    seconds
        Duration of the fit until the checkpoint.
    written
        Time of writing, in words.
    run_id
        Id of the tracker's run; None without one.
    parts
        State of each training of the fit, in their order; all but the last are finished.
    """

    identity: Mapping[str, Any]
    seconds: float
    written: str
    run_id: str | None
    parts: list[dict[str, Any]]


def write(folder: Path, stored: Stored) -> None:
    """Write a checkpoint atomically in place of a former one; an `OSError` says why it could not be written."""
    plain, tensors = nested.taken_apart(stored.parts)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic.whole_folder(folder) as partial:
        save_tensors(partial / TENSORS, tensors)
        content = {
            "format": FORMAT,
            "identity": dict(stored.identity),
            "seconds": stored.seconds,
            "written": stored.written,
            "run_id": stored.run_id,
            "parts": plain,
            "checksum": _checksum(partial / TENSORS),
        }
        (partial / STATE).write_text(json.dumps(content), encoding="utf-8")


def exists(folder: Path) -> bool:
    """Return True if there is a checkpoint."""
    with atomic.errors_named(f"read {folder}"):
        restore(folder)
    return (folder / STATE).is_file()


def read_head(folder: Path) -> dict[str, Any]:
    """Return the JSON of a checkpoint.

    Raises
    ------
    ArtefactError
        If it is damaged, or was written by a newer version.
    """
    try:
        content = json.loads((folder / STATE).read_text(encoding="utf-8"))
        newer = content["format"] > FORMAT
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise damaged(folder, error) from error
    if newer:
        raise ArtefactError(
            f"the checkpoint {folder} was written by a newer version; upgrade recsys-ae, or discard it with ", RESTART
        )
    return dict(content)


def read(folder: Path, identity: Mapping[str, Any]) -> Stored:
    """Read the checkpoint of a fit.

    Parameters
    ----------
    identity
        Hyper-parameters, data and run settings of the present fit, as JSON.

    Raises
    ------
    ArtefactError
        If the checkpoint is damaged, or was written by a newer version.
    ConfigError
        If it belongs to another fit; the message names the differences.
    """
    content = read_head(folder)
    try:
        refuse_other(folder, content["identity"], identity)
        if _checksum(folder / TENSORS) != content["checksum"]:
            raise ValueError(f"{TENSORS} does not match its checksum")
        tensors: State = load_tensors(folder / TENSORS, torch.device("cpu"), "discard it")
        parts = nested.put_together(content["parts"], tensors)
        if not all(isinstance(part["history"], list) for part in parts) or not parts:
            raise ValueError("it holds no training")
        return Stored(content["identity"], content["seconds"], content["written"], content["run_id"], parts)
    except ConfigError:
        raise
    except (ArtefactError, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise damaged(folder, error) from error


def refuse_other(folder: Path, stored: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` that names the differences if a checkpoint belongs to another fit."""
    words = [*_differences(stored["spec"], present["spec"], arguments=True), *_differences(stored, present)]
    if not words:
        return
    shown = [part for message in words[:3] for part in ("; ", *message)][1:]
    more = f"; and {len(words) - 3} more" if len(words) > 3 else ""
    raise ConfigError(
        f"the checkpoint {folder} belongs to another fit: ",
        *shown,
        f"{more}. Give the settings and data of that fit, or discard the checkpoint with ",
        RESTART,
    )


def run_id(folder: Path) -> str | None:
    """Return the id of the tracker's run of an interrupted fit; None if there is none."""
    found = read_head(folder).get("run_id")
    return found if isinstance(found, str) else None


def remove_if_saved(folder: Path, model: Path) -> None:
    """Remove a checkpoint whose fit was completed and saved in the folder ``model``; keep any other one."""
    config = model / artefact.CONFIG
    if not exists(folder) or not config.is_file():
        return
    try:
        identity, saved = read_head(folder)["identity"], json.loads(config.read_text(encoding="utf-8"))
        facts = {**saved["facts"], **saved["facts"]["versions"]}
        others = {name: value for name, value in identity.items() if name not in ("spec", "item_features")}
        is_saved = identity["spec"] == saved["spec"] and all(facts.get(name) == others[name] for name in others)
    except (ArtefactError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return  # whoever reads them says what is wrong
    if is_saved:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a checkpoint, if there is one; an `ArtefactError` says why it cannot be removed."""
    with atomic.errors_named(f"remove {folder}"):
        atomic.remove_folder(folder)


def remove_after_saving(folder: Path | None) -> None:
    """Remove the checkpoint of a model that is saved; a failure is a warning, because nothing is lost."""
    try:
        if folder is not None:
            remove(folder)
    except ArtefactError as error:
        warnings.warn(f"the model is saved, but its checkpoint is still there: {error}", UserWarning, stacklevel=3)


def damaged(folder: Path, error: Exception) -> ArtefactError:
    """Return the error of a checkpoint that cannot be read."""
    return ArtefactError(f"the checkpoint {folder} is damaged ({error}); discard it with ", RESTART)


def _differences(stored: Mapping[str, Any], present: Mapping[str, Any], *, arguments: bool = False) -> list[Message]:
    messages: list[Message] = []
    for name in sorted({*stored, *present} - {"spec"}):
        then, now = stored.get(name), present.get(name)
        if then != now:
            subject = Argument(name, then) if arguments else f"{name.replace('_', ' ')} {then}"
            messages.append((subject, f", not {now}"))
    return messages


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
