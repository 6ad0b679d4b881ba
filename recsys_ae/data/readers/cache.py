"""What was read from large files once is kept in a binary form, which the next start reads in a fraction of a second.

It lies in a folder beside the files, where that may be written, else in the user's cache folder; deleting either is
always safe. The key is the SHA-256 of the files' content, with all that says how they are read and the version of the
form. Hashing 500 MB takes 0.3 to 1.3 seconds, so the hash of a file is remembered with its size, its inode and the
nanoseconds at which its content and its entry in the folder changed last, and computed again when one of them differs:
whoever writes to a file changes the last of them, even by putting back the others. A file that changed within two
seconds before, the coarsest clock of a file system, is read as if there were no cache, for it may be changing still.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from recsys_ae.data.dataset_info import user_cache_dir
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers import cache_file
from recsys_ae.storage.atomic import PARTIAL, whole_file

FORMAT = 2  # to be raised whenever the same file is read otherwise, or written down otherwise
LEAST = 10_000_000  # bytes of data; less is read within a second
SETTLED = 2_000_000_000  # nanoseconds
ABANDONED = 3600  # seconds after which half a file is nobody's
FOLDER = ".recsys_ae_cache"
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# What recsys_ae has read, in a form that is read faster.\n"
State: TypeAlias = list[list[str | int]]


def cached(files: Sequence[Path], how: Mapping[str, Any], read: Callable[[], Interactions]) -> Interactions:
    """Return what ``read`` makes of the files, from the cache where that holds it, and keep it there otherwise.

    Parameters
    ----------
    how
        All that the result depends on besides the files' names and content.
    read
        Reads the files; its errors are the caller's. Nothing else about the cache is ever an error.
    """
    try:
        state = _state(files)
        if _size(state) < LEAST or not _settled(state):
            return read()
        content, places = _hash(files, state)
    except OSError:
        return read()  # which knows what to say
    named = [file.name for file in files]
    recipe = hashlib.sha256(json.dumps([FORMAT, named, how], default=repr).encode()).hexdigest()
    key = f"{content}-{recipe}"
    name = f"{_label(files)}.{content[:16]}-{recipe[:16]}.bin"
    for place in places:
        found = cache_file.read(place / name, key)
        if found is not None:
            return found
    data = read()
    with suppress(OSError):
        if _state(files) == state:
            _keep(places, name, data, key, files[0].stat().st_mode & 0o666)
    return data


def _state(files: Sequence[Path]) -> State:
    """Return of each file what changes with it."""
    known = [(file.name, file.stat()) for file in files]
    return [[name, now.st_size, now.st_ino, now.st_mtime_ns, now.st_ctime_ns] for name, now in known]


def _size(state: State) -> int:
    return sum(int(file[1]) for file in state)


def _settled(state: State) -> bool:
    return time.time_ns() - max(int(moment) for file in state for moment in file[3:]) >= SETTLED


def _hash(files: Sequence[Path], state: State) -> tuple[str, list[Path]]:
    """Return the hash of the files' content, and the folders that may hold what was read from them."""
    home = files[0].absolute().parent
    other = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    places = [home / FOLDER, user_cache_dir() / "read" / other]
    memo = f"{_label(files)}.json"
    for place in places:
        with suppress(OSError, ValueError, LookupError, TypeError):
            known = json.loads((place / memo).read_bytes())
            if known["state"] == state and re.fullmatch("[0-9a-f]{64}", known["sha256"]):
                return known["sha256"], places
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    _remember(places, memo, {"state": state, "sha256": digest.hexdigest()})
    return digest.hexdigest(), places


def _remember(places: Sequence[Path], memo: str, known: Mapping[str, Any]) -> None:
    for place in places:
        with suppress(OSError):
            with whole_file(_made(place) / memo, durable=False) as partial:
                partial.write_text(json.dumps(known), encoding="utf-8")
            return


def _keep(places: Sequence[Path], name: str, data: Interactions, key: str, mode: int) -> None:
    """Write to the first folder that can be written; what was read from former contents of the files goes."""
    for place in places:
        with suppress(OSError):
            cache_file.write(_made(place) / name, data, key, mode)
            _tidy(place, name)
            return


def _tidy(place: Path, name: str) -> None:
    label, content = name.rsplit(".", 2)[0], name.rsplit(".", 2)[1][:16]
    ours = re.compile(re.escape(label) + r"\.(?!" + content + r")[0-9a-f]{16}-[0-9a-f]{16}\.bin")
    for path in place.iterdir():
        with suppress(OSError):
            abandoned = path.name.endswith(PARTIAL) and time.time() - path.stat().st_mtime > ABANDONED
            if abandoned or ours.fullmatch(path.name):
                path.unlink()


def _made(place: Path) -> Path:
    """Return the folder, made where it is missing; backups and git pass it over."""
    if not place.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        (place / "CACHEDIR.TAG").write_text(TAG, encoding="utf-8")
        (place / ".gitignore").write_text("*\n", encoding="utf-8")
    return place


def _label(files: Sequence[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name}+{len(files) - 1}"
