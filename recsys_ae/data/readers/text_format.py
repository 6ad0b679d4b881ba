"""Format of a text table: separator, encoding, quotation marks, decimal point, comments and lines to skip."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from recsys_ae.errors import Argument, ConfigError

Quote: TypeAlias = Literal["auto", "none", "double"]


@dataclass(frozen=True, kw_only=True)
class TextFormat:
    """Options for reading a text table, as in `read_interactions`.

    Raises
    ------
    ConfigError
        If a value is not valid.
    """

    separator: str | None = None
    encoding: str = "utf-8"
    quote: Quote = "auto"
    decimal: str = "."
    comment: str | None = None
    skip_lines: int = 0

    def __post_init__(self) -> None:
        if self.separator is not None and (not self.separator or any(c in self.separator for c in '\r\n"\0')):
            _refuse("separator", self.separator, "text without quotes, line ends or zero bytes")
        if self.quote not in ("auto", "none", "double"):
            _refuse("quote", self.quote, "one of auto, none, double")
        if self.decimal not in (".", ","):
            _refuse("decimal", self.decimal, "a point or a comma")
        if self.comment is not None and (not self.comment or any(c in self.comment for c in "\r\n\0")):
            _refuse("comment", self.comment, "the beginning of a line of comments, such as #")
        if type(self.skip_lines) is not int or self.skip_lines < 0:
            _refuse("skip_lines", self.skip_lines, "a number of lines, from 0")
        try:
            "".encode(self.encoding)
        except (LookupError, ValueError) as error:
            reason = " is unknown; expected a name such as utf-8 or latin-1"
            raise ConfigError(Argument("encoding", self.encoding), reason) from error


def _refuse(name: str, value: Any, expected: str) -> None:
    raise ConfigError(Argument(name, value), f": expected {expected}")
