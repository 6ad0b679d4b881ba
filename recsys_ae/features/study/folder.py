"""Folder of a study: its command and plan, its fits and its report."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from recsys_ae.errors import Argument, ArtefactError
from recsys_ae.features.study.plan import Plan
from recsys_ae.storage.atomic import write_text
from recsys_ae.storage.leftovers import is_temporary, sweep_tree

STUDY = "study.json"


def refuse_foreign(out: Path) -> None:
    """Raise if a folder holds other files than a study; to be called before the work begins.

    A study that was killed before its first file was complete has left an empty folder, or temporary files.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise ArtefactError(f"{out} is not a folder; set ", Argument("out"), " to a folder for the study")
    if not all(is_temporary(entry.name) for entry in out.iterdir()) and not (out / STUDY).is_file():
        raise ArtefactError(f"{out} holds no study but other files; set ", Argument("out"), " to a new or empty folder")


def begin(out: Path, plan: Plan, command: str) -> None:
    """Make the folder of a study, remove what killed runs have left in it, and write its command and plan."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtefactError(f"cannot write {out}: {error.strerror or error}") from error
    sweep_tree(out)
    text = json.dumps({"command": command, "plan": as_json(plan)}, indent=1, default=list)
    write_text(out / STUDY, text + "\n")


def asked(out: Path) -> str | None:
    """Return the command of the study in a folder; None if there is no study."""
    path = out / STUDY
    if not path.is_file():
        return None
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["command"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged: {error}; run the study again, which writes the file anew") from error


def as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(plan), default=dict))
    return values
