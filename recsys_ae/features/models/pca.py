"""PCA: principal components in closed form, the linear baseline that other autoencoders should beat.

With few columns the components are eigenvectors of the covariance. With more, a randomised range finder reads the rows
in chunks, and sparse rows never become dense all at once (Halko, Martinsson, Tropp 2011, algorithm 4.4).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recsys_ae.errors import Argument, DataError
from recsys_ae.features.nn.contract import FeatureAutoencoder, FeatureShape, FeatureSpec
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.history import History
from recsys_ae.nn.model import Validate
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import hp

FEW = 2048
"""Largest number of columns for which ``auto`` computes the covariance."""
CHUNK = 4096


@dataclass(frozen=True, kw_only=True)
class PCA(FeatureSpec):
    """Hyper-parameters of PCA."""

    solver: Literal["auto", "covariance", "randomised"] = hp(
        "auto", f"solver of the components; auto takes the covariance up to {FEW:,} columns, else randomised"
    )
    oversamples: int = hp(10, "additional directions, which make the components more accurate (randomised only)", low=1)
    iterations: int = hp(4, "number of power iterations (randomised only)", low=0)

    @property
    def constrained(self) -> bool:
        """True: PCA with as many components as columns is exact, so no remark is needed."""
        return True

    def check(self, shape: FeatureShape) -> None:
        """Raise if ``latent`` is larger than the number of components."""
        super().check(shape)
        if self.latent > min(shape.n_rows, shape.width):
            raise DataError(
                Argument("latent", self.latent),
                f" is too large: {shape.n_rows:,} rows of {shape.width:,} columns have at most "
                f"{min(shape.n_rows, shape.width):,} components",
            )

    def memory(self, shape: FeatureShape) -> int:
        """Return the bytes of the covariance, its eigenvectors and workspace, or of the bases; and of a chunk."""
        size = min(self.latent + self.oversamples, shape.n_rows, shape.width)
        few = shape.width <= FEW if self.solver == "auto" else self.solver == "covariance"
        return 8 * shape.width * (4 * shape.width if few else 4 * size) + 20 * min(CHUNK, shape.n_rows) * shape.width

    def build(self, shape: FeatureShape) -> "PCANetwork":
        """Return the unfitted network."""
        return PCANetwork(self, shape)


class PCANetwork(FeatureAutoencoder):
    """z = V (x − μ) and x̂ = Vᵀz + μ; the rows of V, ``(latent, width)``, are orthonormal, the strongest first."""

    mean: Tensor
    components: Tensor

    def __init__(self, spec: PCA, shape: FeatureShape) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.zeros(shape.width))
        self.register_buffer("components", torch.zeros(spec.latent, shape.width))

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the coordinates along the components."""
        return (x.seen - self.mean) @ self.components.T

    def decode(self, z: Tensor) -> Tensor:
        """Return the point that has these coordinates."""
        return z @ self.components + self.mean

    @torch.no_grad()
    def learn(self, rows: FeatureRows, run: Run, validate: Validate | None = None) -> History:
        """Compute the directions of the largest variance."""
        total = sum(chunk.sum(dim=0, dtype=torch.float64) for chunk in _chunks(rows))
        self.mean.copy_(torch.as_tensor(total) / len(rows))
        few = rows.width <= FEW if self.spec.solver == "auto" else self.spec.solver == "covariance"
        components = self._from_covariance(rows) if few else self._randomised(rows, run.generator())
        # The sign of a component is arbitrary: its largest number in absolute value becomes positive.
        largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
        self.components.copy_(components * largest.sign())
        return History()

    def _centred(self, rows: FeatureRows) -> Iterator[Tensor]:
        for chunk in _chunks(rows):
            yield (chunk - self.mean).double()

    def _from_covariance(self, rows: FeatureRows) -> Tensor:
        covariance = sum(chunk.T @ chunk for chunk in self._centred(rows))
        _, vectors = torch.linalg.eigh(torch.as_tensor(covariance))
        components: Tensor = vectors.T.flip(0)[: self.spec.latent]
        return components

    def _randomised(self, rows: FeatureRows, generator: torch.Generator) -> Tensor:
        spec = self.spec
        size = min(spec.latent + spec.oversamples, len(rows), rows.width)
        basis = torch.randn(rows.width, size, device=rows.device, dtype=torch.float64, generator=generator)
        for _ in range(spec.iterations + 1):
            basis = torch.linalg.qr(basis)[0]
            basis = torch.as_tensor(sum(chunk.T @ (chunk @ basis) for chunk in self._centred(rows)))
        basis = torch.linalg.qr(basis)[0]
        small = torch.as_tensor(sum((chunk @ basis).T @ (chunk @ basis) for chunk in self._centred(rows)))
        _, vectors = torch.linalg.eigh(small)
        components: Tensor = (basis @ vectors).T.flip(0)[: spec.latent]
        return components


def _chunks(rows: FeatureRows) -> Iterator[Tensor]:
    for positions in torch.split(torch.arange(len(rows), device=rows.device), CHUNK):
        yield rows.take(positions).seen
