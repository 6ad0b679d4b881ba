"""Names and values of parameters, metrics and tags in the form that every MLflow store accepts."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

LONGEST_NAME = 250
LONGEST_FOLDER = 250
"""Bytes of a part between slashes: a file system allows 255, and a name that is taken gets a number."""
LONGEST_PARAMETER = 6000
MOST_PARAMETERS = 100
"""Maximum number of parameters, or of tags, in one request."""
MOST_CHARACTERS = 200_000
"""Maximum length of the parameters in one request, which a server limits to a million bytes."""


class Names:
    """Names of one run in its store: each is valid, stands for one thing, and is no folder of another.

    A store of files keeps the metric ``loss`` in a file and ``loss/valid`` in a folder ``loss``, so that only one of
    them can exist. Some databases and file systems do not tell capital from small letters.

    Parameters
    ----------
    stored
        Names that the run already has.
    """

    def __init__(self, stored: Iterable[str] = ()) -> None:
        self._known: dict[str, str] = {}
        self._taken: set[str] = set()
        self._files: set[str] = set()
        self._folders: set[str] = set()
        for text in stored:
            self._add(text.casefold())

    def of(self, given: str) -> str:
        """Return the name in the store; the same name for each call."""
        if given not in self._known:
            text = next(text for text in _alternatives(name(given)) if self._is_free(text.casefold()))
            self._known[given] = text
            self._taken.add(text.casefold())
            self._add(text.casefold())
        return self._known[given]

    def _is_free(self, text: str) -> bool:
        is_nested = text in self._folders or not self._files.isdisjoint(_folders(text))
        return text not in self._taken and (text in self._files or not is_nested)

    def _add(self, text: str) -> None:
        self._files.add(text)
        self._folders.update(_folders(text))


def name(text: str) -> str:
    """Return a name that MLflow accepts: ``valid/ndcg@100`` becomes ``valid/ndcg_at_100``."""
    text = re.sub(r"[^\w.\- /]", "_", text.replace("@", "_at_"))
    # MLflow treats names as paths and refuses paths that are not in their shortest form.
    parts = [part for part in map(_shortened_part, text.split("/")) if part.strip(".")]
    joined = "/".join(parts)
    cut = f"_{joined}" if joined.startswith("..") else joined
    return "/".join(part for part in cut[:LONGEST_NAME].split("/") if part.strip(".")) or "_"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dictionaries, with their names joined by dots."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def written(value: Any) -> str:
    """Return a parameter's value as text that can be encoded; collections become JSON."""
    text = (
        json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, Mapping | list | tuple) else str(value)
    )
    return text.encode("utf-8", "backslashreplace").decode()


def shortened(text: str, longest: int = LONGEST_PARAMETER) -> str:
    """Return a text, cut with an ellipsis if it is too long."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def batches(values: Mapping[str, str]) -> Iterator[Sequence[tuple[str, str]]]:
    """Yield parameters or tags in as few requests as MLflow allows."""
    batch: list[tuple[str, str]] = []
    for key, text in values.items():
        length = sum(len(name) + len(value) for name, value in (*batch, (key, text)))
        if batch and (len(batch) == MOST_PARAMETERS or length > MOST_CHARACTERS):
            yield batch
            batch = []
        batch.append((key, text))
    if batch:
        yield batch


def _alternatives(text: str) -> Iterator[str]:
    """Yield a name, the name without folders, and the name with a number."""
    flat = text.replace("/", "_")
    yield from (text, flat)
    for number in count(2):
        suffix = f"_{number}"
        yield f"{name(flat[: LONGEST_NAME - len(suffix)])}{suffix}"


def _folders(text: str) -> Iterator[str]:
    """Yield the folders of a name: ``a`` and ``a/b`` of ``a/b/c``."""
    for position, letter in enumerate(text):
        if letter == "/":
            yield text[:position]


def _shortened_part(part: str) -> str:
    return part.encode()[:LONGEST_FOLDER].decode(errors="ignore")
