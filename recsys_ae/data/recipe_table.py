"""The table of a data recipe's options, from which the recipe, the command line and configuration files are made."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from recsys_ae.errors import ConfigError

Value: TypeAlias = Literal[
    "data", "folder", "file", "column", "separator", "name", "choice", "flag", "yes or no", "rating", "whole", "users",
    "share", "split",
]  # fmt: skip
"""What a value is; the command line has a type of option for each."""

SPLIT_KIND = "split_kind"
"""The field of the option ``split``, which is also the name of the recipe's method."""

Section: TypeAlias = Literal["place", "columns", "filters", "split"]


@dataclass(frozen=True)
class Option:
    """An option of a recipe: its name, field, default, section and kind, and which values it takes.

    ``name`` is that on the command line and in JSON; ``field`` that of the attribute. ``of_parts`` says that it is for
    splits of which the parts are published.
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
    """Declare a field of a recipe that is an option, under its own name or another."""
    shape = {"section": section, "kind": kind, "choices": tuple(choices), "low": low, "high": high}
    return dataclasses.field(default=default, metadata={"name": name, "of_parts": of_parts, **shape})


def options(recipe: type, *sections: Section) -> Iterator[Option]:
    """Yield the options of a recipe in their order: all, or those of some sections."""
    for field in dataclasses.fields(recipe):
        if field.metadata and (not sections or field.metadata["section"] in sections):
            settings = dict(field.metadata)
            yield Option(settings.pop("name") or field.name, field.name, field.default, **settings)


class RecipeError(ConfigError):
    """Options of a data recipe that are wrong or cannot be combined."""
