"""Hyper-parameters as one line of text: ``latent=64 hidden=600/200 lr=0.01``."""

import dataclasses
import typing
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, TypeVar

from recsys_ae.errors import ConfigError, arguments_named
from recsys_ae.spec.hyper import Hyper, alternatives, build, current_name, describe, refuse_long

T = TypeVar("T")
NONE, BETWEEN = "none", "/"
BOOLS = {"yes": True, "no": False}


def read(cls: type[T], text: str, others: Mapping[str, Any] | None = None) -> T:
    """Build a configuration from settings ``name=value``, separated by spaces.

    Other names have the values of ``others``, or their defaults.

    The values of a tuple are separated by ``/``, and an empty tuple is ``name=``. Booleans are ``yes`` and ``no``, and
    an optional value may be ``none``.
    """
    hypers = {hyper.name: hyper for hyper in describe(cls)}
    values: dict[str, Any] = {}
    for word in text.split():
        written, separator, value = word.partition("=")
        name = current_name(written.replace("-", "_"), hypers)
        if not separator:
            raise ConfigError(f"{word!r} is not a setting; write name=value, and separate settings by spaces")
        if name in values:
            raise ConfigError(f"{name} is set twice; set it once")
        values[name] = _value(hypers[name], hypers[name].type, value) if name in hypers else value
    with arguments_named(str):  # these hyper-parameters are written in the text, not as options
        return build(cls, {**(others or {}), **values})


def write(config: Any, *, complete: bool = False) -> str:
    """Return the text that `read` turns into an equal configuration; unless it is complete, defaults are left out."""
    values = ((field.name, getattr(config, field.name), field.default) for field in dataclasses.fields(config))
    text = " ".join(f"{name}={_text(value)}" for name, value, default in values if complete or value != default)
    try:
        is_equal = read(type(config), text) == config
    except ConfigError:
        is_equal = False
    if not is_equal:
        raise ConfigError(f"{config!r} cannot be written as text, because a value contains a space or {BETWEEN!r}")
    return text


def _value(hyper: Hyper, kind: Any, text: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, UnionType):
        value, words = alternatives(kind)
        if text in words:
            return text
        return None if text == NONE and NoneType in arguments else _value(hyper, value, text)
    if origin is tuple:
        refuse_long(hyper, text.count(BETWEEN) + 1)
        return tuple(_value(hyper, arguments[0], element) for element in text.split(BETWEEN)) if text else ()
    if kind is bool:
        if text not in BOOLS:
            raise ConfigError(f"{hyper.name}={text} must be yes or no")
        return BOOLS[text]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError as error:
            expected = "a whole number" if kind is int else "a number"
            several = f"; separate several by {BETWEEN}" if typing.get_origin(hyper.type) is tuple else ""
            raise ConfigError(f"{hyper.name}={text} must be {expected}{several}") from error
    return text


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return BETWEEN.join(map(_text, value))
    if value is None:
        return NONE
    if isinstance(value, bool):
        return next(word for word, meant in BOOLS.items() if meant is value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
