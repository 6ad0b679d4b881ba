"""Contents of the folders of a command, compared without durations."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys_ae.storage.leftovers import is_temporary

Contents = Mapping[str, str]
"""Digests of files by path."""
DURATIONS = ("seconds", "cpu_seconds", "rows_per_second", "training", "tables", "mlflow", "checksums", "mark")
"""Keys of JSON whose values are durations, or follow from them."""
UNEQUAL = re.compile(
    r".*\.(html|db|db-wal|db-shm|db-journal|png)|.*/state/recsys_ae/key|.*mlruns/.*|.*figures/.*|.*_cache/.*\.json"
)
"""Files with durations, random keys or ids in them; it is enough that they exist."""
FOREIGN = re.compile(r"tmp/torchinductor_.*")
"""Files that other packages leave: the import of `torch._dynamo` makes an empty folder."""
RANDOM = re.compile(r"\b[0-9a-f]{32}\b")


def contents(root: Path, *, temporary: bool = True) -> dict[str, str]:
    """Return the digests of all files below a folder, by relative path; empty folders count as files."""
    found = {}
    for path in sorted(p for folder in ("work", "home", "tmp") for p in (root / folder).rglob("*")):
        name = path.relative_to(root)
        if not temporary and any(map(is_temporary, name.parts)):
            continue
        if (path.is_dir() and any(path.iterdir())) or FOREIGN.fullmatch(name.as_posix()):
            continue
        found[RANDOM.sub("*", name.as_posix())] = digest(path)
    return found


def below(everything: Contents, name: str) -> dict[str, str]:
    """Return the digests of one file, or of the files in one folder."""
    return {path: text for path, text in everything.items() if path == name or path.startswith(f"{name}/")}


def digest(path: Path) -> str:
    """Return the digest of a file."""
    if path.is_dir():
        return "folder"
    if UNEQUAL.fullmatch(path.as_posix()):
        return "exists"
    content = path.read_bytes()
    if path.suffix == ".json":
        content = json.dumps(_without_durations(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def differences(found: Contents, expected: Contents) -> list[str]:
    """Return what differs in words: missing, additional and different files."""
    words = [f"missing: {name}" for name in expected if name not in found]
    words += [f"left over: {name}" for name in found if name not in expected]
    return words + [f"different: {name}" for name in expected if name in found and found[name] != expected[name]]


def _without_durations(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_durations(part) for key, part in value.items() if key not in DURATIONS}
    return [_without_durations(part) for part in value] if isinstance(value, list) else value
