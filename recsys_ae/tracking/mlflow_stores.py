"""Addresses of MLflow stores: the user's own, whether two are the same, and where artefacts may be written."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from recsys_ae.errors import ConfigError

DEFAULT_STORE = "sqlite:///mlflow.db"
SETTING = "MLFLOW_TRACKING_URI"
ARTEFACTS = "mlruns"
"""Folder in which MLflow keeps the artefacts of a database."""

_SQLITE = "sqlite:///"
_PORTS = {"http": 80, "https": 443}


def own_store() -> str:
    """Return the address of the store that the user has set, else of ``mlflow.db`` in the working directory."""
    return absolute(os.environ.get(SETTING) or DEFAULT_STORE)


def absolute(uri: str) -> str:
    """Name a SQLite file by its whole path: the working directory may change while the run lasts."""
    return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).absolute()}" if uri.startswith(_SQLITE) else uri


def redacted(text: str) -> str:
    """Blank out the user and password of the addresses in a text."""
    return re.sub(r"://[^/@\s]+@", "://", text)


def same_store(one: str, other: str) -> bool:
    """Whether two addresses name the same store: spelling, user and password aside."""
    try:
        return _plain(one) == _plain(other)
    except ValueError:  # such as a port that is no number
        return False


def local_path(uri: str) -> Path | None:
    """Return the path of a file or folder of this computer that an address names; None if it is elsewhere."""
    if uri.startswith(_SQLITE):
        return _real(uri.removeprefix(_SQLITE))
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        return _real(url2pathname(urlsplit(uri).path))
    if len(scheme) < 2 and uri != "databricks":  # a letter is a drive
        return _real(url2pathname(uri))
    return None


def is_plain_id(text: object) -> bool:
    """Whether a run's id is one that MLflow gives, with no parts of a path."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}", text) is not None


def artefact_folders(uri: str, *, contained: bool) -> list[str] | None:
    """Return the only folders of this computer that a store's artefacts may be written to; None: anywhere.

    A server has none, whatever folder it names. A store in a file has its folder ``mlruns`` and that in the working
    directory if ``contained``; else its database is the user's own, and says where.
    """
    if urlsplit(uri).scheme in _PORTS:
        return []
    if not contained:
        return None
    file = local_path(uri)
    folders = [] if file is None else [file.parent / ARTEFACTS if uri.startswith(_SQLITE) else file]
    return [str(folder) for folder in (*folders, _real(ARTEFACTS))]


def check_artefacts(uri: str, folders: Sequence[str] | None, name: str = "") -> None:
    """Refuse an address for artefacts, as a store has told it, or a file there that is not within the folders.

    Raises
    ------
    ConfigError
        If nothing must be written there.
    """
    if folders is None:
        return
    place, way_out = local_path(uri), f"to allow this, set {SETTING} to the store"
    detour = urlsplit(uri).scheme in ("runs", "models")  # leads to the place of another run
    if detour or (place is None and folders):
        raise ConfigError(f"the store keeps them in {shown(uri)}; {way_out}")
    if place is not None and not folders:
        raise ConfigError(
            f"the server keeps them in {shown(uri)}, a folder of this computer; start the server with --serve-artifacts"
        )
    # A file that is a link somewhere else would be written through.
    if place is not None and not any(_real(place / name).is_relative_to(_real(folder)) for folder in folders):
        raise ConfigError(f"the store keeps them in {shown(uri)}, outside of {folders[0]}; {way_out}")


def shown(uri: str) -> str:
    """Write an address on a line, without a password and with nothing that a terminal obeys."""
    text = redacted(uri)
    return repr(text if len(text) <= 200 else f"{text[:199]}…")


def _plain(uri: str) -> tuple[str, ...]:
    path = local_path(uri)
    if path is not None:
        return ("file" if not uri.startswith(_SQLITE) else "sqlite", str(path))
    parts = urlsplit(uri)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return (parts.scheme, parts.hostname or "", str(port), parts.path.rstrip("/"), parts.query)


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))
