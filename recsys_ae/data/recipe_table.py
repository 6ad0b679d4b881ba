"""Table of a data recipe's options, shared by the recipe, the command line and configuration files."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any, Literal, TypeAlias

from recsys_ae.errors import Argument, ConfigError

Value: TypeAlias = Literal[
    "data", "folder", "file", "column", "separator", "name", "choice", "flag", "yes or no", "rating", "whole", "users",
    "share", "split", "condition",
]  # fmt: skip
"""Kind of an option's value; the command line has a type for each."""

SPLIT_KIND = "split_kind"
"""Field of the option ``split``; the recipe has a method of that name."""

Section: TypeAlias = Literal["place", "columns", "filters", "split"]


@dataclass(frozen=True)
class Option:
    """An option of a recipe: name, field, default, section, kind and valid values.

    ``name`` is used on the command line and in JSON, ``field`` is the attribute. ``of_parts`` is True for options of
    splits that take a given training and test part.
    """

    name: str
    field: str
    default: Any
    section: Section
    kind: Value
    choices: tuple[str, ...]
    low: int | None
    high: int | None
    of_parts: bool


def option(
    default: Any,
    section: Section,
    kind: Value,
    choices: Sequence[str] = (),
    *,
    low: int | None = None,
    high: int | None = None,
    name: str | None = None,
    of_parts: bool = False,
) -> Any:
    """Declare a field of a recipe as an option, named after the field or by ``name``."""
    shape = {"section": section, "kind": kind, "choices": tuple(choices), "low": low, "high": high}
    return dataclasses.field(default=default, metadata={"name": name, "of_parts": of_parts, **shape})


def options(recipe: type, *sections: Section) -> Iterator[Option]:
    """Yield the options of a recipe in order, of all sections or of some."""
    for field in dataclasses.fields(recipe):
        if field.metadata and (not sections or field.metadata["section"] in sections):
            settings = dict(field.metadata)
            yield Option(settings.pop("name") or field.name, field.name, field.default, **settings)


TYPES: dict[str, tuple[type, ...]] = {
    "column": (str, Integral), "flag": (bool,), "yes or no": (bool,), "rating": (str, Real), "whole": (Integral,),
    "users": (Real,), "share": (Real,), "data": (str, PurePath), "folder": (str, PurePath), "file": (str, PurePath),
}  # fmt: skip
"""Types of the values of each kind; the value of any other kind is text."""

WORDS: dict[type, str] = {
    bool: "True or False", Integral: "a whole number", Real: "a number", str: "text", PurePath: "a path",
}  # fmt: skip


def refuse_other_type(entry: Option, value: Any) -> None:
    """Raise a `ConfigError` unless the value of an option has its type; numbers must be finite and fit in 64 bits."""
    types = TYPES.get(entry.kind, (str,))
    if not (isinstance(value, types) and (bool in types or not isinstance(value, bool))):
        expected = " or ".join(WORDS[kind] for kind in types)
        raise ConfigError(Argument(entry.field, value), f": expected {expected}, not {type(value).__name__}")
    if isinstance(value, (int, float)) and not abs(value) < 2**63:
        raise ConfigError(Argument(entry.field, value), ": expected a finite number of at most 64 bits")


class RecipeError(ConfigError):
    """Options of a data recipe that are wrong or cannot be combined."""
