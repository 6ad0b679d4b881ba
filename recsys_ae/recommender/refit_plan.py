"""Plan of a refit: hyper-parameters, seeds and last epochs, from what a fitted model says of its fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from recsys_ae.data.origin import FINGERPRINT
from recsys_ae.errors import Argument, ConfigError, DataError, UnsupportedError
from recsys_ae.features.data.features import Features
from recsys_ae.models.blend import Blend, BlendNetwork
from recsys_ae.nn.history import VALIDATION
from recsys_ae.nn.loading import is_count
from recsys_ae.nn.model import Spec
from recsys_ae.nn.training.model import TrainableModel
from recsys_ae.recommender.metadata import FEATURES_LATER, KEPT, REFIT
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import build, flatten

SEEDS = 2**63


@dataclass(frozen=True)
class Member:
    """A member of a blend of fitted models: its hyper-parameters and seed, and whether it had item features."""

    spec: Spec
    seed: int
    has_features: bool


@dataclass(frozen=True)
class Plan:
    """Plan of a refit.

    Attributes
    ----------
    spec
        Hyper-parameters; words such as ``"auto"`` are words again, and the weights of a blend are given.
    seed
        Seed of the fit.
    last_epochs
        Epoch that the fit kept, for a blend one of each member; None for a model without epochs.
    members
        Members of a blend of models that were fitted one by one; empty for any other model.
    weights
        Weights of the members of a blend; empty for any other model.
    has_features
        True if the model learnt from item features.
    seed_of_features
        Seed of `Recommender.fit_cold_items`, if the model learnt from item features there; else None.
    columns
        Names of the item features, as far as they are saved; else None.
    split
        Fingerprint of the split of the fit; None if it is unknown.
    valid
        Validation metrics of the fit, by name.
    facts
        Metadata of the fit.
    """

    spec: Spec
    seed: int
    last_epochs: tuple[int | None, ...]
    members: tuple[Member, ...]
    weights: tuple[float, ...]
    has_features: bool
    seed_of_features: int | None
    columns: tuple[str, ...] | None
    split: str | None
    valid: Mapping[str, float]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, model: Recommender) -> Self:
        """Return the plan for a fitted model; an `UnsupportedError` says why it cannot be refitted."""
        network, facts = model.network, model.metadata
        if REFIT in facts:
            raise UnsupportedError(
                f"this {model.spec.name()} has been refitted on all users already; refit the model it was made from"
            )
        members = _members_of(model) if isinstance(network, BlendNetwork) else ()
        best = model.history.best
        measured = {} if best is None else model.history[best.epoch - 1]
        return cls(
            _spec_of(model),
            _seed_of(facts),
            _last_epochs_of(model),
            members,
            tuple(network.weights.tolist()) if isinstance(network, BlendNetwork) else (),
            "item_vectors" in facts or any(member.has_features for member in members),
            _seed_of(facts, FEATURES_LATER) if FEATURES_LATER in facts else None,
            None if model.feature_columns is None else tuple(model.feature_columns),
            _split_of(model),
            {name.removeprefix(VALIDATION): v for name, v in measured.items() if name.startswith(VALIDATION)},
            facts,
        )

    @property
    def has_own_members(self) -> bool:
        """True if the members were fitted one by one."""
        return bool(self.members)

    def refuse_other_features(self, item_features: Features | None) -> None:
        """Raise an error if item features are missing, were not part of the fit, or have other columns."""
        name = self.spec.name()
        if self.has_features and item_features is None:
            raise ConfigError(
                f"this {name} was fitted with item features, which are not saved with it; give them again as ",
                Argument("item_features"),
            )
        if item_features is None:
            return
        if not self.has_features:
            raise ConfigError(f"this {name} was fitted without item features; leave out ", Argument("item_features"))
        columns = tuple(str(name) for name in item_features.columns)
        if self.columns is not None and columns != self.columns:
            other = sorted({*columns} ^ {*self.columns})[:3] or ["their order"]
            raise DataError(
                f"the item features have {len(columns):,} columns and those of the fit {len(self.columns):,}; they "
                f"differ in {', '.join(other)}: give the features of the fit as ",
                Argument("item_features"),
            )

    def record(self) -> dict[str, Any]:
        """Return what the refitted model says of the model that it was made from, as JSON."""
        return {
            "split_fingerprint": self.split,
            "train_fingerprint": self.facts["train_fingerprint"],
            "interactions": self.facts.get("interactions"),
            "users": self.facts["users"],
            "items": self.facts["items"],
            "kept_epochs": list(self.last_epochs),
            "valid": dict(self.valid),
        }


def record_of(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the record of a refitted model, with the metrics that are numbers; None for any other model."""
    record = metadata.get(REFIT)
    if not isinstance(record, Mapping):
        return None
    valid = record.get("valid")
    measured = valid.items() if isinstance(valid, Mapping) else ()
    return {**record, "valid": {name: value for name, value in measured if isinstance(value, float)}}


def _split_of(model: Recommender) -> str | None:
    split = model.notes.get(FINGERPRINT, model.metadata.get("split_fingerprint"))
    return split if isinstance(split, str) else None


def _spec_of(model: Recommender) -> Spec:
    """Return the hyper-parameters of a fit, with the words that `Spec.resolved` replaced and the weights of a blend."""
    spec, rules = model.spec, model.metadata.get("rules")
    values = {**flatten(spec), **(rules if isinstance(rules, Mapping) else {})}
    if isinstance(spec, Blend) and not spec.weights:
        weights = model.network.get_buffer("weights").tolist()
        values["weights"] = weights if len({*weights}) > 1 else []
    return build(type(spec), values)


def _last_epochs_of(model: Recommender) -> tuple[int | None, ...]:
    """Return the epochs that the fit kept, one of each training."""
    if not isinstance(model.network, BlendNetwork):
        networks, kept = [model.network], [model.history.kept_epoch]
    else:
        networks, kept = model.network.networks, [facts.get(KEPT) for facts in _facts_of_members(model)]
    for network, epoch in zip(networks, kept, strict=True):
        is_epoch = is_count(epoch) and epoch != 0
        if not is_epoch and (epoch is not None or isinstance(network, TrainableModel)):
            raise UnsupportedError(
                f"this {model.spec.name()} does not say which epoch its training kept, because it was saved by an "
                "early version; fit it again"
            )
    return tuple(kept)


def _members_of(model: Recommender) -> tuple[Member, ...]:
    facts = _facts_of_members(model)
    if not isinstance(model.spec, Blend) or not all("train_fingerprint" in of_member for of_member in facts):
        return ()
    return tuple(
        Member(_with_rules(spec, of_member), _seed_of(of_member), "item_vectors" in of_member)
        for spec, of_member in zip(model.spec.specs, facts, strict=True)
    )


def _with_rules(spec: Spec, facts: Mapping[str, Any]) -> Spec:
    rules = facts.get("rules")
    return build(type(spec), {**flatten(spec), **rules}) if isinstance(rules, Mapping) else spec


def _facts_of_members(model: Recommender) -> Sequence[Mapping[str, Any]]:
    """Return the metadata of each member; empty ones if none are saved."""
    members, n = model.metadata.get("members"), len(model.spec.specs)
    if isinstance(members, list) and len(members) == n and all(isinstance(facts, Mapping) for facts in members):
        return members
    return [{} for _ in range(n)]


def _seed_of(facts: Mapping[str, Any], name: str = "seed") -> int:
    seed = facts.get(name)
    return seed if type(seed) is int and 0 <= seed < SEEDS else 0
