"""Do two rows share a label? A verifier, and synthetic members of rare classes that it may learn from as well.

Synthetic members are made of codes: those of real members are perturbed and decoded.
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.anomaly import anomaly
from recsys_ae.features.analysis.generation import perturbed
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.nn.runtime import seeded

Seen: TypeAlias = Literal["codes", "rows"]
HIDDEN, BATCH, UPDATES, LR = 64, 256, 600, 3e-3
PAIRS = 20_000
"""Pairs of test rows that the verifier is measured on."""


class Pairs(NamedTuple):
    """Positions of two rows each, ``(n,)``, and whether they share a label, ``(n,)`` bool."""

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def pairs(labels: np.ndarray, n: int, *, seed: int = 0) -> Pairs:
    """Draw n pairs of different rows, every other of which share a label.

    All labels are equally frequent among them, however rare their rows: of a pair that shares a label, any that two
    rows have; of the others any two.
    """
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes)
    starts, several = np.cumsum(counts) - counts, np.flatnonzero(counts > 1)
    if len(names) < 2 or not len(several):
        raise DataError(
            f"{len(codes):,} rows have {len(names):,} labels, {len(several):,} of them more than once: a pair with "
            "the same label needs a label of two rows, and a pair with different labels needs two labels"
        )
    rng = np.random.default_rng(seed)
    same = np.arange(n) % 2 == 0
    one = np.where(same, several[rng.integers(len(several), size=n)], rng.integers(len(names), size=n))
    other = np.where(same, one, (one + rng.integers(1, len(names), size=n)) % len(names))
    place = rng.integers(counts[one])
    # Another member than the first: so many places further on, round the class.
    further = (place + 1 + rng.integers(np.maximum(counts[one] - 1, 1))) % counts[one]
    second = np.where(same, further, rng.integers(counts[other]))
    return Pairs(order[starts[one] + place], order[starts[other] + second], same)


def augmented(
    encoder: FeatureEncoder,
    features: Features,
    labels: np.ndarray,
    *,
    share: float,
    minimum: int | None = None,
    per_real: int = 0,
    seed: int = 0,
) -> tuple[Features, np.ndarray]:
    """Make members of classes: the code of a real member, perturbed by a share of the range, decoded.

    Returns
    -------
    Features, numpy.ndarray
        The rows that were made, numbered from 0, and their labels.

    Parameters
    ----------
    share
        As that of `perturbed`; ranges are those over all rows' codes.
    minimum
        How many members, real and made ones, each class shall have at least: rarer ones are filled up to that.
    per_real
        How many are made of each real row beside.
    """
    if (minimum is not None and minimum < 0) or per_real < 0:
        raise ConfigError(f"minimum = {minimum} and per_real = {per_real} must be at least 0")
    _, classes, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    models = [np.repeat(np.arange(len(classes)), per_real)]
    for one, count in enumerate(counts * (1 + per_real)):
        own = np.flatnonzero(classes == one)
        models.append(np.resize(own, max(0, (minimum or 0) - int(count))))
    chosen = np.concatenate(models)
    codes = np.asarray(encoder.encode(features).matrix)
    moved = codes[chosen]
    if len(chosen):
        moved = perturbed(moved, share, ranges=np.ptp(codes, axis=0), seed=seed)
    return encoder.decode(moved), np.asarray(labels)[chosen]


def verification(
    encoder: FeatureEncoder,
    train: Features,
    labels: np.ndarray,
    test: Features,
    test_labels: np.ndarray,
    *,
    share: float,
    minimum: int | None = None,
    per_real: int = 0,
    seed: int = 0,
    on: Seen = "codes",
) -> float:
    """Return the area under the ROC curve of a verifier on pairs of test rows: 0.5 is guessing.

    It is a network with one hidden layer on |a − b| and a · b of the two rows (Bromley et al. 1993 compare two halves
    of one network; Mueller and Thyagarajan 2016, and Tai et al. 2015, their difference and product), fitted to equally
    many pairs of the training rows whatever is made beside them; without ``minimum`` and ``per_real`` nothing is.

    Parameters
    ----------
    share, minimum, per_real
        As those of `augmented`.
    on
        Whether a and b are the codes, or the rows themselves.
    """
    known, expected = np.asarray(labels), np.asarray(test_labels)
    if len(known) != len(train) or len(expected) != len(test):
        raise DataError(
            f"{len(train):,} training and {len(test):,} test rows have {len(known):,} and {len(expected):,} labels; "
            "expected one for each row"
        )
    values = _seen(encoder, train, on)
    centre, spread = values.mean(axis=0), values.std(axis=0)
    spread[spread == 0] = 1
    if minimum or per_real:
        made, more = augmented(encoder, train, known, share=share, minimum=minimum, per_real=per_real, seed=seed)
        values = np.concatenate([values, _seen(encoder, made, on)])
        known = np.concatenate([known, more])
    verifier = _Verifier((values - centre) / spread, known, seed)
    drawn = pairs(expected, PAIRS, seed=seed)
    scores = verifier((_seen(encoder, test, on) - centre) / spread, drawn)
    return anomaly(scores[~drawn.same], scores[drawn.same])


def _seen(encoder: FeatureEncoder, features: Features, on: Seen) -> np.ndarray:
    if on == "codes":
        return np.asarray(encoder.encode(features).matrix) if len(features) else np.empty((0, encoder.spec.latent))
    if on != "rows":
        raise ConfigError(f"on = {on!r} is not codes or rows")
    if not isinstance(features.matrix, np.ndarray) or np.isnan(features.matrix).any():
        raise DataError("the verifier needs dense rows without missing values; use on = 'codes'")
    return features.matrix


class _Verifier:
    """A hidden layer and a score on what is symmetric in two rows."""

    def __init__(self, rows: np.ndarray, labels: np.ndarray, seed: int) -> None:
        drawn = pairs(labels, BATCH * UPDATES, seed=seed)
        values = torch.from_numpy(rows.astype(np.float32))
        with seeded(seed):
            self.network = nn.Sequential(nn.Linear(2 * rows.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        optimiser = torch.optim.Adam(self.network.parameters(), lr=LR)
        for first, second, same in zip(*(torch.split(torch.from_numpy(part), BATCH) for part in drawn), strict=True):
            optimiser.zero_grad()
            scores = self.network(_symmetric(values[first], values[second]))[:, 0]
            functional.binary_cross_entropy_with_logits(scores, same.float()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    @torch.no_grad()
    def __call__(self, rows: np.ndarray, drawn: Pairs) -> np.ndarray:
        """Return how sure it is of each pair that it shares a label, ``(n,)``."""
        values = torch.from_numpy(rows.astype(np.float32))
        parts = zip(*(torch.split(torch.from_numpy(part), BATCH) for part in drawn[:2]), strict=True)
        return torch.cat([self.network(_symmetric(values[a], values[b]))[:, 0] for a, b in parts]).numpy()


def _symmetric(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([(a - b).abs(), a * b], dim=1)
