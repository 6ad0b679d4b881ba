"""Results of a study: the saved measures of its fits, and their means over seeds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.fits import Fit, works
from recsys_ae.features.study.measures import MEASURES, WITHHELD, of_what
from recsys_ae.features.study.plan import Plan
from recsys_ae.features.study.runner import shelf_of
from recsys_ae.features.study.store import FIT, Measured
from recsys_ae.report.numbers import Mean


@dataclass(frozen=True, eq=False)
class Result:
    """A finished fit: the steps that it is for, and its measures by name."""

    name: str
    fit: Fit
    steps: frozenset[str]
    measures: dict[str, Measured]

    def number(self, path: str) -> float | None:
        """Return a number by its measure and names, such as ``structure/trustworthiness``; None if it is missing."""
        measure, *names = path.split("/")
        if measure not in self.measures:
            return None
        value: Any = self.measures[measure].numbers
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, eq=False)
class Results:
    """The results of all finished fits of a plan."""

    plan: Plan
    all: tuple[Result, ...]
    n_fits: int
    form: tuple[int, ...] = ()
    """Form of a row, as in `Features`."""

    @classmethod
    def collect(cls, plan: Plan, data: StudyData, out: Path) -> "Results":
        """Read the results of a plan from a folder, without unfinished fits."""
        planned = works(plan, data)[0]
        finished = []
        for work in planned:
            shelf = shelf_of(work.fit, data, out)
            if not shelf.has(FIT, work.fit.identity):
                continue
            kinds = {**MEASURES, "withheld": WITHHELD}
            current = [key for key, kind in kinds.items() if shelf.has(key, of_what(kind, data, plan.sizes))]
            measures = {key: measured for key in (FIT, *current) if (measured := shelf.measured(key)) is not None}
            finished.append(Result(work.fit.name(data), work.fit, frozenset(work.steps), measures))
        return cls(plan, tuple(finished), len(planned), data.test.features.form)

    def of(self, step: str | None = None, *, model: str | None = None, latent: int | None = None) -> Iterator[Result]:
        """Yield results without a withheld label, of a step, a model and a size of the code; None stands for any.

        Fits that are only for the step ``architecture``, which have other depths, need that step to be named.
        """
        for result in self.all:
            fit = result.fit
            if fit.withheld or (model is not None and fit.model != model):
                continue
            if latent is not None and fit.latent != latent and fit.spec is not None:
                continue
            if step in result.steps or (step is None and result.steps != {"architecture"}):
                yield result

    def models(self, step: str | None = None) -> list[str]:
        """Return the models in the order of the plan."""
        order = list(dict.fromkeys(model for group in self.plan.groups for model in group.models))
        finished = {result.fit.model for result in self.of(step)}
        return [model for model in order if model in finished]

    def latents(self, step: str | None = None, model: str | None = None) -> list[int]:
        """Return the sizes of the code in ascending order."""
        return sorted({result.fit.latent for result in self.of(step, model=model) if result.fit.spec is not None})

    def unlike(self) -> list[str]:
        """Return the names of the other data sets that were measured."""
        measured = (result.measures["unlike"].numbers for result in self.of() if "unlike" in result.measures)
        return sorted({name for numbers in measured for name in numbers})

    def mean(self, path: str, *, model: str, latent: int | None = None, step: str | None = None) -> Mean | None:
        """Return the mean of a number over the seeds of a model; None if it was not measured."""
        return mean_of(result.number(path) for result in self.of(step, model=model, latent=latent))

    def curve(self, path: str, model: str, step: str | None = None) -> list[tuple[int, Mean]]:
        """Return the means of a number by the size of the code."""
        means = ((latent, self.mean(path, model=model, latent=latent, step=step)) for latent in self.latents())
        return [(latent, mean) for latent, mean in means if mean is not None]

    def first(self, measure: str, *, model: str, latent: int) -> Result | None:
        """Return the result with the lowest seed that has a measure; None if there is none."""
        measured = [result for result in self.of(model=model, latent=latent) if measure in result.measures]
        return min(measured, key=lambda result: result.fit.seed, default=None)


def mean_of(values: Iterable[float | None]) -> Mean | None:
    """Return the mean of the values that are not None; None if there are none."""
    numbers = [value for value in values if value is not None]
    return Mean.of(numbers) if numbers else None


def by(results: Iterable[Result], key: Callable[[Result], Any], path: str) -> dict[Any, Mean]:
    """Return the means of a number over the results with the same key, by key."""
    groups: dict[Any, list[float]] = {}
    for result in results:
        value = result.number(path)
        if value is not None:
            groups.setdefault(key(result), []).append(value)
    return {name: Mean.of(values) for name, values in sorted(groups.items())}
