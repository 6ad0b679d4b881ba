"""Measurement of models for a report: the same users and metrics for all of them."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.splits.holdout import Holdout
from recsys_ae.evaluation.evaluate import evaluate
from recsys_ae.evaluation.page.contents import Listed, Model, User
from recsys_ae.evaluation.report import Report
from recsys_ae.evaluation.slices import Slices, sliced
from recsys_ae.metrics import Catalog
from recsys_ae.nn.footprint import memory
from recsys_ae.nn.history import VALIDATION
from recsys_ae.nn.model import Identity, Shape
from recsys_ae.recommender.recommender import Recommender

SHOWN = 10
"""Length of the lists that are shown."""
USERS = 3
"""Number of users whose lists are shown, unless they are named."""
NO_INTERVAL = 2
"""Bootstrap resamples where no interval is needed: the fewest that have a standard error."""
LISTS = "lists"
"""Kind of the top-N lists of another system."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """Users who are measured, and what is measured.

    Attributes
    ----------
    holdout
        Users who are measured, such as ``split.test``.
    metrics
        Names of the metrics; the first one decides which model is better.
    catalog
        Items in the training data, for metrics beyond accuracy.
    selection
        Users who select the model to use, such as ``split.valid``. None if they are those who are measured; the value
        of the best model is then a little too good.
    groups
        Value of each user, by what they are grouped by, as for `sliced`.
    shown
        Rows of the holdout whose lists are shown; None for three users, with a short, a usual and a long history.
    titles
        Title of each item; None where it has none. Empty to show ids.
    """

    holdout: Holdout
    metrics: Sequence[str]
    catalog: Catalog | None = None
    selection: Holdout | None = None
    groups: Mapping[str, "pd.Series[Any]"] = field(default_factory=dict)
    shown: Sequence[int] | None = None
    titles: Sequence[str | None] = ()

    def model(
        self,
        name: str,
        model: Recommender,
        report: Report | None = None,
        *,
        is_candidate: bool = True,
        command: str = "",
    ) -> Model:
        """Measure a fitted recommender.

        Parameters
        ----------
        name
            Name in the tables.
        report
            Its metrics, if they are known already.
        is_candidate
            False for a model that is not to be selected.
        command
            Command that fits it again.
        """
        report = report or evaluate(model, self.holdout, self.metrics, catalog=self.catalog)
        return Model(
            name,
            model.spec.name(),
            report,
            selection=self._selection(model, report) if is_candidate else None,
            settings=_settings(model.spec),
            command=command,
            slices=self.slices(report),
            curves=_curves(model),
            seconds=model.metadata["seconds"],
            memory=_memory(model),
            lists=self._lists(model),
        )

    def lists(self, name: str, report: Report, top: np.ndarray) -> Model:
        """Return the top-N lists of another system as a model; they have no value for the users who select.

        Parameters
        ----------
        report
            Report of `evaluate_lists`.
        top
            Positions of the items of the shown users, ``(n_shown, k)``, −1 for none.
        """
        return Model(name, LISTS, report, slices=self.slices(report), lists=self._marked(top))

    def slices(self, report: Report) -> list[Slices]:
        """Return the metrics of a report in the groups of the users."""
        return [sliced(report, values, by) for by, values in self.groups.items()]

    @cached_property
    def rows(self) -> list[int]:
        """Rows of the holdout whose lists are shown."""
        if self.shown is not None:
            return list(self.shown)
        targets, lengths = (np.diff(matrix.indptr) for matrix in (self.holdout.targets, self.holdout.histories))
        rows = np.flatnonzero(targets)
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        n = min(USERS, len(rows))
        return [int(rows[int((place + 0.5) * len(rows) / n)]) for place in range(n)]

    def users(self) -> list[User]:
        """Return the users whose lists are shown."""
        holdout = self.holdout
        return [
            User(
                str(holdout.users[row]),
                [self._title(item) for item in holdout.histories[row].indices.tolist()],
                [self._title(item) for item in holdout.targets[row].indices.tolist()],
            )
            for row in self.rows
        ]

    def _selection(self, model: Recommender, report: Report) -> float | None:
        metric = next(iter(report.summary), None)
        if metric is None:
            return None
        if self.selection is None:
            return report.mean[metric]
        return evaluate(model, self.selection, [metric], n_resamples=NO_INTERVAL).mean[metric]

    def _lists(self, model: Recommender) -> list[list[Listed]]:
        if not self.rows:
            return []
        users = self.holdout.select(np.array(self.rows))
        found = model.recommend(users.histories, SHOWN, users=users.users if model.knows_users else None)
        return self._marked(found.items)

    def _marked(self, top: np.ndarray) -> list[list[Listed]]:
        targets = [set(self.holdout.targets[row].indices.tolist()) for row in self.rows]
        return [
            [Listed(self._title(item), item in wanted) for item in items[:SHOWN].tolist() if item >= 0]
            for items, wanted in zip(top, targets, strict=True)
        ]

    def _title(self, item: int) -> str:
        title = self.titles[item] if self.titles else None
        if title is None:
            return str(item if self.holdout.items is None else self.holdout.items[item])
        return title


def _settings(spec: Identity) -> str:
    """Return the settings that differ from the defaults on one line; those of a blend are its members."""
    if spec.specs:
        return " + ".join(f"{member.name()} {_settings(member)}".rstrip() for member in spec.specs)
    pairs = [(field.name, getattr(spec, field.name), field.default) for field in dataclasses.fields(spec)]
    return " ".join(f"{name}={_plain(value)}" for name, value, default in pairs if value != default)


def _plain(value: Any) -> str:
    return "/".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)


def _curves(model: Recommender) -> dict[str, list[float]]:
    """Return the validation metrics after each epoch of a model that was trained in epochs."""
    epochs = model.history
    if len(epochs) < 2:
        return {}
    names = [name for name in epochs[0] if name.startswith(VALIDATION)]
    return {name.removeprefix(VALIDATION): [epoch.get(name, math.nan) for epoch in epochs] for name in names}


def _memory(model: Recommender) -> int | None:
    """Return an estimate of the bytes of the fit; None if the model makes none."""
    facts = model.metadata
    shape = Shape(facts["users"], facts["items"])
    return sum(memory(model.spec, shape, facts["interactions"]).values()) or None
