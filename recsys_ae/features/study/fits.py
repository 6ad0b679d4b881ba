"""The fits of a plan: which model, with which settings, from which seed."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features import models as autoencoders
from recsys_ae.features.nn.contract import FeatureShape, FeatureSpec
from recsys_ae.features.nn.dense import evenly_spaced
from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.plan import RAW, Group, Plan
from recsys_ae.spec.hyper import RENAMED, build, describe, flatten

EACH = "each"
FIRST_NAMES = {now: first for first, now in RENAMED.items()}


@dataclass(frozen=True)
class Fit:
    """One training.

    Attributes
    ----------
    spec
        The model's hyper-parameters; None for the features as they are.
    withheld
        A label whose rows are left out of the training, or nothing.
    """

    model: str
    latent: int
    spec: FeatureSpec | None
    seed: int
    withheld: str = ""

    @property
    def layers(self) -> int | None:
        """The number of hidden layers on the way to the code; None where that says nothing."""
        hidden = getattr(self.spec, "hidden", None)
        return (len(hidden) or int(getattr(self.spec, "layers", 0))) if isinstance(hidden, tuple) else None

    @property
    def settings(self) -> dict[str, Any] | None:
        """The hyper-parameters as JSON values; None for the features as they are."""
        return None if self.spec is None else flatten(self.spec)

    @property
    def identity(self) -> dict[str, Any]:
        """What defines a fit apart from its data: JSON.

        Hyper-parameters have their first names, so that a study goes on that was begun before one was renamed.
        """
        settings = self.settings
        spec = None if settings is None else {FIRST_NAMES.get(name, name): value for name, value in settings.items()}
        return {"model": self.model, "spec": spec, "seed": self.seed, "withheld": self.withheld}

    def name(self, data: StudyData) -> str:
        """Return the name of its folder, which ends in a hash of everything that defines it."""
        text = json.dumps({**self.identity, "data": data.prints[:2]}, sort_keys=True)
        hashed = hashlib.sha256(text.encode()).hexdigest()[:12]
        without = "".join(c if c.isalnum() else "_" for c in self.withheld)[:20]
        return "-".join(
            (self.model, f"z{self.latent}", f"s{self.seed}", *([f"without_{without}"] if without else []), hashed)
        )


@dataclass(frozen=True)
class Work:
    """A fit, and the steps that it is measured for."""

    fit: Fit
    steps: tuple[str, ...]


def works(plan: Plan, data: StudyData) -> tuple[list[Work], list[str]]:
    """Return the fits of a plan in its order, and what is left out: sentences."""
    found: list[Work] = []
    seen: dict[str, set[str]] = {}
    left: dict[str, None] = {}
    for group in plan.groups:
        for fit in _of_group(plan, group, data, left):
            before = seen.setdefault(fit.name(data), set())
            steps = tuple(step for step in group.steps if step not in before)
            if steps:
                before |= set(steps)
                found.append(Work(fit, steps))
    return found, list(left)


def _of_group(plan: Plan, group: Group, data: StudyData, left: dict[str, None]) -> Iterator[Fit]:
    withheld = _withheld(group, data, left)
    for seed in group.seeds:
        for latent in group.latents:
            for model in group.models:
                for layers in group.layers or (None,):
                    try:
                        spec = spec_of(plan, model, latent, layers, data)
                    except (ConfigError, DataError) as error:
                        left.setdefault(f"{model}, z = {latent}: {error}")
                        continue
                    latent_shown = data.train.features.width if spec is None else latent
                    for label in withheld:
                        yield Fit(model, latent_shown, spec, 0 if model == RAW else seed, label)


def _withheld(group: Group, data: StudyData, left: dict[str, None]) -> tuple[str, ...]:
    if not group.withhold:
        return ("",)
    labels = data.labels
    tested = set(data.test.told) if labels else set()
    wanted = labels if EACH in group.withhold else group.withhold
    known = tuple(label for label in wanted if label in labels and label in tested)
    for label in wanted:
        if label not in known:
            part = "test" if label in labels else "training"
            left.setdefault(f"label {label!r} is not withheld, because no {part} row has it")
    if not labels:
        left.setdefault("no label is withheld, because the rows have no labels")
    return known


def spec_of(plan: Plan, model: str, latent: int, layers: int | None, data: StudyData) -> FeatureSpec | None:
    """Return a model's hyper-parameters: its own settings, else those of all models that have them."""
    if model == RAW:
        return None
    features = data.train.features
    if latent > features.width:
        raise DataError(f"the code must not be larger than a row, which has {features.width:,} columns")
    cls = autoencoders.spec_class(model)
    seen = data.seen_by(cls.reads)
    # A recurrent model's hidden is the size of a state, not widths.
    known = {one.name for one in describe(cls) if one.name != "hidden" or get_origin(one.type) is tuple}
    values: dict[str, Any] = {name: value for name, value in plan.settings.items() if name in known | {"layers"}}
    values |= plan.models.get(model, {})
    values |= {} if layers is None else {"layers": layers}
    values = _with_widths(values, known, features.width, latent)
    spec = build(cls, {**values, "latent": latent})
    if getattr(spec, "likelihood", "gaussian") == "bernoulli" and not data.pictures:  # pixels lie between 0 and 1
        spec = build(cls, {**flatten(spec), "likelihood": "gaussian"})
    shown = seen.train.features
    spec.check(FeatureShape(len(shown), shown.width, shown.form))
    return spec


def _with_widths(values: Mapping[str, Any], known: set[str], width: int, latent: int) -> dict[str, Any]:
    """Turn a number of layers into widths for a model that is told widths; leave it out where it has neither."""
    if "layers" not in values or "layers" in known:
        return dict(values)
    others = {name: value for name, value in values.items() if name != "layers"}
    if "hidden" in known and "hidden" not in others:
        others["hidden"] = evenly_spaced(width, latent, values["layers"])
    return others
