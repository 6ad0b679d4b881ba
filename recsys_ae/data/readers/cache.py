"""Binary cache of interactions read from large files; a cached file loads in a fraction of a second.

The cache is a folder next to the files if that can be written, else in the user's cache folder. Either can be deleted
at any time. The key is the SHA-256 of the files' content, of the options of reading and of the version of the format.
Hashing 500 MB takes 0.3 to 1.3 seconds, so the hash of a file is stored with its size, inode, mtime and ctime in
nanoseconds, and computed again if one of them differs. Every write changes the ctime, even if the mtime is reset. A
file that changed within the last two seconds, the coarsest clock of a file system, is read without the cache, because
it may still be changing.
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
from recsys_ae.storage.atomic import whole_file, whole_folder

FORMAT = 3  # increase it if the same file is read differently, or stored differently
LEAST = 10_000_000  # bytes of data; smaller files are read within a second
SETTLED = 2_000_000_000  # nanoseconds
FOLDER = ".recsys_ae_cache"
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# What recsys_ae has read, in a form that is read faster.\n"
State: TypeAlias = list[list[str | int]]


def cached(files: Sequence[Path], how: Mapping[str, Any], read: Callable[[], Interactions]) -> Interactions:
    """Return the interactions that ``read`` returns for the files, from the cache if they are in it, and store them.

    Parameters
    ----------
    how
        Everything that the interactions depend on besides the files' names and content.
    read
        Function that reads the files; its errors are passed on. The cache itself never raises an error.
    """
    try:
        state = _state(files)
        if _size(state) < LEAST or not _settled(state):
            return read()
        content, folders = _hash(files, state)
    except OSError:
        return read()  # its error message is better
    names = [file.name for file in files]
    recipe = hashlib.sha256(json.dumps([FORMAT, names, how], default=repr).encode()).hexdigest()
    key = f"{content}-{recipe}"
    name = f"{_label(files)}.{content[:16]}-{recipe[:16]}.bin"
    for folder in folders:
        interactions = cache_file.read(folder / name, key)
        if interactions is not None:
            return interactions
    data = read()
    with suppress(OSError):
        if _state(files) == state:
            _keep(folders, name, data, key, files[0].stat().st_mode & 0o666)
    return data


def content_of(files: Sequence[Path]) -> str:
    """Return the hash of the files' content, which is computed again only if a file has changed."""
    state = _state(files)
    if _settled(state):
        return _hash(files, state)[0]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _state(files: Sequence[Path]) -> State:
    """Return name, size, inode, mtime and ctime of each file."""
    stats = [(file.name, file.stat()) for file in files]
    return [[name, stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats]


def _size(state: State) -> int:
    return sum(int(file[1]) for file in state)


def _settled(state: State) -> bool:
    return time.time_ns() - max(int(moment) for file in state for moment in file[3:]) >= SETTLED


def _hash(files: Sequence[Path], state: State) -> tuple[str, list[Path]]:
    """Return the hash of the files' content, and the folders that may hold their cache."""
    home = files[0].absolute().parent
    user_key = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    folders = [home / FOLDER, user_cache_dir() / "read" / user_key]
    memo = f"{_label(files)}.json"
    for folder in folders:
        with suppress(OSError, ValueError, LookupError, TypeError):
            stored = json.loads((folder / memo).read_bytes())
            if stored["state"] == state and re.fullmatch("[0-9a-f]{64}", stored["sha256"]):
                return stored["sha256"], folders
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    _remember(folders, memo, {"state": state, "sha256": digest.hexdigest()})
    return digest.hexdigest(), folders


def _remember(folders: Sequence[Path], memo: str, state_and_hash: Mapping[str, Any]) -> None:
    for folder in folders:
        with suppress(OSError):
            with whole_file(_created(folder) / memo, durable=False) as partial:
                partial.write_text(json.dumps(state_and_hash), encoding="utf-8")
            return


def _keep(folders: Sequence[Path], name: str, data: Interactions, key: str, mode: int) -> None:
    """Write to the first folder that can be written, and delete caches of earlier contents of the files."""
    for folder in folders:
        with suppress(OSError):
            cache_file.write(_created(folder) / name, data, key, mode)
            _tidy(folder, name)
            return


def _tidy(folder: Path, name: str) -> None:
    label, content = name.rsplit(".", 2)[0], name.rsplit(".", 2)[1][:16]
    earlier = re.compile(re.escape(label) + r"\.(?!" + content + r")[0-9a-f]{16}-[0-9a-f]{16}\.bin")
    for path in folder.iterdir():
        if earlier.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def _created(folder: Path) -> Path:
    """Return the folder, and create it if it is missing; backups and git skip it."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError), whole_folder(folder, overwrite=False) as partial:  # another process may be first
            (partial / "CACHEDIR.TAG").write_text(TAG, encoding="utf-8")
            (partial / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder


def _label(files: Sequence[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name}+{len(files) - 1}"
