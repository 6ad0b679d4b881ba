"""Options as users type them: in messages, and in the command that repeats a run."""

import shlex
from collections.abc import Sequence
from typing import Any

import click

from recsys_ae.errors import Argument, shortened

OTHER_NAMES = {"split_kind": "split", "id": "id_column", "texts": "text_columns"}
"""Arguments of the library whose option has another name."""


def as_text(value: Any) -> str:
    """Return a value as users type it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(as_text, value))
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def typed(param: click.Parameter, value: Any) -> list[str]:
    """Return the words that set a parameter to a value; none if the option is left out."""
    if isinstance(param, click.Argument):
        return [str(word) for word in (value if isinstance(value, tuple) else (value,))]
    if isinstance(value, bool):
        return [param.opts[0]] if value else list(param.secondary_opts[:1])
    return [] if value is None else [param.opts[0], as_text(value)]


def as_option(argument: Argument, params: Sequence[click.Parameter]) -> str:
    """Return an argument of the library as the option that sets it; as in Python if the command has no such option."""
    name = OTHER_NAMES.get(argument.name, argument.name)
    param = next((param for param in params if param.name == name), None)
    if param is None:
        return str(argument)
    if argument.value is ... or argument.value is None:
        return param.metavar or name.upper() if isinstance(param, click.Argument) else param.opts[0]
    return shortened(shlex.join(typed(param, argument.value)))
