"""What a study has found: the kept measures of its fits, and their means over seeds."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.fits import Fit, works
from recsys_ae.features.study.measures import MEASURES, WITHHELD, of_what
from recsys_ae.features.study.plan import Plan
from recsys_ae.features.study.runner import shelf_of
from recsys_ae.features.study.store import FIT, Measured

LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean over seeds, and the half width of its 95 % interval by Student's t; no interval of one seed."""

    mean: float
    half: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """Take the mean of at least one value."""
        n = len(values)
        mean = float(np.mean(values))
        if n < 2:
            return cls(mean, None, n)
        half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
        return cls(mean, half, n)


@dataclass(frozen=True, eq=False)
class Result:
    """A fit that is kept: the steps it was made for, and its measures by name."""

    name: str
    fit: Fit
    steps: frozenset[str]
    measures: dict[str, Measured]

    def number(self, path: str) -> float | None:
        """Return a number by its measure and names: ``structure/trustworthiness``."""
        measure, *names = path.split("/")
        if measure not in self.measures:
            return None
        value: Any = self.measures[measure].numbers
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, eq=False)
class Results:
    """All that is kept of a plan."""

    plan: Plan
    all: tuple[Result, ...]
    n_fits: int
    form: tuple[int, ...] = ()
    """What a row is, as of `Features`."""

    @classmethod
    def collect(cls, plan: Plan, data: StudyData, out: Path) -> "Results":
        """Read what is on the disk; fits that are not finished are left out."""
        steps: dict[str, set[str]] = {}
        fits: dict[str, Fit] = {}
        for work in works(plan, data)[0]:
            name = work.fit.name(data)
            fits[name] = work.fit
            steps.setdefault(name, set()).update(work.steps)
        found = []
        for name, fit in fits.items():
            shelf = shelf_of(fit, data, out)
            if not shelf.has(FIT, fit.identity):
                continue
            kinds = {**MEASURES, "withheld": WITHHELD}
            current = [one for one, kind in kinds.items() if shelf.has(one, of_what(kind, data, plan.sizes))]
            measures = {one: measured for one in (FIT, *current) if (measured := shelf.measured(one)) is not None}
            found.append(Result(name, fit, frozenset(steps[name]), measures))
        return cls(plan, tuple(found), len(fits), data.test.features.form)

    def of(self, step: str | None = None, *, model: str | None = None, latent: int | None = None) -> Iterator[Result]:
        """Yield results that have no label withheld: of a step, a model and a size of the code; any where it is None.

        Fits of other depths than the model's own are those of the step ``architecture`` alone.
        """
        for one in self.all:
            fit = one.fit
            if fit.withheld or (model is not None and fit.model != model):
                continue
            if latent is not None and fit.latent != latent and fit.spec is not None:
                continue
            if step in one.steps or (step is None and one.steps != {"architecture"}):
                yield one

    def models(self, step: str | None = None) -> list[str]:
        """Return the models in the order of the plan."""
        order = list(dict.fromkeys(model for group in self.plan.groups for model in group.models))
        there = {one.fit.model for one in self.of(step)}
        return [model for model in order if model in there]

    def latents(self, step: str | None = None, model: str | None = None) -> list[int]:
        """Return the sizes of the code, in order."""
        return sorted({one.fit.latent for one in self.of(step, model=model) if one.fit.spec is not None})

    def unlike(self) -> list[str]:
        """Return the names of the other data that were looked at."""
        kept = (one.measures["unlike"].numbers for one in self.of() if "unlike" in one.measures)
        return sorted({name for numbers in kept for name in numbers})

    def mean(self, path: str, *, model: str, latent: int | None = None, step: str | None = None) -> Mean | None:
        """Return the mean of a number over the seeds of a model; None where it was not measured."""
        return mean_of(one.number(path) for one in self.of(step, model=model, latent=latent))

    def curve(self, path: str, model: str, step: str | None = None) -> list[tuple[int, Mean]]:
        """Return a number by the size of the code."""
        found = ((latent, self.mean(path, model=model, latent=latent, step=step)) for latent in self.latents())
        return [(latent, mean) for latent, mean in found if mean is not None]

    def first(self, measure: str, *, model: str, latent: int) -> Result | None:
        """Return the result of the lowest seed that has a measure."""
        has = [one for one in self.of(model=model, latent=latent) if measure in one.measures]
        return min(has, key=lambda one: one.fit.seed, default=None)


def mean_of(values: Iterable[float | None]) -> Mean | None:
    """Return the mean of those that are there; None where none is."""
    there = [value for value in values if value is not None]
    return Mean.of(there) if there else None


def by(results: Iterable[Result], key: Callable[[Result], Any], path: str) -> dict[Any, Mean]:
    """Return the mean of a number of the results that have the same key."""
    groups: dict[Any, list[float]] = {}
    for one in results:
        value = one.number(path)
        if value is not None:
            groups.setdefault(key(one), []).append(value)
    return {name: Mean.of(values) for name, values in sorted(groups.items())}
