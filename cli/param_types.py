"""Types of options, which turn text into values."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

if TYPE_CHECKING:
    # Generic since click 8.4 only.
    Type: TypeAlias = click.ParamType[Any]
else:
    Type = click.ParamType

NONE, AUTO = "none", "auto"
FILE = click.Path(path_type=Path)


class Column(Type):
    """A column by its name, or by its position if it is a number."""

    name = "column"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        """Return a name or a position."""
        text = str(value)
        return int(text) if text.isdecimal() else text


class Separator(Type):
    r"""A separator as typed in a shell: ``tab`` and ``\t`` stand for the tabulator."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the characters of the separator."""
        return str(value).replace("\\t", "\t") if value != "tab" else "\t"


class Rating(Type):
    """A number, or ``none``."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Return a finite number or a word."""
        if str(value) in (NONE, AUTO):
            return str(value)
        number: float = click.FLOAT.convert(value, param, ctx)
        if number - number != 0:
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Whole(Type):
    """A whole number between two bounds."""

    name = "number"

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return a number that is in bounds."""
        number: int = click.INT.convert(value, param, ctx)
        if number < self.least or (self.most is not None and number > self.most):
            bounds = f"at least {self.least}" if self.most is None else f"{self.least} to {self.most}"
            self.fail(f"{number} is out of bounds; expected {bounds}.", param, ctx)
        return number


class Users(Type):
    """A number of users, or a share of them: a decimal number below 1."""

    name = "number"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """Return an int or a float between 0 and 1."""
        text = str(value)
        try:
            number = int(text) if text.lstrip("+-").isdecimal() else float(text)
        except ValueError:
            number = -1
        if not (isinstance(number, int) and number >= self.least) and not 0 < number < 1:
            expected = f"expected a number of users, at least {self.least}, or a share such as 0.1"
            self.fail(f"{value!r} is out of bounds; {expected}.", param, ctx)
        return number


class Share(Type):
    """A share: a number from 0 to below 1."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return a float."""
        number: float = click.FLOAT.convert(value, param, ctx)
        if not 0 <= number < 1:
            self.fail(f"{value!r} is not a share; expected a number from 0 to below 1, such as 0.1.", param, ctx)
        return number


class Numbers(Type):
    """Numbers separated by commas; an empty text gives no numbers."""

    def __init__(self, of: Type) -> None:
        self.of = of
        self.name = f"{of.name},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Return the numbers."""
        texts = [text.strip() for text in str(value).split(",")]
        return tuple(self.of.convert(text, param, ctx) for text in texts if text)


class OrWord(Type):
    """A value, or a word for a value that depends on the data."""

    def __init__(self, of: Type, words: tuple[str, ...]) -> None:
        self.of, self.words = of, words
        self.name = "|".join((of.name.upper(), *words))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a word unchanged, and any other text as a value."""
        return value if value in self.words else self.of.convert(value, param, ctx)


class Names(Type):
    """Names separated by commas."""

    name = "name,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names."""
        if isinstance(value, tuple):
            return value
        return tuple(name.strip() for name in str(value).split(",") if name.strip())


class NamedFile(Type):
    """A name and the path of a file: ``NAME=FILE``."""

    name = "name=file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """Return the name and the path."""
        if isinstance(value, tuple):
            return value[0], Path(value[1])
        name, _, file = str(value).partition("=")
        if not name.strip() or not file.strip():
            self.fail(f"{value!r} is not NAME=FILE, such as spark=top100.csv.", param, ctx)
        return name.strip(), Path(file)
