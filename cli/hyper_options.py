"""Command-line options of a model's hyper-parameters, generated from the declarations in the model's file."""

import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.spec.hyper import Hyper, alternatives, bounds, describe

from .framework import Option
from .param_types import Numbers, OrWord, Type
from .wording import as_text

if TYPE_CHECKING:
    from recsys_ae.nn.model import Identity

SECTION = "Hyper-parameters"
TYPES: Mapping[Any, Type] = {int: click.INT, float: click.FLOAT, str: click.STRING}


def options(spec: type["Identity"]) -> Iterator[Option]:
    """Yield an option for each hyper-parameter."""
    for hyper in describe(spec):
        yield _option(hyper)


def values(spec: type["Identity"], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters among the values of all options."""
    return {hyper.name: settings[hyper.name] for hyper in describe(spec)}


def _option(hyper: Hyper) -> Option:
    name = hyper.name.replace("_", "-")
    settings: dict[str, Any] = {"default": hyper.default, "section": SECTION, "help": _help(hyper)}
    kind, words = alternatives(hyper.type)
    if words:
        either = OrWord(TYPES[kind], words)
        return Option([f"--{name}"], type=either, metavar=either.name, **settings)
    if kind is bool:
        return Option([f"--{name}/--no-{name}"], **settings)
    if hyper.choices:
        return Option([f"--{name}"], type=click.Choice(hyper.choices), **settings)
    if typing.get_origin(kind) is tuple:
        of = TYPES[typing.get_args(kind)[0]]
        settings |= {"multiple": True, "callback": _joined}
        return Option([f"--{name}"], type=Numbers(of), **settings)
    return Option([f"--{name}"], type=TYPES[kind], **settings)


def _joined(_ctx: click.Context, _param: click.Parameter, groups: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    """Join the values of an option that is given more than once."""
    return tuple(number for group in groups for number in group)


def _help(hyper: Hyper) -> str:
    text = hyper.help[:1].upper() + hyper.help[1:]
    default = hyper.default
    shown = f"{default:.4g}" if isinstance(default, float) else as_text(default) or "none"
    if isinstance(default, bool):
        shown = "yes" if default else "no"
    limits = bounds(hyper)
    return f"{text}.  [default: {shown}{'; ' + limits if limits else ''}]"
