"""Measures of each step of a study, and the sizes and data that they depend on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.features.study import (
    measure_errors as measures_rows,
)
from recsys_ae.features.study import (
    measure_generation as measures_making,
)
from recsys_ae.features.study import (
    measure_structure as measures_space,
)
from recsys_ae.features.study import (
    measure_tasks as measures_tasks,
)
from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.encoded import Case
from recsys_ae.features.study.fits import Fit, Work
from recsys_ae.features.study.plan import RAW, Sizes
from recsys_ae.features.study.store import Measured, Shelf
from recsys_ae.features.study.tasks import STEPS


@dataclass(frozen=True)
class Measure:
    """A measure: its function, its steps, the sizes of the plan that it reads, and the fits that it is for."""

    make: Callable[[Case], Measured]
    steps: tuple[str, ...]
    sizes: tuple[str, ...] = ()
    labels: bool = False
    raw: bool = False
    unlike: bool = False
    latents: str = ""
    version: int = 1
    """Version of the function; a new one repeats the measure, but no training."""

    def wanted(self, work: Work, data: StudyData, sizes: Sizes) -> bool:
        """Return True if a fit needs this measure."""
        fit = work.fit
        return (
            not fit.withheld
            and bool(set(work.steps) & set(self.steps))
            and (self.raw or fit.model != RAW)
            and (not self.labels or bool(data.labels))
            and (not self.unlike or bool(data.unlike))
            and (not self.latents or fit.latent in getattr(sizes, self.latents))
        )


ALL = tuple(step for step in STEPS if step != "models")
MEASURES = {
    "error": Measure(measures_rows.error, ALL),
    "examples": Measure(measures_rows.examples, ("reconstruction",), latents="picture_latents"),
    "neighbours": Measure(
        measures_space.neighbours, ("structure", "retrieval", "reduction", "summary"), ("pool",), labels=True, raw=True
    ),
    "structure": Measure(measures_space.structure, ("structure", "reduction"), ("structure", "k")),
    "unlike": Measure(measures_rows.unlike, ("unlike", "anomaly"), unlike=True),
    "made": Measure(measures_making.made, ("generation",), ("shares", "queries", "made", "pool")),
    "damaged": Measure(measures_rows.damaged, ("denoising",), ("noise", "queries")),
    "found": Measure(measures_space.found, ("retrieval",), ("queries",), labels=True, raw=True),
    "pretraining": Measure(
        measures_tasks.pretraining, ("pretraining",), ("labelled", "pool", "repeats", "queries"), labels=True, raw=True
    ),
    "untrained": Measure(
        measures_tasks.untrained, ("pretraining",), ("labelled", "pool", "repeats", "queries"), labels=True
    ),
    "augmentation": Measure(
        measures_tasks.augmentation,
        ("augmentation",),
        ("shares", "minima", "rare", "repeats", "queries", "pool"),
        labels=True,
    ),
    "map": Measure(measures_space.latent_map, ("structure",), ("map",), latents="map_latents"),
}
WITHHELD = Measure(measures_rows.withheld, ("anomaly",))


def missing(work: Work, data: StudyData, sizes: Sizes, shelf: Shelf) -> Iterator[tuple[str, Measure, dict[str, Any]]]:
    """Yield the measures that a fit needs and does not have: name, measure and what it depends on."""
    measures = {name: measure for name, measure in MEASURES.items() if measure.wanted(work, data, sizes)}
    if work.fit.withheld:
        measures = {"withheld": WITHHELD}
    for name, measure in measures.items():
        of = of_what(measure, data, sizes)
        if not shelf.has(name, of):
            yield name, measure, of


def of_what(measure: Measure, data: StudyData, sizes: Sizes) -> dict[str, Any]:
    """Return what a measure depends on besides the fit: its version, the rows, and sizes of the plan."""
    of: dict[str, Any] = {"version": measure.version, "test": data.prints[2], "pool": data.prints[3]}
    of |= {name: getattr(sizes, name) for name in measure.sizes}
    if measure.unlike:
        of["unlike"] = {name: rows.features.fingerprint for name, rows in data.unlike.items()}
    return of


def case_of(fit: Fit, data: StudyData, sizes: Sizes, shelf: Shelf, device: str) -> Case:
    """Load a fit's encoder, and return it with the data in the form that it reads."""
    if fit.spec is None:
        return Case(fit, None, data, sizes)
    return Case(fit, FeatureEncoder.load(shelf.encoder, device=device), data.seen_by(type(fit.spec).reads), sizes)
