"""Tuning ranges of a model: those of its file, and those that a user overrides or freezes."""

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_ae import models
from recsys_ae.errors import Argument, ConfigError
from recsys_ae.nn.model import Spec, Stats
from recsys_ae.spec import hyper
from recsys_ae.spec.hyper import Hyper, describe, nearest

CHOICE, LOG, LINEAR, INT = "choice", "log", "linear", "int"
FIXED = {
    "epochs": "the planned length of the training; more is rarely worse, since the best epoch is kept",
    "batch_size": "speed rather than quality, where a model gives no range",
    "optimizer": "depends on the model; its learning rate is tuned instead",
    "clip_norm": "a remedy for diverging trainings",
    "monitor": "the metric of the search",
    "patience": "the search stops poor trainings itself",
    "anchor_l2": "for item features",
    "dtype": "precision of a closed form, not quality",
    "sampled_items": "speed against quality; full softmax unless a user sets it",
    "rank": "a way to save memory at prediction",
    "steps": "precision of a numerical solver",
    "activation": "the paper's best",
    "default": "for users and items without ratings only",
    "ln_eps": "numerical stability",
    "encoder_epochs": "part of the method",
    "decoder_epochs": "part of the method",
    "members": "blends are made of the tuned models",
    "weights": "weights of a blend, which have their own search",
    "scale": "part of a blend",
}
"""Hyper-parameters that are not tuned unless a user gives a range, and the reasons."""

Overrides = Mapping[str, Mapping[str, Any]]
"""Frozen values and ranges by model and hyper-parameter, as a file has them."""


@dataclass(frozen=True)
class Range:
    """Range of one hyper-parameter.

    Attributes
    ----------
    kind
        ``log``, ``linear``, ``int`` or ``choice``.
    low, high
        Ends of a range of numbers, inclusive.
    choices
        Values of a choice.
    only_if
        Name and value of another hyper-parameter without which this one has no effect.
    is_whole
        True for whole numbers.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()
    only_if: tuple[str, Any] | None = None
    is_whole: bool = False

    def counts(self, values: Mapping[str, Any]) -> bool:
        """Return True unless the other hyper-parameters make this one meaningless."""
        if self.only_if is None:
            return True
        name, wanted = self.only_if
        return bool(values[name]) == wanted if isinstance(wanted, bool) else bool(values[name] == wanted)


@dataclass(frozen=True)
class Space:
    """Search space of a model.

    Attributes
    ----------
    model
        Name of the model.
    frozen
        Values that a user has frozen.
    searched
        Range of each hyper-parameter that is searched by fits, in the order of declaration.
    free
        Ranges of hyper-parameters that need no fit: after each fit their best values are found.
    defaults
        Values of all hyper-parameters of the first trial.
    """

    model: str
    frozen: Mapping[str, Any]
    searched: Mapping[str, Range]
    free: Mapping[str, Range]
    defaults: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        model: str,
        overrides: Mapping[str, Any] | None = None,
        *,
        has_features: bool = False,
        stats: Stats | None = None,
    ) -> "Space":
        """Return the space of a model, with what a user has overridden or frozen.

        With item features nothing is free, because a model also learns to rank cold items in its fit. Defaults that
        depend on the data are computed if ``stats`` are given.

        Raises
        ------
        ConfigError
            If a name is unknown, or a range or value is not allowed.
        """
        spec_class = models.spec_class(model)
        hypers = {one.name: one for one in describe(spec_class)}
        given = {} if overrides is None else dict(overrides)
        for name in given:
            if name not in hypers:
                raise ConfigError(f"{model} has no hyper-parameter {name!r}{nearest(name, hypers)}")
            if name == "monitor":
                raise ConfigError("monitor is the metric of the search; set ", Argument("metric"))
        frozen: dict[str, Any] = {}
        searched: dict[str, Range] = {}
        free: dict[str, Range] = {}
        may_be_free = () if has_features else spec_class.free
        for name, one in hypers.items():
            if name in given and not isinstance(given[name], Mapping):
                frozen[name] = given[name]
            elif (found := _given(model, one, given[name]) if name in given else _declared(one)) is not None:
                (free if name in may_be_free else searched)[name] = found
        spec: Spec = hyper.build(spec_class, frozen)  # a value that is not allowed is refused now
        known = {} if stats is None else hyper.flatten(spec.resolved(stats))
        defaults = {**{name: one.default for name, one in hypers.items()}, **known, **frozen}
        return cls(model, frozen, searched, free, defaults)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Read a TOML file with a table for each model: ``l2 = 100`` freezes, ``l2 = {low = 10, high = 99}`` is a range.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(Argument("ranges"), f": cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(Argument("ranges"), f": {path} is no TOML file: {error}") from error


def checked(
    overrides: Overrides,
    names: Sequence[str],
    *,
    source: Path | None = None,
    has_features: bool = False,
    stats: Stats | None = None,
) -> dict[str, Space]:
    """Return the search space of each of these models.

    Raises
    ------
    ConfigError
        If a table is for no model of the search, or has a wrong entry; the message names the file (``source``), the
        table and the entry.
    """
    file = "" if source is None else f" {source}:"
    tables: dict[str, Mapping[str, Any]] = {}
    for word, table in overrides.items():
        with _errors_in(f"{file} [{word}]"):
            if not isinstance(table, Mapping):
                raise ConfigError("it is no table; write one for each model, such as [ease], with its entries below")
            name = models.spec_class(word).name()
            if name in tables:
                raise ConfigError(f"there is another table for {name}")
            if name not in names:
                raise ConfigError(f"{name} is not searched; add it to ", Argument("models"))
            tables[name] = table
            Space.of(name, table, has_features=has_features)
    return {name: Space.of(name, tables.get(name), has_features=has_features, stats=stats) for name in names}


@contextmanager
def _errors_in(place: str) -> Iterator[None]:
    """Name the place of an error; hyper-parameters keep their plain names, for they are no options of a search."""
    try:
        yield
    except ConfigError as error:
        own = (Argument("models"), Argument("metric"))
        parts = (part if part in own else str(part) for part in error.parts)
        raise ConfigError(Argument("ranges"), f":{place}: ", *parts) from error


def _declared(one: Hyper) -> Range | None:
    if one.search is None:
        return None
    ends: Any
    kind, *ends = one.search
    whole = hyper.alternatives(one.type)[0] is int or one.type is int
    if kind == CHOICE:
        return Range(CHOICE, choices=tuple(ends[0]), only_if=one.search_if)
    low, high = map(float, ends)
    return Range(kind, low, high, only_if=one.search_if, is_whole=whole or kind == INT)


def _given(model: str, one: Hyper, table: Mapping[str, Any]) -> Range:
    """Return the range that a user has given."""
    words = set(table)
    if words == {"choices"} and isinstance(table["choices"], list | tuple) and table["choices"]:
        built = [hyper.build(models.spec_class(model), {one.name: value}) for value in table["choices"]]
        choices = tuple(dict.fromkeys(getattr(spec, one.name) for spec in built))  # 1 and 1.0 are the same
        return Range(CHOICE, choices=choices, only_if=one.search_if)
    low, high = table.get("low"), table.get("high")
    is_number = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
    if not words <= {"low", "high", "log"} or not is_number or not isinstance(table.get("log", False), bool):
        raise ConfigError(
            f"{one.name} = {_entry(table)} is no range; write {{low = 1, high = 10}}, "
            "{low = 1, high = 10, log = true} or {choices = [1, 2]}",
        )
    for end in (low, high):
        hyper.build(models.spec_class(model), {one.name: end})
    declared = _declared(one)
    is_log = bool(table.get("log", declared is not None and declared.kind == LOG))
    if not (low < high and (low > 0 or not is_log)):  # type: ignore[operator]  # both are numbers
        end = ", above 0 for a logarithmic range" if is_log else ""
        raise ConfigError(f"{one.name} goes from {low} to {high}; expected a smaller number first{end}")
    whole = hyper.alternatives(one.type)[0] is int or one.type is int
    return Range(LOG if is_log else LINEAR, float(low), float(high), only_if=one.search_if, is_whole=whole)  # type: ignore[arg-type]


def _entry(table: Mapping[str, Any]) -> str:
    """Return a table as its file has it."""
    return "{" + ", ".join(f"{name} = {value!r}" for name, value in table.items()) + "}"


def grid(found: Range, n: int) -> list[float]:
    """Return ``n`` evenly spaced values of a range of numbers."""
    if n < 2:
        return [found.low]
    step = (found.high - found.low) / (n - 1)
    return [found.low + step * position for position in itertools.islice(itertools.count(), n)]
