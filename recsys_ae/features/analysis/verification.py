"""Verification that two rows share a label, and synthetic rows of rare classes for its training.

A synthetic row is decoded from the perturbed code of a real row of its class.
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
from recsys_ae.nn.training.adam import Adam

Seen: TypeAlias = Literal["codes", "rows"]
HIDDEN, BATCH, UPDATES, LR = 64, 256, 600, 3e-3
PAIRS = 20_000
"""Number of pairs of test rows on which the verifier is evaluated."""


class Pairs(NamedTuple):
    """Positions of the first and second rows of pairs, ``(n,)``; ``same`` is True if they share a label, ``(n,)``."""

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def pairs(labels: np.ndarray, n: int, *, seed: int = 0) -> Pairs:
    """Draw n pairs of different rows; every second pair shares a label.

    All labels are equally frequent in the pairs, however rare their rows are. The label of a pair that shares it is
    drawn from the labels with two rows or more.
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
    class_a = np.where(same, several[rng.integers(len(several), size=n)], rng.integers(len(names), size=n))
    class_b = np.where(same, class_a, (class_a + rng.integers(1, len(names), size=n)) % len(names))
    member_a = rng.integers(counts[class_a])
    # A different member of the class: a random number of positions after the first, cyclically.
    different = (member_a + 1 + rng.integers(np.maximum(counts[class_a] - 1, 1))) % counts[class_a]
    member_b = np.where(same, different, rng.integers(counts[class_b]))
    return Pairs(order[starts[class_a] + member_a], order[starts[class_b] + member_b], same)


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
    """Generate rows of classes: the codes of real rows, perturbed by a share of their range, are decoded.

    Returns
    -------
    Features, numpy.ndarray
        The generated rows, numbered from 0, and their labels.

    Parameters
    ----------
    share
        Share of the range, as in `perturbed`; the ranges are those of the codes of all rows.
    minimum
        Smallest number of rows of each class, real and generated; rarer classes are filled up to it.
    per_real
        Number of rows that are generated from each real row.
    """
    if (minimum is not None and minimum < 0) or per_real < 0:
        raise ConfigError(f"minimum = {minimum} and per_real = {per_real} must be at least 0")
    _, classes, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    templates = [np.repeat(np.arange(len(classes)), per_real)]
    for label, count in enumerate(counts * (1 + per_real)):
        members = np.flatnonzero(classes == label)
        templates.append(np.resize(members, max(0, (minimum or 0) - int(count))))
    chosen = np.concatenate(templates)
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
    """Return the area under the ROC curve of a verifier on pairs of test rows; guessing has 0.5.

    The verifier is a network with one hidden layer on |a − b| and a · b of the two rows (Bromley et al. 1993 compare
    two halves of one network; Mueller and Thyagarajan 2016, and Tai et al. 2015, their difference and product). The
    number of training pairs does not depend on the number of generated rows. Without ``minimum`` and ``per_real``, no
    rows are generated.

    Parameters
    ----------
    share, minimum, per_real
        Arguments of `augmented`.
    on
        Values of a and b: the codes, or the rows themselves.
    """
    labels, expected = np.asarray(labels), np.asarray(test_labels)
    if len(labels) != len(train) or len(expected) != len(test):
        raise DataError(
            f"{len(train):,} training and {len(test):,} test rows have {len(labels):,} and {len(expected):,} labels; "
            "expected one for each row"
        )
    values = _seen(encoder, train, on)
    centre, spread = values.mean(axis=0), values.std(axis=0)
    spread[spread == 0] = 1
    if minimum or per_real:
        generated, classes = augmented(
            encoder, train, labels, share=share, minimum=minimum, per_real=per_real, seed=seed
        )
        values = np.concatenate([values, _seen(encoder, generated, on)])
        labels = np.concatenate([labels, classes])
    verifier = _Verifier((values - centre) / spread, labels, seed)
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
    """A network with one hidden layer that scores symmetric functions of two rows."""

    def __init__(self, rows: np.ndarray, labels: np.ndarray, seed: int) -> None:
        drawn = pairs(labels, BATCH * UPDATES, seed=seed)
        values = torch.from_numpy(rows.astype(np.float32))
        with seeded(seed):
            self.network = nn.Sequential(nn.Linear(2 * rows.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        optimiser = Adam([{"params": list(self.network.parameters()), "weight_decay": 0.0}], LR)
        for a, b, same in zip(*(torch.split(torch.from_numpy(column), BATCH) for column in drawn), strict=True):
            optimiser.zero_grad()
            scores = self.network(_symmetric(values[a], values[b]))[:, 0]
            functional.binary_cross_entropy_with_logits(scores, same.float()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    @torch.no_grad()
    def __call__(self, rows: np.ndarray, drawn: Pairs) -> np.ndarray:
        """Return a score of each pair that grows with the probability of the same label, ``(n,)``."""
        values = torch.from_numpy(rows.astype(np.float32))
        batches = zip(*(torch.split(torch.from_numpy(column), BATCH) for column in drawn[:2]), strict=True)
        return torch.cat([self.network(_symmetric(values[a], values[b]))[:, 0] for a, b in batches]).numpy()


def _symmetric(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([(a - b).abs(), a * b], dim=1)
