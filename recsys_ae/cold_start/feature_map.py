"""Ridge regression from item features to item weights, with the penalty selected by leave-one-out validation."""

import torch
from torch import Tensor, nn

from recsys_ae.cold_start.item_features import ItemFeatures, dense
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.model import Model
from recsys_ae.nn.rows import Rows

STRENGTHS = tuple(10 ** (power / 2) for power in range(-8, 9))
"""Ridge penalties to try, as multiples of the mean of the squared singular values."""

VALIDATION_ROWS = 256
"""Training rows whose scores select the penalty."""

RANK = 1024
"""Largest number of principal components of the features."""


class ItemMap(nn.Module):
    """Linear map: weights = (features − centre) · M + base, with ``(width, p)`` M.

    It is learnt from the training items with features: their weights (``item_weights``) and their features.
    """

    centre: Tensor
    matrix: Tensor
    base: Tensor
    strength: Tensor

    def __init__(self, width: int, p: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("matrix", torch.zeros(width, p))
        self.register_buffer("base", torch.zeros(p))
        self.register_buffer("strength", torch.zeros(()))

    @classmethod
    @torch.no_grad()
    def learn(cls, network: Model, rows: Rows, items: ItemFeatures, generator: torch.Generator) -> "ItemMap":
        """Return the map fitted to a trained network.

        For each strength, the weights of every item are predicted from all other items (leave-one-out, in closed form).
        The strength is selected by the error of the scores of some training rows, not by the error of the weights.
        """
        vectors, weights = items.dense(), network.item_weights()[items.positions].float()
        item_map = cls(vectors.shape[1], weights.shape[1]).to(vectors.device)
        item_map.centre, item_map.base = vectors.mean(dim=0), weights.mean(dim=0)
        left, values, right = _decomposed(vectors - item_map.centre)
        aim = weights - item_map.base
        inner = left.T @ aim
        score_error = _ScoreError(network, rows, weights, generator)
        errors = []
        for strength in STRENGTHS:
            shrunk = values.square() / (values.square() + strength * values.square().mean())
            # Leverage: the share of an item's own weights in its prediction; the mean contributes 1/n.
            leverage = (left.square() @ shrunk + 1 / len(aim)).clamp_max(1 - 1e-6)
            residual = (aim - left @ (shrunk[:, None] * inner)) / (1 - leverage)[:, None]
            errors.append(score_error(weights - residual))
        best = STRENGTHS[int(torch.stack(errors).argmin())]
        scale = values / (values.square() + best * values.square().mean()).clamp_min(torch.finfo(values.dtype).tiny)
        item_map.matrix = right.T @ (scale[:, None] * inner)
        item_map.strength.fill_(best)
        return item_map

    def forward(self, rows: FeatureRows) -> Tensor:
        """Return the weights of items with these features, ``(n, p)``."""
        weights: Tensor = (dense(rows) - self.centre) @ self.matrix + self.base
        return weights


def _decomposed(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, s and Vᵀ of X = U diag(s) Vᵀ, for at most `RANK` singular values above rounding errors.

    They are computed from the smaller of XXᵀ and XᵀX if it is small enough, else by random projections (Halko et al.
    2011).
    """
    if min(x.shape) > RANK:
        left, values, right = torch.svd_lowrank(x, q=RANK, niter=2)
        return left, values, right.T
    wide = x.shape[1] > len(x)
    squares, vectors = torch.linalg.eigh((x @ x.T if wide else x.T @ x).double())
    significant = squares > 64 * torch.finfo(x.dtype).eps * squares[-1]
    values, vectors = squares[significant].sqrt().to(x.dtype), vectors[:, significant].to(x.dtype)
    return (vectors, values, vectors.T @ x / values[:, None]) if wide else (x @ vectors / values, values, vectors.T)


class _ScoreError:
    """Mean squared difference between the scores by some weights and by the learnt weights."""

    def __init__(self, network: Model, rows: Rows, weights: Tensor, generator: torch.Generator) -> None:
        network.eval()
        order = torch.randperm(len(rows), generator=generator, device=rows.device)
        self.network, self.rows = network, rows.take(order[:VALIDATION_ROWS])
        self.codes = network.encode(self.rows)
        self.right = network.score_new(self.rows, self.codes, weights)

    def __call__(self, weights: Tensor) -> Tensor:
        return (self.network.score_new(self.rows, self.codes, weights) - self.right).square().mean()
