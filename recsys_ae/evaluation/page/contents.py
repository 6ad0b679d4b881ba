"""Content of a report on models: plain numbers, from which its page and its JSON file are made."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.evaluation.leaderboard import leaderboard
from recsys_ae.evaluation.report import Report
from recsys_ae.evaluation.slices import Slices
from recsys_ae.evaluation.standings import Leaderboard
from recsys_ae.metrics import smaller_is_better


@dataclass(frozen=True)
class Listed:
    """A recommended item: its title, and whether it is a target of the user."""

    title: str
    is_hit: bool


@dataclass(frozen=True, eq=False)
class Model:
    """A model of a report.

    Attributes
    ----------
    name
        Name in the tables.
    kind
        What it is, such as ``edlae``, or ``lists`` of another system.
    report
        Its metrics on the users.
    selection
        Its first metric on the users who select the model to use; None for models that are not to be selected.
    settings
        Its settings in one line; empty for the defaults.
    command
        Command that fits it again; empty if unknown.
    slices
        Its metrics in groups of the users.
    curves
        Validation metrics after each epoch, by name; empty for models that are not trained in epochs.
    seconds, memory
        Duration of the fit, and estimate of the bytes that it needs; None if unknown.
    lists
        Recommendations of a few users, in the order of `Contents.users`.
    """

    name: str
    kind: str
    report: Report
    selection: float | None = None
    settings: str = ""
    command: str = ""
    slices: Sequence[Slices] = ()
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    seconds: float | None = None
    memory: int | None = None
    lists: Sequence[Sequence[Listed]] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON values; None for NaN."""
        return {
            "kind": self.kind,
            "settings": self.settings,
            "command": self.command,
            "selection": self.selection,
            "seconds": self.seconds,
            "bytes": self.memory,
            "curves": {name: [_json(value) for value in values] for name, values in self.curves.items()},
            "slices": [part.as_dict() for part in self.slices],
            "recommendations": [[asdict(item) for item in items] for items in self.lists],
            **self.report.as_dict(),
        }


@dataclass(frozen=True)
class User:
    """A user whose lists are shown: the id, and titles of the history and of the targets."""

    name: str
    history: Sequence[str]
    targets: Sequence[str]


@dataclass(frozen=True, eq=False)
class Search:
    """A search for the best model: its metric, and its trials, as `recsys_ae.tuning.Trial.as_dict` returns them."""

    name: str
    metric: str
    trials: Sequence[Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return the trials as JSON values."""
        return {"name": self.name, "metric": self.metric, "trials": [dict(trial) for trial in self.trials]}


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything that a report on models shows.

    Attributes
    ----------
    title
        Title of the page.
    models
        The models, the best by the first metric first.
    board
        Leaderboard of the models.
    chosen
        Name of the model to use.
    part
        Users who are measured: ``test users`` or ``validation users``.
    selected_by
        Users who selected the model to use, such as ``603 validation users``; empty if they are those who are measured.
    users
        Users whose lists are shown.
    searches
        Searches that the models come from.
    facts
        Command, data recipe, fingerprint and the like, by name.
    remarks
        What else is to be said.
    """

    title: str
    models: Sequence[Model]
    board: Leaderboard
    chosen: str
    part: str
    selected_by: str = ""
    users: Sequence[User] = ()
    searches: Sequence[Search] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    @classmethod
    def of(cls, models: Sequence[Model], *, baseline: str | None = None, **others: Any) -> Self:
        """Rank and compare the models, and select the one to use by `Model.selection`.

        Parameters
        ----------
        models
            At least one model; names are different.
        baseline
            Name of the model that the others are compared with; that to use by default.
        others
            Other attributes: ``title``, ``part``, ``selected_by``, ``users``, ``searches``, ``facts``, ``remarks``.

        Raises
        ------
        ConfigError
            If there is no model, two have the same name, or none has the name ``baseline``.
        DataError
            If the models were measured on different users.
        """
        by_name = {model.name: model for model in models}
        if not models or len(by_name) < len(models):
            raise ConfigError(Argument("models"), f" holds {len(models)} models with {len(by_name)} different names")
        reports = {model.name: model.report for model in models}
        details = {model.name: {"kind": model.kind} for model in models}
        chosen = _selected(models)
        board = leaderboard(reports, baseline or chosen, details=details)
        ordered = [by_name[standing.name] for standing in board.standings]
        return cls(models=ordered, board=board, chosen=chosen or board.best.name, **others)

    @property
    def metric(self) -> str:
        """The metric that decides the order of the models."""
        return self.board.metrics[0]

    def of_name(self, name: str) -> Model:
        """Return the model of that name."""
        return next(model for model in self.models if model.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON values."""
        return {
            "title": self.title,
            "chosen": self.chosen,
            "selected_by": self.selected_by or self.part,
            "users": self.part,
            "leaderboard": self.board.as_dict(),
            "models": {model.name: model.as_dict() for model in self.models},
            "listed_users": [asdict(user) for user in self.users],
            "searches": [search.as_dict() for search in self.searches],
            "facts": dict(self.facts),
            "remarks": list(self.remarks),
        }


def _selected(models: Sequence[Model]) -> str | None:
    """Return the name of the model that is best on the users who select; None if no model has a value."""
    known = [model for model in models if model.selection is not None and not math.isnan(model.selection)]
    if not known:
        return None
    metric = next(iter(known[0].report.summary))
    sign = -1 if smaller_is_better(metric) else 1
    return max(known, key=lambda model: sign * (model.selection or 0.0)).name


def _json(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
