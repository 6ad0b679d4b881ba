"""Hyper-parameters as fields of a frozen dataclass, with help, bounds and tuning ranges."""

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from types import UnionType
from typing import Any, TypeVar

from recsys_ae.errors import Argument, ConfigError

T = TypeVar("T")
Search = tuple[str, float, float] | tuple[str, tuple[Any, ...]]
SearchIf = tuple[str, Any]
_NUMBERS: dict[type, type] = {int: Integral, float: Real}
LARGEST: dict[type, float] = {int: 2**63 - 1, float: 3e38}
"""Largest numbers that a network can compute with: 64 bits, and single precision."""
MOST_VALUES = 1000
"""Largest number of values of a list, such as the layers of a network or the members of a blend."""


@dataclass(frozen=True)
class Hyper:
    """Description of one hyper-parameter."""

    name: str
    type: Any
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    search: Search | None = None
    search_if: SearchIf | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        """Allowed values of a ``Literal``; empty for every other type."""
        return typing.get_args(self.type) if typing.get_origin(self.type) is typing.Literal else ()


def hp(
    default: T,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    search: Search | None = None,
    search_if: SearchIf | None = None,
) -> T:
    """Declare a hyper-parameter as a field of a frozen dataclass.

    Parameters
    ----------
    default
        Default value.
    help
        Meaning, as the help of the command line shows it; begins with a small letter and has no full stop.
    low, high
        Inclusive bounds of a number, or of each number of a tuple; None is no bound.
    search
        Range of a tuner, ``("log" | "linear" | "int", low, high)`` or ``("choice", (value, …))``; None if it is not
        tuned. The default may lie outside the range, for example 0 for what is turned off.
    search_if
        Name and value of another hyper-parameter: the range counts only if it has this value, or with ``True`` or
        ``False`` as the value, if it is set or 0.
    """
    metadata = {"help": help, "low": low, "high": high, "search": search, "search_if": search_if}
    return dataclasses.field(default=default, metadata=metadata)


def other_default(cls: type, name: str, default: T, addition: str = "") -> T:
    """Declare a hyper-parameter of a base class again, with another default and maybe an addition to its help."""
    (field,) = (field for field in dataclasses.fields(cls) if field.name == name)
    added = {"help": f"{field.metadata['help']}; {addition}"} if addition else {}
    return dataclasses.field(default=default, metadata={**field.metadata, **added})


def describe(cls: type) -> Iterator[Hyper]:
    """Yield the hyper-parameters of a configuration class in the order of declaration."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        yield Hyper(field.name, hints[field.name], field.default, **field.metadata)


def flatten(config: Any) -> dict[str, Any]:
    """Return a configuration as a dictionary of JSON values."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


RENAMED = {"average": "ema_decay", "pull": "anchor_l2", "samples": "sampled_items"}
"""Current names of renamed hyper-parameters, by former name. Saved models, studies and blends may hold the former."""


def build(cls: type[T], values: Mapping[str, Any]) -> T:
    """Build a configuration from a dictionary; missing names keep their defaults.

    Raises
    ------
    ConfigError
        If a name is unknown, a value has the wrong type or is out of bounds.
    """
    names = [hyper.name for hyper in describe(cls)]
    current = {current_name(name, names): value for name, value in values.items()}
    if len(current) < len(values):
        raise ConfigError(
            f"{cls.__name__}: a hyper-parameter is set by its former and its current name; use the current one"
        )
    for name in current:
        if name not in names:
            raise ConfigError(f"{cls.__name__} has no hyper-parameter {name!r}{nearest(name, names)}")
    return cls(**current)


def current_name(name: str, names: Iterable[str]) -> str:
    """Return the current name of a hyper-parameter, given its current or former name."""
    return RENAMED.get(name, name) if name not in names else name


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: ``"; did you mean 'x'? known: …"``."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    suggestion = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{suggestion} known: {', '.join(names)}"


def validate(config: Any) -> None:
    """Check types and bounds of all fields and normalise their values in place; call it in ``__post_init__``."""
    for hyper in describe(type(config)):
        object.__setattr__(config, hyper.name, _checked(hyper, getattr(config, hyper.name)))


def _checked(hyper: Hyper, value: Any) -> Any:
    value = _coerced(hyper, hyper.type, value)
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, str) or number is None:
            continue
        if not (hyper.low is None or number >= hyper.low) or not (hyper.high is None or number <= hyper.high):
            raise ConfigError(Argument(hyper.name, value), f" is out of bounds; expected {bounds(hyper)}")
    return value


def bounds(hyper: Hyper) -> str:
    """Return the bounds of a hyper-parameter in words; empty if it has none."""
    if hyper.low is not None and hyper.high is not None:
        return f"{hyper.low:g} to {hyper.high:g}"
    if hyper.low is not None:
        return f"at least {hyper.low:g}"
    return "" if hyper.high is None else f"at most {hyper.high:g}"


def alternatives(kind: Any) -> tuple[Any, tuple[str, ...]]:
    """Split a type such as ``float | Literal["auto"]`` into its value type and its words: ``(float, ("auto",))``.

    A word stands for a value that depends on the data and that `Spec.resolved` computes.
    """
    if typing.get_origin(kind) not in (typing.Union, UnionType):
        return kind, ()
    members = [member for member in typing.get_args(kind) if member is not type(None)]
    words = [
        word for member in members if typing.get_origin(member) is typing.Literal for word in typing.get_args(member)
    ]
    (value,) = (member for member in members if typing.get_origin(member) is not typing.Literal)
    return value, tuple(words)


def _coerced(hyper: Hyper, kind: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        if isinstance(value, str) and value in arguments:
            return str(value)
        raise ConfigError(Argument(hyper.name, value), f" is not one of {', '.join(map(repr, arguments))}")
    if origin in (typing.Union, UnionType):
        kind, words = alternatives(kind)
        if (value is None and type(None) in arguments) or (isinstance(value, str) and value in words):
            return value
        return _coerced(hyper, kind, value)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(Argument(hyper.name, value), f" must be a list of {arguments[0].__name__}")
        refuse_long(hyper, len(value))
        return tuple(_coerced(hyper, arguments[0], element) for element in value)
    if kind in (int, float) and isinstance(value, _NUMBERS[kind]) and not isinstance(value, bool):
        return _number(hyper, kind, value)  # NumPy numbers become Python numbers, which JSON can hold
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        expected = f" must be of type {kind.__name__}, not {type(value).__name__}"
        raise ConfigError(Argument(hyper.name, value), expected)
    return value


def refuse_long(hyper: Hyper, n: int) -> None:
    """Raise a `ConfigError` for a list of too many values: a layer or a member is made for each."""
    if n > MOST_VALUES:
        raise ConfigError(Argument(hyper.name), f" has {n:,} values; expected at most {MOST_VALUES:,}")


def _number(hyper: Hyper, kind: Any, value: Any) -> Any:
    try:
        number = kind(value)
    except OverflowError:
        number = math.inf
    if kind is float and not math.isfinite(number):
        raise ConfigError(Argument(hyper.name, value), " must be a finite number")
    if abs(number) > LARGEST[kind]:
        raise ConfigError(Argument(hyper.name, value), f" is too large; expected at most {LARGEST[kind]:g}")
    return number
