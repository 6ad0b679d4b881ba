"""Fits of a plan: a model, its hyper-parameters and its random seed."""

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
FIRST_NAMES = {current: former for former, current in RENAMED.items()}
"""Former names of hyper-parameters by their current names."""


@dataclass(frozen=True)
class Fit:
    """One training.

    Attributes
    ----------
    spec
        The model's hyper-parameters; None for the features themselves.
    withheld
        A label whose rows are left out of the training; empty if none is.
    """

    model: str
    latent: int
    spec: FeatureSpec | None
    seed: int
    withheld: str = ""

    @property
    def layers(self) -> int | None:
        """The number of hidden layers of the encoder; None if the model has no choice of them."""
        hidden = getattr(self.spec, "hidden", None)
        return (len(hidden) or int(getattr(self.spec, "layers", 0))) if isinstance(hidden, tuple) else None

    @property
    def settings(self) -> dict[str, Any] | None:
        """The hyper-parameters as JSON values; None for the features themselves."""
        return None if self.spec is None else flatten(self.spec)

    @property
    def identity(self) -> dict[str, Any]:
        """The definition of a fit without its data, as JSON values.

        Hyper-parameters have their former names, so that studies continue that were begun before one was renamed.
        """
        settings = self.settings
        spec = None if settings is None else {FIRST_NAMES.get(name, name): value for name, value in settings.items()}
        return {"model": self.model, "spec": spec, "seed": self.seed, "withheld": self.withheld}

    def name(self, data: StudyData) -> str:
        """Return the name of the fit's folder, which ends in a hash of everything that defines the fit."""
        text = json.dumps({**self.identity, "data": data.prints[:2]}, sort_keys=True)
        hashed = hashlib.sha256(text.encode()).hexdigest()[:12]
        without = "".join(c if c.isalnum() else "_" for c in self.withheld)[:20]
        return "-".join(
            (self.model, f"z{self.latent}", f"s{self.seed}", *([f"without_{without}"] if without else []), hashed)
        )


@dataclass(frozen=True)
class Work:
    """A fit and the steps that it is measured for."""

    fit: Fit
    steps: tuple[str, ...]


def works(plan: Plan, data: StudyData) -> tuple[list[Work], list[str]]:
    """Return the fits of a plan in its order, each once, and a sentence on each fit or label that is left out."""
    todo: dict[str, Work] = {}
    remarks: dict[str, None] = {}
    for group in plan.groups:
        for fit in _of_group(plan, group, data, remarks):
            name = fit.name(data)
            earlier_steps = todo[name].steps if name in todo else ()
            todo[name] = Work(fit, tuple(dict.fromkeys((*earlier_steps, *group.steps))))
    return list(todo.values()), list(remarks)


def _of_group(plan: Plan, group: Group, data: StudyData, remarks: dict[str, None]) -> Iterator[Fit]:
    withheld = _withheld(group, data, remarks)
    for seed in group.seeds:
        for latent in group.latents:
            for model in group.models:
                for layers in group.layers or (None,):
                    try:
                        spec = spec_of(plan, model, latent, layers, data)
                    except (ConfigError, DataError) as error:
                        remarks.setdefault(f"{model}, z = {latent}: {error}")
                        continue
                    latent_shown = data.train.features.width if spec is None else latent
                    for label in withheld:
                        yield Fit(model, latent_shown, spec, 0 if model == RAW else seed, label)


def _withheld(group: Group, data: StudyData, remarks: dict[str, None]) -> tuple[str, ...]:
    if not group.withhold:
        return ("",)
    labels = data.labels
    test_labels = set(data.test.told) if labels else set()
    requested = labels if EACH in group.withhold else group.withhold
    withheld = tuple(label for label in requested if label in labels and label in test_labels)
    for label in requested:
        if label not in withheld:
            kind = "test" if label in labels else "training"
            remarks.setdefault(f"label {label!r} is not withheld, because no {kind} row has it")
    if not labels:
        remarks.setdefault("no label is withheld, because the rows have no labels")
    return withheld


def spec_of(plan: Plan, model: str, latent: int, layers: int | None, data: StudyData) -> FeatureSpec | None:
    """Return a model's hyper-parameters: its own settings of the plan, else the shared ones that it has.

    None stands for the features themselves.
    """
    if model == RAW:
        return None
    features = data.train.features
    if latent > features.width:
        raise DataError(f"the code must not be larger than a row, which has {features.width:,} columns")
    cls = autoencoders.spec_class(model)
    seen = data.seen_by(cls.reads)
    # A recurrent model's hidden is the size of its state, not a tuple of widths.
    names = {option.name for option in describe(cls) if option.name != "hidden" or get_origin(option.type) is tuple}
    values: dict[str, Any] = {name: value for name, value in plan.settings.items() if name in names | {"layers"}}
    values |= plan.models.get(model, {})
    values |= {} if layers is None else {"layers": layers}
    values = _with_widths(values, names, features.width, latent)
    spec = build(cls, {**values, "latent": latent})
    if getattr(spec, "likelihood", "gaussian") == "bernoulli" and not data.pictures:  # pixels lie between 0 and 1
        spec = build(cls, {**flatten(spec), "likelihood": "gaussian"})
    shown = seen.train.features
    spec.check(FeatureShape(len(shown), shown.width, shown.form))
    return spec


def _with_widths(values: Mapping[str, Any], names: set[str], width: int, latent: int) -> dict[str, Any]:
    """Turn a number of layers into widths for a model that has widths; remove it for a model that has neither."""
    if "layers" not in values or "layers" in names:
        return dict(values)
    settings = {name: value for name, value in values.items() if name != "layers"}
    if "hidden" in names and "hidden" not in settings:
        settings["hidden"] = evenly_spaced(width, latent, values["layers"])
    return settings
