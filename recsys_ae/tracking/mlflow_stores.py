"""Addresses of MLflow stores: default, comparison, and the folders in which artefacts may be written."""

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
"""Folder in which MLflow keeps the artefacts of a database store."""

EXPERIMENT = "recsys_ae"
EXPERIMENT_NAME, EXPERIMENT_ID = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"

_SQLITE = "sqlite:///"
_PORTS = {"http": 80, "https": 443}


def own_store() -> str:
    """Return the address in ``MLFLOW_TRACKING_URI``, or else that of ``mlflow.db`` in the working directory."""
    return absolute(os.environ.get(SETTING) or DEFAULT_STORE)


def experiment(name: str | None = None) -> dict[str, str | None]:
    """Return the name and the id of the experiment: the given name, else those of the environment, else the default."""
    if name is not None:
        return {"name": name, "id": None}
    chosen = {"name": os.environ.get(EXPERIMENT_NAME) or None, "id": os.environ.get(EXPERIMENT_ID) or None}
    return chosen if any(chosen.values()) else {"name": EXPERIMENT, "id": None}


def absolute(uri: str) -> str:
    """Return an address with an absolute path if it is on this computer; the working directory may change during a run.

    ``store`` and ``file:store`` become ``/here/store`` and ``file:///here/store``.
    """
    if uri.startswith(_SQLITE):
        return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).absolute()}"
    path = _path(uri)
    if path is None:
        return uri
    # MLflow decodes percent signs in paths, too.
    return path.absolute().as_uri() if urlsplit(uri).scheme == "file" else str(path.absolute()).replace("%", "%25")


def redacted(text: str) -> str:
    """Return a text without the users and passwords in its addresses."""
    return re.sub(r"://[^/@\s]+@", "://", text)


def same_store(uri: str, other_uri: str) -> bool:
    """Return True if two addresses name the same store; spelling, user and password do not matter."""
    try:
        return _plain(uri) == _plain(other_uri)
    except ValueError:  # such as a port that is not a number
        return False


def local_path(uri: str) -> Path | None:
    """Return the path of an address on this computer; None if the address is elsewhere."""
    path = Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else _path(uri)
    return None if path is None else _real(path)


def is_plain_id(text: object) -> bool:
    """Return True for a run id as MLflow makes them, without separators of a path."""
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}", text) is not None


def artefact_folders(uri: str, *, contained: bool) -> list[str] | None:
    """Return the folders of this computer in which a store's artefacts may be written; None if anywhere.

    For a server there is none, whatever folder it names. For a store in a file, ``contained`` allows the folder
    ``mlruns`` next to it and in the working directory. Without ``contained`` the database names the folder.
    """
    if urlsplit(uri).scheme in _PORTS:
        return []
    if not contained:
        return None
    file = local_path(uri)
    folders = [] if file is None else [file.parent / ARTEFACTS if uri.startswith(_SQLITE) else file]
    return [str(folder) for folder in (*folders, _real(ARTEFACTS))]


def check_artefacts(uri: str, folders: Sequence[str] | None, name: str = "") -> None:
    """Check that artefacts may be written at the address that a store names.

    Parameters
    ----------
    uri
        Address of the artefacts, from the store.
    folders
        Allowed folders, from `artefact_folders`.
    name
        Name of the file or folder to write at the address.

    Raises
    ------
    ConfigError
        If the address, or the file at it, is outside of the allowed folders.
    """
    if folders is None:
        return
    path, way_out = local_path(uri), f"to allow this, set {SETTING} to the store"
    detour = urlsplit(uri).scheme in ("runs", "models")  # refers to the artefacts of another run
    if detour or (path is None and folders):
        raise ConfigError(f"the store keeps them in {shown(uri)}; {way_out}")
    if path is not None and not folders:
        raise ConfigError(
            f"the server keeps them in {shown(uri)}, a folder of this computer; start the server with --serve-artifacts"
        )
    # A file that is a link to another folder would be written there.
    if path is not None and not any(_real(path / name).is_relative_to(_real(folder)) for folder in folders):
        raise ConfigError(f"the store keeps them in {shown(uri)}, outside of {folders[0]}; {way_out}")


def shown(uri: str) -> str:
    """Return an address for a message: one line, without password and control characters, cut if it is long."""
    text = redacted(uri)
    return repr(text if len(text) <= 200 else f"{text[:199]}…")


def _plain(uri: str) -> tuple[str, ...]:
    path = local_path(uri)
    if path is not None:
        return ("file" if not uri.startswith(_SQLITE) else "sqlite", str(path))
    url = urlsplit(uri)
    port = url.port or _PORTS.get(url.scheme, 0)
    return (url.scheme, url.hostname or "", str(port), url.path.rstrip("/"), url.query)


def _path(uri: str) -> Path | None:
    """Return the path of a store in a folder, as it is given; None for other addresses."""
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        return Path(url2pathname(urlsplit(uri).path))
    if len(scheme) < 2 and uri != "databricks":  # a single letter is a drive of Windows
        return Path(url2pathname(uri))
    return None


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))
