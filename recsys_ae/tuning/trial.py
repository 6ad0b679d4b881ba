"""Trials: settings that were tried, and what came of them."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from recsys_ae import models
from recsys_ae.metrics import smaller_is_better
from recsys_ae.nn.model import Spec
from recsys_ae.spec.hyper import build

Status: TypeAlias = Literal["complete", "stopped", "pruned", "failed", "refused"]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Settings that are to be tried.

    Attributes
    ----------
    number
        Number of the trial, counted from 1.
    model
        Name of the model.
    settings
        Hyper-parameters that differ from the defaults, as JSON values.
    is_default
        True for the first trial of a model.
    """

    number: int
    model: str
    settings: Mapping[str, Any]
    is_default: bool

    def spec(self, metric: str) -> Spec:
        """Return the hyper-parameters; a model that selects its best epoch does so by ``metric``."""
        cls = models.spec_class(self.model)
        monitored = {"monitor": metric} if any(field.name == "monitor" for field in dataclasses.fields(cls)) else {}
        return build(cls, {**monitored, **self.settings})


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial that has ended.

    Attributes
    ----------
    number, model, settings, is_default
        As in its `Proposal`; the settings are those of the fitted model.
    status
        ``complete``; ``stopped`` when the time was up; ``pruned`` when it was no longer promising; ``failed``;
        ``refused`` if it did not fit the memory.
    reason
        Reason of every status but ``complete``.
    value, standard_error
        Validation metric and its standard error over the users; None without a fitted model. That of a
        stopped or pruned training is of its best epoch.
    epochs, epoch
        Number of epochs, and the epoch whose weights were kept; None for models that are not trained in epochs.
    seconds
        Duration of the fit and its validation.
    memory
        Bytes that the fit needs; 0 if unknown.
    elapsed
        Seconds of the budget that were spent when the trial ended.
    """

    number: int
    model: str
    settings: Mapping[str, Any]
    is_default: bool
    status: Status
    reason: str = ""
    value: float | None = None
    standard_error: float | None = None
    epochs: int | None = None
    epoch: int | None = None
    seconds: float = 0.0
    memory: int = 0
    elapsed: float = 0.0

    @property
    def name(self) -> str:
        """Name of the trial's folder."""
        return folder_name(self.number)

    @property
    def title(self) -> str:
        """The model, and whether its settings are the defaults."""
        return f"{self.model} (default)" if self.is_default else self.model

    @property
    def proposal(self) -> Proposal:
        """The settings, as they were proposed for a fit."""
        return Proposal(number=self.number, model=self.model, settings=self.settings, is_default=self.is_default)

    def as_dict(self) -> dict[str, Any]:
        """Return the trial as JSON values."""
        return {**dataclasses.asdict(self), "settings": dict(self.settings)}

    def text(self) -> str:
        """Return the model and its settings on one line: ``edlae l2=200,dropout=0.5``."""
        return described(self.model, self.settings)


def described(model: str, settings: Mapping[str, Any]) -> str:
    """Return a model and its settings on one line; numbers have three digits."""
    words = ",".join(f"{name}={_plain(value)}" for name, value in settings.items())
    return f"{model} {words}".rstrip()


def refuse_wrong(stored: Proposal | Trial) -> None:
    """Raise a `TypeError` if a field has a value of another type, as it may have in a file that somebody changed."""
    for name, kind in get_type_hints(type(stored)).items():
        value = getattr(stored, name)
        if not _is_of(kind, value):
            raise TypeError(f"its {name} is {value!r}")


def _is_of(kind: Any, value: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind) and isinstance(value, str)
    if isinstance(kind, UnionType):
        return any(_is_of(part, value) for part in get_args(kind))
    if kind in (int, float):
        return isinstance(value, int | kind) and not isinstance(value, bool)
    return isinstance(value, get_origin(kind) or kind)


def folder_name(number: int) -> str:
    """Return the name of a trial's folder."""
    return f"{number:04}"


def sign_of(metric: str) -> int:
    """Return 1 if larger values of the metric are better, else -1."""
    return -1 if smaller_is_better(metric) else 1


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "/".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)
