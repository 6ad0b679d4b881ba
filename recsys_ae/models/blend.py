"""Blend: a weighted sum of the scores of several models, with weights chosen on the validation users.

Fox, Shaw, "Combination of Multiple Searches", TREC-2 1994 (sums of normalised scores);
Cormack, Clarke, Büttcher, "Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning Methods", SIGIR
2009 (``scale = "rank"``).

When to use: for the best lists of all: it mixes several models.
"""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_ae import metrics
from recsys_ae.errors import Argument, ConfigError, UnsupportedError
from recsys_ae.nn.history import History
from recsys_ae.nn.model import ALL, PAPER, Model, Shape, Spec, Stats, Validate
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, free_memory
from recsys_ae.ranking.score_fusion import SCALES, Scale, best_weights
from recsys_ae.spec import text as hyper_text
from recsys_ae.spec.hyper import describe, hp, refuse_long
from recsys_ae.spec.registry import Registry

_FOLDER: Registry[Spec] = Registry("recsys_ae.models", str(Path(__file__).parent), "model", group="recsys_ae.models")
"""Registry in which members are looked up."""
NESTED = "a blend cannot be a member of a blend; name its members instead"


@dataclass(frozen=True, kw_only=True)
class Blend(Spec):
    """Hyper-parameters of a blend. Members are text, so that a blend is saved, logged and typed like other models."""

    members: tuple[str, ...] = hp(
        ("ease", "mult_dae"),
        "models, each followed by its settings after a space; numbers of a list are separated by /: "
        "'ease l2=200,mult_dae hidden=600/200'",
    )
    weights: tuple[float, ...] = hp(
        (), "weights of the members; if none are given, they are chosen on the validation users", low=0
    )
    scale: Scale = hp(
        "standard",
        "scale of the summed scores: standard deviations from a user's mean (standard) or 1 / (60 + rank) (rank)",
    )
    monitor: str = hp("ndcg@100", "metric on the validation users that selects the weights")

    def __post_init__(self) -> None:
        super().__post_init__()
        members = tuple(map(text_of, self.specs))  # one spelling of each, so that equal blends are equal
        object.__setattr__(self, "members", members)
        if len(members) < 2:
            raise ConfigError(Argument("members", members), " must name at least two models")
        if self.weights and len(self.weights) != len(members):
            expected = f" must have one weight for each of the {len(members)} members"
            raise ConfigError(Argument("weights", self.weights), expected)
        if self.weights and not any(self.weights):
            raise ConfigError(Argument("weights", self.weights), " must have at least one weight above 0")
        if metrics.smaller_is_better(self.monitor):
            problem = " is an error of predicted ratings, but a blend ranks; use ndcg@100"
            raise ConfigError(Argument("monitor", self.monitor), problem)

    @property
    def specs(self) -> tuple[Spec, ...]:
        """The hyper-parameters of the members."""
        return tuple(map(_spec_of, self.members))

    @property
    def monitors(self) -> tuple[str, ...]:
        """All metrics that select something: the blend's own, and those of members that are trained."""
        return self.monitor, *(spec.monitor for spec in self.specs if hasattr(spec, "monitor"))

    def stored(self) -> dict[str, Any]:
        """Return the hyper-parameters, with all of those of the members."""
        members = [f"{spec.name()} {hyper_text.write(spec, complete=True)}".rstrip() for spec in self.specs]
        return {**super().stored(), "members": members}

    @classmethod
    def of_stored(cls, values: Mapping[str, Any]) -> Self:
        """Return the blend of a file. Earlier versions left out of its members what were defaults, now the paper's."""
        (described,) = (one for one in describe(cls) if one.name == "members")
        refuse_long(described, len(values["members"]))
        members = tuple(text_of(_spec_of(text, earlier=True)) for text in values["members"])
        return super().of_stored({**values, "members": members})

    def resolved(self, stats: Stats) -> Self:
        """Return the blend with resolved members."""
        return dataclasses.replace(self, members=tuple(text_of(spec.resolved(stats)) for spec in self.specs))

    def build(self, shape: Shape) -> "BlendNetwork":
        """Make the untrained members, each as if it were built alone with the same seed."""
        members = []
        for spec in self.specs:
            with torch.random.fork_rng(devices=[]):
                members.append(spec.build(shape))
        return network_of(self, members)

    def memory(self, shape: Shape) -> int:
        """Return the bytes that all members need together, since all stay in memory."""
        return sum(spec.memory(shape) for spec in self.specs)


def text_of(spec: Spec) -> str:
    """Return a spec as the text that names it in ``members``."""
    if isinstance(spec, Blend):
        raise ConfigError(f"member 'blend': {NESTED}")
    return f"{spec.name()} {hyper_text.write(spec)}".rstrip()


def _spec_of(text: str, *, earlier: bool = False) -> Spec:
    name, settings = [*text.split(maxsplit=1), "", ""][:2]
    try:
        cls = _FOLDER.spec_class(name)
        if cls is Blend:
            raise ConfigError(NESTED)
        if cls.feedback != "implicit":
            raise ConfigError("it predicts ratings and does not rank items; blend models that rank")
        return hyper_text.read(cls, settings, cls.presets.get(PAPER) if earlier else None)
    except ConfigError as error:
        raise ConfigError(f"member {text!r}: {error}") from error


def network_of(spec: Blend, members: Sequence[Model]) -> "BlendNetwork":
    """Make a blend of existing networks."""
    kind = _KnowingBlendNetwork if any(member.knows_users for member in members) else BlendNetwork
    return kind(spec, members)


class BlendNetwork(Model):
    """Scores Σ_m w_m · scaled(score_m), where ``scaled`` brings the scores of all members to one scale."""

    weights: Tensor

    def __init__(self, spec: Blend, members: Sequence[Model]) -> None:
        super().__init__()
        self.spec = spec
        self.members = nn.ModuleList(members)
        self.register_buffer("weights", torch.full((len(members),), 1 / len(members), dtype=torch.float64))
        self._alone: int | None = None
        self._cache: _ScoreCache | None = None

    @property
    def networks(self) -> list[Model]:
        """The networks of the members."""
        return [member for member in self.members if isinstance(member, Model)]

    def encode(self, x: Rows) -> Tensor:
        """Return the mixed scores: the code of a blend is its output."""
        if self._alone is not None:
            scores: Tensor = self.members[self._alone](x).float()
            return scores
        mixed = torch.zeros(len(x), x.width, device=x.device)
        key = b"" if self._cache is None else _row_hash(x)
        for member, weight in enumerate(self.weights.tolist()):
            if weight:
                mixed.add_(self._scaled(member, x, key), alpha=weight)
        return mixed

    def _scaled(self, member: int, x: Rows, key: bytes) -> Tensor:
        def scaled() -> Tensor:
            return SCALES[self.spec.scale](self.networks[member](x).float())

        return scaled() if self._cache is None else self._cache.get(member, key, scaled)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the requested columns."""
        return z[:, items]

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Fit the members in turn, then choose weights. Each member is validated alone and keeps its best epoch."""
        specs = self.spec.specs
        for position, spec in enumerate(specs):
            if spec in specs[:position]:
                raise ConfigError(
                    Argument("members"),
                    f" must differ, but {self.spec.members[position]!r} is named twice; to mix it with itself, fit it "
                    "with two seeds and blend the fitted models",
                )
        histories = []
        for position, member in enumerate(self.networks):
            self._alone = position
            try:
                histories.append(member.learn(rows, run.of_member(position), validate))
            finally:
                self._alone = None
        self.weigh(validate)
        run.tracker.parameters({"blend_weights": self.weights.tolist()})
        return History(members=histories)

    def weigh(self, validate: Validate | None, seconds: float = math.inf) -> None:
        """Set the weights: those of the spec, else the best by the monitor, or equal ones without validation.

        ``seconds`` is the longest duration of the search for the best.
        """
        weights = self.spec.weights or (1.0,) * len(self.members)
        if validate is not None and not self.spec.weights:
            weights = self._best(validate, seconds)
        self._take(weights)

    def _best(self, validate: Validate, seconds: float) -> tuple[float, ...]:
        def measured(weights: tuple[float, ...]) -> float:
            self._take(weights)
            return validate()[self.spec.monitor]

        # Each member scores the validation users only once, as far as there is memory for its scores.
        free = free_memory(self.weights.device)
        self._cache = _ScoreCache(room=(2**32 if free is None else free) // 4)
        try:
            return best_weights(measured, len(self.members), seconds)
        finally:
            self._cache = None

    def _take(self, weights: tuple[float, ...]) -> None:
        self.weights.copy_(torch.tensor(weights, dtype=torch.float64) / sum(weights))

    def item_vectors(self) -> Tensor:
        """Return the members' vectors, concatenated: the cosine of two is the weighted mean of the members' cosines.

        Members that cannot compare items are left out.
        """
        vectors = []
        for member, weight in zip(self.networks, self.weights.tolist(), strict=True):
            with suppress(UnsupportedError):
                if weight:
                    vectors.append(functional.normalize(member.item_vectors().detach(), dim=1) * weight**0.5)
        if not vectors:
            raise UnsupportedError("no member of this blend can compare items; use another model for similar items")
        return torch.cat(vectors, dim=1)


class _KnowingBlendNetwork(BlendNetwork):
    """A blend with a member that has parameters per training user."""

    knows_users: ClassVar[bool] = True


class _ScoreCache:
    """A cache of the members' scores of rows, up to a number of bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.scores: dict[tuple[int, bytes], Tensor] = {}

    def get(self, member: int, key: bytes, make: Callable[[], Tensor]) -> Tensor:
        """Return the scores of a member, computed by ``make`` unless they are cached."""
        if (member, key) in self.scores:
            return self.scores[member, key]
        scores = make()
        if scores.nbytes <= self.room:
            self.scores[member, key] = scores
            self.room -= scores.nbytes
        return scores


def _row_hash(x: Rows) -> bytes:
    """Return a hash of everything that a member reads from rows."""
    digest = hashlib.sha256()
    for tensor in (x.positions, x.indptr, x.indices, x.values):
        digest.update(tensor.cpu().numpy().data)
    return digest.digest()
