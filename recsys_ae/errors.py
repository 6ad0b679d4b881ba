"""Errors of this package, under one base class."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

# Control characters but for the tab and the line feed; marks, embeddings, overrides and isolates of bidirectional text;
# invisible characters and line separators; surrogates. The joiners U+200C and U+200D stay: scripts and emoji need them.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


LONGEST = 300
"""Characters of a value that a message repeats."""


def printable(text: str) -> str:
    r"""Return text that is safe to print: what a terminal would obey or hide is written ``\x1b`` or ``\u202e``."""
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def shortened(text: str) -> str:
    """Return a text for a message, without its middle if it is long: the value of an argument may be a whole file."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 20]} ... {text[-15:]}"


class Argument(NamedTuple):
    """An argument that an error message names, with or without its value.

    Python users read ``rating`` or ``header = True``. The command line writes the same argument as the option that its
    users type: ``--rating-column`` or ``--header``.
    """

    name: str
    value: Any = ...

    def __str__(self) -> str:
        return self.name if self.value is ... else f"{self.name} = {shortened(repr(self.value))}"


Message: TypeAlias = tuple[str | Argument, ...]
"""An error message, or a piece of one, in parts."""


class RecsysError(Exception):
    """Base class of all errors of this package.

    The message is one line: what was given, what was expected, and what to do. As text it is `printable`, whatever the
    names of files and columns and the ids in it.

    Parameters
    ----------
    parts
        The message in parts. Arguments in it are `Argument` objects, so that each reader sees the name that they use.
    """

    def __init__(self, *parts: str | Argument) -> None:
        super().__init__(*parts)
        self.parts = parts

    def __str__(self) -> str:
        return " ".join(printable("".join(map(str, self.parts))).split("\n"))


class DataError(RecsysError):
    """The data cannot be used as they are."""


class ConfigError(RecsysError):
    """A hyper-parameter, option or name is unknown or out of bounds."""


class NotFittedError(RecsysError):
    """The model has not been fitted yet."""


class UnsupportedError(RecsysError):
    """The model does not support the request, whatever the data."""


class TrainingError(RecsysError):
    """Training cannot continue; the message names the step and the likely cause."""


class ArtefactError(RecsysError):
    """A saved model cannot be read, is damaged or of another kind, or cannot be written to a path."""


class MissingPackageError(RecsysError):
    """An optional package is missing; the message says how to install it."""


@contextmanager
def arguments_named(name: Callable[[Argument], Argument | str]) -> Iterator[None]:
    """Rename the arguments in the messages of errors that pass through, for callers that know them by other names."""
    try:
        yield
    except RecsysError as error:
        error.parts = tuple(name(part) if isinstance(part, Argument) else part for part in error.parts)
        raise


def renamed(names: dict[str, str]) -> Callable[[Argument], Argument]:
    """Return a function for `arguments_named` that renames some arguments and leaves the others."""
    return lambda argument: argument._replace(name=names.get(argument.name, argument.name))
