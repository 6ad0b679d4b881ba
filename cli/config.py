"""Option values from a TOML file; options on the command line win."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .framework import suggestion

MODEL = "model"


def read(path: Path, ctx: click.Context | None = None) -> dict[str, Any]:
    """Return the names and values of all options in a file; its tables only group them."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise click.UsageError(f"--config {path}: {error.strerror}", ctx) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise click.UsageError(f"--config {path} is not TOML: {error}", ctx) from error
    values: dict[str, Any] = {}
    for name, value in content.items():
        for key, setting in (value if isinstance(value, dict) else {name: value}).items():
            plain = key.replace("_", "-")
            if plain in values:
                raise click.UsageError(f"--config {path} sets {key} twice", ctx)
            values[plain] = setting
    return values


def load(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Use the values of a file as defaults of the options; the callback of ``--config``."""
    if path is None:
        return None
    values = read(path, ctx)
    values.pop(MODEL, None)
    options = {name: option for option in ctx.command.params if option is not param for name in _names(option)}
    defaults: dict[str, Any] = {}
    for name, value in values.items():
        if name not in options:
            raise click.UsageError(f"--config {path}: there is no option {name!r}{suggestion(name, options)}", ctx)
        defaults[str(options[name].name)] = _as_typed(options[name], name, value, ctx)
    ctx.default_map = {**(ctx.default_map or {}), **defaults}
    return path


def _names(option: click.Parameter) -> list[str]:
    return [name.lstrip("-") for name in (*option.opts, *option.secondary_opts)]


def _as_typed(option: click.Parameter, name: str, value: Any, ctx: click.Context) -> Any:
    """Return a value as the text that a user would type, so that the same checks apply."""
    flag = isinstance(option, click.Option) and option.is_flag
    if flag != isinstance(value, bool):
        expected = "true or false" if flag else "a value, not true or false"
        raise click.UsageError(f"--config: {name} = {value!r} must be {expected}", ctx)
    if flag:
        negative = any(name == flag_name.lstrip("-") for flag_name in option.secondary_opts)
        return value != negative
    if isinstance(value, Mapping):
        raise click.UsageError(f"--config: {name} is a table inside a table; only one level of tables is read", ctx)
    many = isinstance(option, click.Option) and option.multiple
    if isinstance(value, list) and not many:
        raise click.UsageError(f"--config: {name} = {value!r} must be a single value, not a list", ctx)
    if many:
        return [str(entry) for entry in (value if isinstance(value, list) else [value])]
    return str(value)
