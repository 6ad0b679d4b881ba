"""Semi-supervised classification: codes learnt without labels, and a classifier with few labels."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.classifiers import Linear, checked
from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.features.nn.reconstruction import chunks
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.layers import flatten_recurrent
from recsys_ae.nn.runtime import seeded
from recsys_ae.nn.training.adam import Adam

BATCH = 64


def few_labels(
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    shares: Sequence[float],
    *,
    seeds: Sequence[int],
) -> list[dict[str, float]]:
    """Evaluate a logistic regression on rows, ``(n, width)``, that is fitted to a share of their labels.

    Each entry has the ``share``, the ``seed`` of the draw of the labelled rows, their number ``labelled``, and the
    ``accuracy`` on all test rows. A seed draws the same rows for features and for codes.
    """
    rows, labels = checked(train, train_labels, "training rows")
    test_rows, expected = checked(test, test_labels, "test rows")
    entries = []
    for share in shares:
        for seed in seeds:
            drawn = labelled(labels, share, seed=seed)
            accuracy = Linear(rows[drawn], labels[drawn]).accuracy(test_rows, expected)
            entries.append({"share": float(share), "seed": seed, "labelled": len(drawn), "accuracy": accuracy})
    return entries


def fine_tuned(
    encoder: FeatureEncoder,
    train: Features,
    train_labels: np.ndarray,
    test: Features,
    test_labels: np.ndarray,
    shares: Sequence[float],
    *,
    seeds: Sequence[int],
    updates: int = 500,
    lr: float = 1e-3,
) -> list[dict[str, float]]:
    """Evaluate a linear layer on the code that is trained, with a copy of the encoder, on a share of the labels.

    Entries are like those of `few_labels`, with the same labelled rows (the second stage of Hinton and Salakhutdinov
    2006). The layer begins as the logistic regression on the codes; then both are trained with the cross-entropy.

    Parameters
    ----------
    updates
        Steps of Adam on batches of at most 64 rows.
    """
    if updates < 0 or not lr > 0:
        raise ConfigError(f"updates = {updates} must be at least 0, and lr = {lr} must be above 0")
    names, targets = np.unique(np.asarray(train_labels), return_inverse=True)
    expected = np.asarray(test_labels)
    if len(targets) != len(train) or len(expected) != len(test):
        raise DataError(
            f"{len(train):,} training and {len(test):,} test rows have {len(targets):,} and {len(expected):,} labels; "
            "expected one for each row"
        )
    entries = []
    for share in shares:
        for seed in seeds:
            drawn = labelled(targets, share, seed=seed)
            tuned = _Tuned(encoder, train.take(drawn), targets[drawn], len(names))
            tuned.train(updates, lr, seed)
            accuracy = float(np.mean(names[tuned.predict(encoder.rows(test))] == expected))
            entries.append({"share": float(share), "seed": seed, "labelled": len(drawn), "accuracy": accuracy})
    return entries


def labelled(labels: np.ndarray, share: float, *, seed: int = 0) -> np.ndarray:
    """Draw a share of the rows of each label, at least one of each; return their sorted positions."""
    if not 0 < share <= 1:
        raise ConfigError(f"share = {share} of the labels must be above 0 and at most 1")
    rng, labels = np.random.default_rng(seed), np.asarray(labels)
    names = np.unique(labels)
    if len(names) < 2:
        raise DataError(f"{len(labels):,} rows have {len(names)} label; a classifier needs at least two")
    drawn = []
    for name in names:
        members = np.flatnonzero(labels == name)
        drawn.append(rng.permutation(members)[: max(1, round(share * len(members)))])
    return np.sort(np.concatenate(drawn))


class _Tuned:
    """A copy of an encoder's network and a linear layer on its code."""

    def __init__(self, encoder: FeatureEncoder, features: Features, targets: np.ndarray, n_labels: int) -> None:
        self.rows = encoder.rows(features)
        self.network = copy.deepcopy(encoder.network).eval()
        flatten_recurrent(self.network)
        self.targets = torch.from_numpy(targets.astype(np.int64)).to(self.rows.device)
        codes = np.asarray(encoder.encode(features).matrix)
        start = Linear(codes, targets)
        weights, bias = start.fitted.coef_ / start.spread, start.fitted.intercept_
        if n_labels == 2:  # the regression fits only the difference of the two scores
            weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        bias = bias - weights @ start.centre
        self.head: nn.Linear = nn.utils.skip_init(  # type: ignore[no-untyped-call]
            nn.Linear, codes.shape[1], n_labels, device=self.rows.device
        )
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weights))
            self.head.bias.copy_(torch.from_numpy(bias))

    def train(self, updates: int, lr: float, seed: int) -> None:
        parameters: list[Any] = [*self.head.parameters(), *self.network.parameters()]
        optimiser = Adam([{"params": parameters, "weight_decay": 0.0}], lr)
        rng = np.random.default_rng(seed)
        for layer in self.network.modules():
            if isinstance(layer, nn.RNNBase):
                layer.train()  # cuDNN computes gradients in training mode only
        with seeded(seed, self.rows.device):
            for _ in range(updates):
                drawn = torch.from_numpy(rng.permutation(len(self.targets))[:BATCH]).to(self.rows.device)
                optimiser.zero_grad()
                scores = self.head(self.network.encode(self.rows.take(drawn)).float())
                functional.cross_entropy(scores, self.targets[drawn]).backward()  # type: ignore[no-untyped-call]
                optimiser.step()

    @torch.no_grad()
    def predict(self, rows: FeatureRows) -> np.ndarray:
        scores = [self.head(self.network.encode(chunk).float()) for chunk in chunks(rows)]
        return torch.cat(scores).argmax(dim=1).cpu().numpy()
