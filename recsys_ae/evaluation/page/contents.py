"""Content of a report on models: plain numbers, from which its page and its JSON file are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recsys_ae.evaluation.report import Report
from recsys_ae.evaluation.slices import Slices
from recsys_ae.evaluation.standings import Leaderboard


@dataclass(frozen=True, eq=False)
class Model:
    """A model of a report.

    Attributes
    ----------
    name
        Name in the tables.
    kind
        What it is, such as ``edlae``, or ``lists`` of another system.
    settings
        Its settings in one line; empty for the defaults.
    report
        Its metrics on the users.
    slices
        Its metrics in groups of the users, by what they are grouped by.
    curve
        Validation metric after each epoch; empty for models that are not trained in epochs.
    seconds, memory
        Duration of the fit, and bytes of the saved weights; None if unknown.
    lists
        Titles of the recommendations of a few users, in the order of `Contents.users`.
    """

    name: str
    kind: str
    report: Report
    settings: str = ""
    slices: Sequence[Slices] = ()
    curve: Sequence[float] = ()
    seconds: float | None = None
    memory: int | None = None
    lists: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, eq=False)
class User:
    """A user whose lists are shown: the id, and titles of the history and of the targets."""

    name: str
    history: Sequence[str]
    targets: Sequence[str]


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything that a report on models shows.

    Attributes
    ----------
    title
        Title of the page.
    board
        Leaderboard of the models.
    models
        The models, in the order of the leaderboard.
    part
        Users: ``test users`` or ``validation users``.
    users
        Users whose lists are shown.
    monitor
        Metric of the learning curves.
    facts
        Command, data recipe, fingerprint, versions and machine, by name.
    remarks
        What else is to be said.
    """

    title: str
    board: Leaderboard
    models: Sequence[Model]
    part: str
    users: Sequence[User] = ()
    monitor: str = "ndcg@100"
    facts: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    @property
    def metric(self) -> str:
        """The metric that decides the order of the models."""
        return self.board.metrics[0]

    def of(self, name: str) -> Model:
        """Return the model of that name."""
        return next(model for model in self.models if model.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON values."""
        return {
            "title": self.title,
            "users": self.part,
            "leaderboard": self.board.as_dict(),
            "models": {
                model.name: {
                    "kind": model.kind,
                    "settings": model.settings,
                    "seconds": model.seconds,
                    "bytes": model.memory,
                    "curve": list(model.curve),
                    "slices": [part.as_dict() for part in model.slices],
                    "lists": [list(titles) for titles in model.lists],
                    **model.report.as_dict(),
                }
                for model in self.models
            },
            "listed_users": [
                {"user": user.name, "history": list(user.history), "targets": list(user.targets)} for user in self.users
            ],
            "facts": dict(self.facts),
            "remarks": list(self.remarks),
        }
