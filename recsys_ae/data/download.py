"""Downloads of named data sets from their publishers, verified by checksum and atomic."""

import hashlib
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from textwrap import shorten

from recsys_ae.data.catalog import info
from recsys_ae.data.dataset_info import Info, Remote, default_data_dir
from recsys_ae.data.readers.bounded.transfer import Progress, transfer
from recsys_ae.errors import Argument, ConfigError, DataError, Message
from recsys_ae.storage.atomic import whole_file

MOST, SIDECAR = 1 << 31, 1 << 16
"""Largest number of bytes of a file, and of a published checksum."""
GROWTH = 2
"""Largest growth of a file that changes over time, compared with the size in its description."""
_FOLDER_OPTION: Message = (Argument("data_dir"), " or RECSYS_AE_DATA to a folder that has it")


def fetch(
    name: str,
    data_dir: Path | None = None,
    *,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Download a data set from its publisher, unless it is there already, and return its path.

    Parameters
    ----------
    data_dir
        Folder to download to; by default ``RECSYS_AE_DATA``, else the user's cache folder.
    progress
        Called with the received bytes and the size of a file; the size is 0 if the server does not send it.
    announce
        Called once before the download, with a text that gives source, size and licence.

    Raises
    ------
    DataError
        If the download fails or has the wrong checksum; no file is left then. Also for a data set that must be
        downloaded by hand; the message says from where and to where.
    """
    description = info(name)
    folder = default_data_dir() if data_dir is None else data_dir
    if description.by_hand:
        raise DataError(
            f"{name} is not in {folder} and must be downloaded by hand: put {description.by_hand} there, "
            f"from {description.page}, or set ",
            *_FOLDER_OPTION,
        )
    if not description.files:
        raise ConfigError(f"{name} is generated, not downloaded")
    missing = [remote for remote in description.files if not (folder / remote.path).exists()]
    if missing and announce is not None:
        announce(announcement(description, folder))
    for remote in missing:
        most = description.size if remote.checksum else GROWTH * description.size
        download(remote, folder, progress=progress, most=most)
    path = folder / description.files[0].path
    return path if len(description.files) == 1 else path.parent


def announcement(description: Info, folder: Path) -> str:
    """Return the text shown before a download: source, size, target folder and licence."""
    source = description.files[0].url
    return (
        f"{description.title}: {description.size / 1e6:.1f} MB from {source} to {folder}\n"
        f"Licence: {description.licence}\n{description.page}"
    )


def download(remote: Remote, folder: Path, *, progress: Progress | None = None, most: int = MOST) -> None:
    """Download one file to its path in a folder; it appears there once it is complete and its checksum is verified.

    A server that sends more than ``most`` bytes, or too little for too long, is given up.
    """
    target = folder / remote.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as partial:
            with partial.open("xb") as file:
                transfer(remote.url, file, most, progress=progress)
            checksum = remote.checksum
            if checksum is None:
                sidecar = BytesIO()
                transfer(f"{remote.url}.md5", sidecar, SIDECAR)
                checksum = _published_md5(sidecar.getvalue(), remote)
            _verify(partial, checksum, remote, target)
    except OSError as error:  # includes network errors
        reason = shorten(error.strerror or str(error), 200)
        raise DataError(f"{remote.url} could not be downloaded ({reason}); ", *_by_hand(target)) from error


def _verify(partial: Path, checksum: str, remote: Remote, target: Path) -> None:
    algorithm, expected = checksum.split(":")
    with partial.open("rb") as file:
        actual = hashlib.file_digest(file, algorithm).hexdigest()
    if actual != expected:
        raise DataError(
            f"{remote.url} is not what its publisher describes: its {algorithm} is {actual} instead of {expected}, "
            "so it was deleted; try again, or ",
            *_by_hand(target),
        )


def _published_md5(sidecar: bytes, remote: Remote) -> str:
    match = re.search(r"\b[0-9a-fA-F]{32}\b", sidecar.decode("utf-8", errors="replace"))
    if match is None:
        raise DataError(f"{remote.url}.md5 holds no MD5 checksum, so the download cannot be checked; try again later")
    return f"md5:{match[0].lower()}"


def _by_hand(target: Path) -> Message:
    return (f"download it by hand to {target}, or set ", *_FOLDER_OPTION)
