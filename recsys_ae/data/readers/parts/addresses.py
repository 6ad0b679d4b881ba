"""Places of data: paths, addresses, and standard input."""

import os
import re
from pathlib import Path

STANDARD_INPUT = "-"
REMOTE = re.compile(r"^(s3|gs|gcs|hdfs|viewfs|abfs|abfss|file):/+", re.IGNORECASE)
"""Beginnings of addresses that Arrow's file systems know; as a `Path`, they have one slash only."""


def absolute(place: str | Path) -> str:
    """Return the absolute path of a place on this machine; addresses and ``-`` as they are."""
    text = os.fspath(place)
    if text == STANDARD_INPUT:
        return text
    return address_of(text) if REMOTE.match(text) else str(Path(text).absolute())


def address_of(text: str) -> str:
    """Return an address with both of the slashes that a `Path` makes one."""
    return REMOTE.sub(lambda match: f"{match[1].lower()}://{'/' if match[1].lower() == 'file' else ''}", text)
