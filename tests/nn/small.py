"""Small sparse matrices, a small network, and slow reference computations."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.nn.layers import SparseLinear, linear
from recsys_ae.nn.model import ALL, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.training.model import TrainableModel, TrainableSpec
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp

CPU = torch.device("cpu")


def matrix(
    n: int = 9, width: int = 7, *, seed: int = 0, density: float = 0.4, kind: Literal["ones", "ratings"] = "ratings"
) -> csr_matrix:
    """Return random rows; the first, one in the middle and the last are empty."""
    rng = np.random.default_rng(seed)
    dense = (rng.random((n, width)) < density).astype(np.float32)
    if kind == "ratings":
        dense *= rng.integers(1, 6, (n, width)).astype(np.float32)
    dense[[0, n // 2, n - 1]] = 0
    return canonical(csr_matrix(dense))


def rows_of(interactions: csr_matrix) -> Rows:
    return Rows.from_matrix(interactions, CPU)


def dense_of(rows: Rows) -> NDArray[np.float32]:
    """Return the rows as a dense matrix, filled entry by entry."""
    dense = np.zeros((len(rows), rows.width), np.float32)
    bounds = rows.indptr.tolist()
    for row in range(len(rows)):
        for entry in range(bounds[row], bounds[row + 1]):
            dense[row, int(rows.indices[entry])] += float(rows.values[entry])
    return dense


def copy_of(generator: torch.Generator) -> torch.Generator:
    """Return a copy of a generator, which draws the same numbers."""
    twin = torch.Generator(generator.device)
    twin.set_state(generator.get_state())
    return twin


@dataclass(frozen=True, kw_only=True)
class Tiny(TrainableSpec):
    """Linear autoencoder with a squared loss, which has analytic gradients."""

    latent: int = hp(3, "size of the code")
    epochs: int = hp(3, "passes")
    batch_size: int = hp(4, "number of rows in a batch")
    noise: float = hp(0.0, "standard deviation of noise on the code")

    def build(self, shape: Shape) -> "TinyNetwork":
        return TinyNetwork(self, shape)


class TinyNetwork(TrainableModel):
    def __init__(self, spec: Tiny, shape: Shape) -> None:
        super().__init__(spec)
        self.input = SparseLinear(shape.width, spec.latent)
        self.output = linear(spec.latent, shape.width)
        self.projections = 0
        self.batches: list[tuple[Tensor, Step, bool]] = []

    def encode(self, x: Rows) -> Tensor:
        codes: Tensor = self.input(x)
        return codes

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        return torch.nn.functional.linear(z, self.output.weight[items], self.output.bias[items])

    def loss(self, x: Rows, step: Step) -> Loss:
        self.batches.append((x.positions, step, self.training))
        codes = self.encode(x)
        if self.spec.noise:
            codes = codes + self.spec.noise * torch.randn(codes.shape, generator=step.generator)
        target = torch.zeros(len(x), x.width)
        target[x.row_of_entry, x.indices] = x.values
        error = (self.decode(codes).float() - target).square().sum(dim=1).mean()
        return Loss(error, {"error": error, "update": float(step.update)})

    def after_step(self) -> None:
        self.projections += 1

    def item_vectors(self) -> Tensor:
        return self.output.weight
