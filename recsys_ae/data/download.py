"""Named data sets come from their publishers: checked against a checksum, whole or not at all."""

import hashlib
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from types import ModuleType

from recsys_ae.data.catalog import info
from recsys_ae.data.dataset_info import Info, Remote, default_data_dir
from recsys_ae.errors import Argument, ConfigError, DataError, Message, MissingPackageError
from recsys_ae.storage.atomic import whole_file

Progress = Callable[[int, int], None]
TIMEOUT = 30  # seconds without a byte
CHUNK = 1 << 18
_FOLDER_OPTION: Message = (Argument("data_dir"), " or RECSYS_AE_DATA to a folder that has it")


def fetch(
    name: str,
    data_dir: Path | None = None,
    *,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Download a data set from its publisher, unless it is there already, and return where it is.

    Parameters
    ----------
    data_dir
        Where to put it; the default is ``RECSYS_AE_DATA``, else the user's cache folder.
    progress
        Called with the bytes of a file received so far and in all; 0 where the publisher does not tell.
    announce
        Called once, before anything is downloaded, with what will be, its size and its licence.

    Raises
    ------
    DataError
        Where the download fails or is not what it should be; nothing of it stays then. And for what has to be fetched
        by hand: says from where, and where to.
    """
    about = info(name)
    folder = default_data_dir() if data_dir is None else data_dir
    if about.by_hand:
        raise DataError(
            f"{name} is not in {folder} and must be downloaded by hand: put {about.by_hand} there, from {about.page}, "
            "or set ",
            *_FOLDER_OPTION,
        )
    if not about.files:
        raise ConfigError(f"{name} is generated, not downloaded")
    missing = [remote for remote in about.files if not (folder / remote.path).exists()]
    if missing and announce is not None:
        announce(announcement(about, folder))
    for remote in missing:
        download(remote, folder, progress=progress)
    place = folder / about.files[0].path
    return place if len(about.files) == 1 else place.parent


def announcement(about: Info, folder: Path) -> str:
    """Say what will be downloaded, from where, how much of it, and on which conditions."""
    source = about.files[0].url
    return f"{about.title}: {about.size / 1e6:.1f} MB from {source} to {folder}\nLicence: {about.licence}\n{about.page}"


def download(remote: Remote, folder: Path, *, progress: Progress | None = None) -> None:
    """Download one file to its place in a folder; it appears there once it is whole and its checksum right."""
    pooch = _pooch()
    target = folder / remote.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as partial, TemporaryDirectory() as temporary:
            bar = None if progress is None else _Bar(progress)
            pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT)(remote.url, str(partial), None)
            checksum = remote.checksum
            if checksum is None:
                sidecar = Path(temporary) / "md5"
                pooch.HTTPDownloader(timeout=TIMEOUT)(f"{remote.url}.md5", str(sidecar), None)
                checksum = _published_md5(sidecar, remote)
            _verify(partial, checksum, remote, target)
    except OSError as error:  # the network's errors are among them
        reason = shorten(error.strerror or str(error), 200)
        raise DataError(f"{remote.url} could not be downloaded ({reason}); ", *_by_hand(target)) from error


class _Bar:
    """What pooch asks of a progress bar, handed on as bytes received and bytes in all."""

    total = 0

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.received = 0

    def update(self, received: int) -> None:
        # Pooch counts whole chunks, the last of which is smaller.
        self.received = min(self.received + received, self.total) if self.total else self.received + received
        self.progress(self.received, self.total)

    def reset(self) -> None:
        self.received = 0

    def close(self) -> None:
        """Do nothing: the caller owns what it shows."""


def _verify(partial: Path, checksum: str, remote: Remote, target: Path) -> None:
    algorithm, expected = checksum.split(":")
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected:
        raise DataError(
            f"{remote.url} is not what its publisher describes: its {algorithm} is {found} instead of {expected}, "
            "so it was deleted; try again, or ",
            *_by_hand(target),
        )


def _published_md5(sidecar: Path, remote: Remote) -> str:
    found = re.search(r"\b[0-9a-fA-F]{32}\b", sidecar.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        raise DataError(f"{remote.url}.md5 holds no MD5 checksum, so the download cannot be checked; try again later")
    return f"md5:{found[0].lower()}"


def _by_hand(target: Path) -> Message:
    return (f"download it by hand to {target}, or set ", *_FOLDER_OPTION)


def _pooch() -> ModuleType:
    try:
        return import_module("pooch")
    except ImportError as error:
        raise MissingPackageError(
            "downloads need the package pooch: pip install pooch, or put the publisher's files into the data folder"
        ) from error
