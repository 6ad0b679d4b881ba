"""From features to what scoring an item takes: ridge regression, whose strength is chosen on items left out."""

import torch
from torch import Tensor, nn

from recsys_ae.cold_start.item_features import ItemFeatures, dense
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.model import Model
from recsys_ae.nn.rows import Rows

STRENGTHS = tuple(10 ** (power / 2) for power in range(-8, 9))
"""Ridge penalties that are tried, each times the mean of the squared singular values."""

JUDGES = 256
"""Training rows whose scores decide between them."""


RANK = 1024
"""Principal components of the features that count, at most: of more, the largest."""


class ItemMap(nn.Module):
    """weights = (features − centre) · M + base, with ``(width, p)`` M.

    What it is learnt from are the items of the training: the weights that training gave them (``item_weights``), and
    their features.
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
        """Fit to a trained network.

        For each strength every item is predicted from all others (leave-one-out of a ridge regression, in closed form).
        What counts is not how far these weights are off, but how far the scores of some training rows are.
        """
        vectors, weights = items.dense(), network.item_weights()[items.positions].float()
        made = cls(vectors.shape[1], weights.shape[1]).to(vectors.device)
        made.centre, made.base = vectors.mean(dim=0), weights.mean(dim=0)
        left, values, right = _decomposed(vectors - made.centre)
        aim = weights - made.base
        inner = left.T @ aim
        judge = _Judge(network, rows, weights, generator)
        errors = []
        for strength in STRENGTHS:
            shrunk = values.square() / (values.square() + strength * values.square().mean())
            # The share of an item's own weights in what is predicted of it; the mean has 1/n of it.
            own = (left.square() @ shrunk + 1 / len(aim)).clamp_max(1 - 1e-6)
            residual = (aim - left @ (shrunk[:, None] * inner)) / (1 - own)[:, None]
            errors.append(judge(weights - residual))
        best = STRENGTHS[int(torch.stack(errors).argmin())]
        scale = values / (values.square() + best * values.square().mean()).clamp_min(torch.finfo(values.dtype).tiny)
        made.matrix = right.T @ (scale[:, None] * inner)
        made.strength.fill_(best)
        return made

    def forward(self, rows: FeatureRows) -> Tensor:
        """Return the weights of items with these features, ``(n, p)``."""
        weights: Tensor = (dense(rows) - self.centre) @ self.matrix + self.base
        return weights


def _decomposed(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, s and Vᵀ of X = U diag(s) Vᵀ, without what is smaller than rounding and at most `RANK` of them.

    By the smaller of XXᵀ and XᵀX where that is small enough, else by random projections (Halko et al. 2011).
    """
    if min(x.shape) > RANK:
        left, values, right = torch.svd_lowrank(x, q=RANK, niter=2)
        return left, values, right.T
    wide = x.shape[1] > len(x)
    squares, vectors = torch.linalg.eigh((x @ x.T if wide else x.T @ x).double())
    kept = squares > 64 * torch.finfo(x.dtype).eps * squares[-1]
    values, vectors = squares[kept].sqrt().to(x.dtype), vectors[:, kept].to(x.dtype)
    return (vectors, values, vectors.T @ x / values[:, None]) if wide else (x @ vectors / values, values, vectors.T)


class _Judge:
    """The mean squared difference of scores from those by the weights that were learnt."""

    def __init__(self, network: Model, rows: Rows, weights: Tensor, generator: torch.Generator) -> None:
        network.eval()
        order = torch.randperm(len(rows), generator=generator, device=rows.device)
        self.network, self.rows = network, rows.take(order[:JUDGES])
        self.codes = network.encode(self.rows)
        self.right = network.score_new(self.rows, self.codes, weights)

    def __call__(self, weights: Tensor) -> Tensor:
        return (self.network.score_new(self.rows, self.codes, weights) - self.right).square().mean()
