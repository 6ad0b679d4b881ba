"""Tables of features in several files: folders, patterns, addresses and standard input."""

import os
import re
from pathlib import Path

from recsys_ae.data.readers.archives import Source
from recsys_ae.data.readers.parts.addresses import REMOTE, STANDARD_INPUT
from recsys_ae.features.data.images import is_picture

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".jsonl", ".ndjson", ".json")


def has_tables(place: str | Path) -> bool:
    """Return True for a folder with tables and without pictures, a pattern, an address, and standard input."""
    text = os.fspath(place)
    if text == STANDARD_INPUT or REMOTE.match(text):
        return True
    folder = Path(text)
    if folder.is_dir():
        paths = [Path(home, name).relative_to(folder) for home, _, names in os.walk(folder) for name in names]
        return any(Source(path).suffix in SUFFIXES for path in paths) and not any(map(is_picture, paths))
    return bool(re.search(r"[*?\[]", text)) and not os.path.lexists(text)
