"""Command-line options of a model's hyper-parameters, generated from the declarations in the model's file."""

import typing
from collections.abc import Callable, Iterator, Mapping
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
    """Yield an option for each hyper-parameter, and one for the presets if there are any."""
    presets: Mapping[str, Mapping[str, Any]] = getattr(spec, "presets", {})
    if presets:
        yield Option(
            ["--preset"],
            type=click.Choice(list(presets)),
            is_eager=True,
            callback=_starting_from(presets),
            section=SECTION,
            help="Settings instead of the defaults; paper is those of the paper and of the published tables. "
            "Other options change single ones.",
        )
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


def _starting_from(
    presets: Mapping[str, Mapping[str, Any]],
) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """Return a callback that makes a preset the default of the options; the command line and ``--config`` win."""

    def start(ctx: click.Context, _param: click.Parameter, preset: str | None) -> str | None:
        if preset is not None:
            values = {
                name: [",".join(map(str, value))] if isinstance(value, tuple) else value
                for name, value in presets[preset].items()
            }
            ctx.default_map = {**values, **(ctx.default_map or {})}
        return preset

    return start


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
