"""Options written down in a TOML file; what is typed on the command line wins."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .framework import suggestion

MODEL = "model"


def read(path: Path, ctx: click.Context | None = None) -> dict[str, Any]:
    """Return the names and values of a file; tables in it are headings only."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise click.UsageError(f"--config {path}: {error.strerror}", ctx) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--config {path} is not TOML: {error}", ctx) from error
    found: dict[str, Any] = {}
    for name, value in content.items():
        for key, one in (value if isinstance(value, dict) else {name: value}).items():
            plain = key.replace("_", "-")
            if plain in found:
                raise click.UsageError(f"--config {path} sets {key} twice", ctx)
            found[plain] = one
    return found


def load(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Let the file's values stand in for options that are not typed; the callback of ``--config``."""
    if path is None:
        return None
    values = read(path, ctx)
    values.pop(MODEL, None)
    options = {name: one for one in ctx.command.params if one is not param for name in _names(one)}
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
    """Return the text that would be typed for a value, so that the same checks apply."""
    flag = isinstance(option, click.Option) and option.is_flag
    if flag != isinstance(value, bool):
        expected = "true or false" if flag else "a value, not true or false"
        raise click.UsageError(f"--config: {name} = {value!r} must be {expected}", ctx)
    if flag:
        negative = any(name == one.lstrip("-") for one in option.secondary_opts)
        return value != negative
    if isinstance(value, Mapping):
        raise click.UsageError(f"--config: {name} is a table inside a table; only one level of tables is read", ctx)
    many = isinstance(option, click.Option) and option.multiple
    if isinstance(value, list) and not many:
        raise click.UsageError(f"--config: {name} = {value!r} must be a single value, not a list", ctx)
    if many:
        return [str(one) for one in (value if isinstance(value, list) else [value])]
    return str(value)
