"""Mark of the user on a saved model: an HMAC by a key that only this user can read.

A model names a data file and a folder of downloads. These are followed only if the model has the mark of this user. The
key is in the user's state folder. A model without a mark is loaded like any other.
"""

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from recsys_ae.errors import ArtefactError

KEY_BYTES = 32
PURPOSE = b"recsys_ae saved model\n"
"""Beginning of the text that is signed, so that a mark is of no use for anything else."""

UNMARKED = "the model was saved by somebody else, or by an earlier version"


def mark(digest: str) -> str | None:
    """Return the mark of this user for the checksum of a model; None if the user has no key and cannot get one."""
    try:
        return _signed(_key(_path(), create=True), digest)
    except ArtefactError:
        return None  # the model is worth more than its mark; `doubt` says what is wrong with the key


def doubt(digest: str, mark: object) -> str | None:
    """Return why nothing shows that this user saved the model with this checksum; None if its mark shows it."""
    try:
        path = _path()
        key = _key(path, create=False)
    except ArtefactError as error:
        return str(error)
    if key is None and (home := _unwritable(path)) is not None:
        return f"your key {path} cannot be made, because {home} is not writable"
    if key is None or not isinstance(mark, str):
        return UNMARKED
    # Bytes, because compare_digest refuses other text than ASCII.
    return None if hmac.compare_digest(_signed(key, digest).encode(), mark.encode("utf-8", "replace")) else UNMARKED


def state_folder() -> Path:
    """Return the folder in which this user's programs keep their state; an `ArtefactError` if there is no home."""
    folder = os.environ.get("XDG_STATE_HOME", "")
    if Path(folder).is_absolute():  # the specification says to ignore a relative path
        return Path(folder) / "recsys_ae"
    with suppress(RuntimeError):
        if os.environ.get("HOME") != "" and (home := Path.home()).is_absolute():  # an empty HOME would be the root
            return home / ".local" / "state" / "recsys_ae"
    raise ArtefactError("you have no home folder for a key (set HOME or XDG_STATE_HOME)")


def _path() -> Path:
    return state_folder() / "key"


def _unwritable(path: Path) -> Path | None:
    """Return the folder that keeps a key from being made; None if it could be made."""
    home = next(parent for parent in path.parents if parent.exists())
    return None if home.is_dir() and os.access(home, os.W_OK | os.X_OK) else home


def _signed(key: bytes | None, digest: str) -> str:
    return hmac.new(key or b"", PURPOSE + digest.encode(), hashlib.sha256).hexdigest()


def _key(path: Path, *, create: bool) -> bytes | None:
    """Return the key, and make it first if ``create``; None if there is none.

    Raises
    ------
    ArtefactError
        If the key cannot be read or made, is damaged, or can be read by other users.
    """
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            return _read(path)
        if not create:
            return None
        _make(path)
        return _read(path)
    except OSError as error:
        raise ArtefactError(f"your key {path} cannot be used: {error.strerror or error}") from error


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold the program up
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ArtefactError(f"your key {path} is not a file (delete it)")
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise ArtefactError(f"your key {path} belongs to others, or they can read it (delete it)")
        content = os.read(descriptor, 2 * KEY_BYTES + 2)
    finally:
        os.close(descriptor)
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ArtefactError(f"your key {path} is damaged (delete it)")
    return key


def _make(path: Path) -> None:
    """Make a key that is complete when it appears; if another process was first, its key stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            _linked(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _linked(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, where the last of two processes wins
        partial.rename(path)
