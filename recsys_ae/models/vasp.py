"""VASP: the product of a deep variational and a shallow linear autoencoder, trained on halves of histories.

Vančura, Kordík, "Deep Variational Autoencoder with Shallow Parallel Path for Top-N Recommendation (VASP)", ICANN 2021.

All items are scored; the authors' notebook leaves out the least popular two thirds.

When to use: to compare with a deep variational model that is mixed with a linear one.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_ae.nn import losses
from recsys_ae.nn.corruption import gaussian_code
from recsys_ae.nn.layers import DenselySummed, affine_with_bias, columns, linear, sparse_product, with_bias
from recsys_ae.nn.model import ALL, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.training.model import TrainableModel, TrainableSpec
from recsys_ae.nn.training.optimizers import Optimizer
from recsys_ae.nn.training.schedules import Schedule
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp

NORM_EPS = 1e-3
"""Epsilon that layer normalisation adds to the variance: the default of the library that the authors use."""


@dataclass(frozen=True, kw_only=True)
class VASP(TrainableSpec):
    """Hyper-parameters of VASP; the defaults suit MovieLens-1M, the authors' settings ML-20M.

    The authors train 50 epochs at a learning rate of 5e-5 and 40 at 1e-5. A linear decay from 5e-5 over 90 epochs has
    nearly the same means.
    """

    latent: int = hp(200, "size of the code; 2048 in the paper", low=1, search=("log", 32, 2048))
    width: int = hp(600, "width of the deep path's layers; 4096 in the paper", low=1, search=("log", 64, 4096))
    encoder_layers: int = hp(7, "number of the encoder's layers", low=1, high=1000, search=("int", 1, 7))
    decoder_layers: int = hp(5, "number of the decoder's layers", low=1, high=1000, search=("int", 1, 5))
    alpha: float = hp(
        0.25,
        "loss weight of the items in the history; all others weigh 1 - alpha",
        low=0,
        high=1,
        search=("linear", 0.1, 0.9),
    )
    gamma: float = hp(2.0, "focusing parameter gamma of the focal loss", low=0, search=("linear", 0, 4))
    epochs: int = hp(20, "number of passes over the training rows (epochs); 90 in the paper", low=1)
    batch_size: int = hp(
        256, "number of rows in a batch, each split into two halves; 1024 in the paper", low=1, search=("log", 64, 4096)
    )
    optimizer: Optimizer = hp("nadam", "optimizer of the weights; adam_norm_grad is Adam with gradients of norm 1")
    lr: float = hp(1e-3, "learning rate of the optimizer; 5e-5 in the paper", low=0, search=("log", 1e-5, 1e-2))
    lr_schedule: Schedule = hp(
        "linear",
        "learning-rate schedule: constant, or a linear or cosine decay to 0 at the end of the run",
        search=("choice", ("constant", "linear", "cosine")),
    )

    def build(self, shape: Shape) -> "VASPNetwork":
        """Make the untrained network."""
        return VASPNetwork(self, shape)

    def memory(self, shape: Shape) -> int:
        """Return the bytes of the shallow path: weights, gradient, two moments, two of a step, items × items each."""
        return 6 * 4 * shape.width**2


class VASPNetwork(TrainableModel[VASP]):
    """Probabilities p = σ(deep) · σ(straight from the code) · σ(x · shallow), with a shallow diagonal of 0."""

    def __init__(self, spec: VASP, shape: Shape) -> None:
        super().__init__(spec)
        hidden = DenselySummed(shape.width, spec.width, spec.encoder_layers, sparse=True, eps=NORM_EPS)
        self.encoder = nn.Sequential(hidden, linear(spec.width, 2 * spec.latent))
        self.decoder = DenselySummed(spec.latent, spec.width, spec.decoder_layers, sparse=False, eps=NORM_EPS)
        self.deep, self.straight = linear(spec.width, shape.width), linear(spec.latent, shape.width)
        self.shallow = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape.width, shape.width)))
        self.after_step()

    def encode(self, x: Rows) -> Tensor:
        """Return the mean of q(z | x) and the output of the shallow path, ``(n, latent + n_items)``."""
        x = binary(x)
        mean: Tensor = self.encoder(x).chunk(2, dim=1)[0]
        return torch.cat([mean, sparse_product(x, self.shallow)], dim=1)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return ln p, which orders items as p does."""
        z, shallow = z.tensor_split([self.spec.latent], dim=1)
        return self._log_probabilities(z, shallow[:, items], items)

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return focal cross-entropy + KL; each half of a history predicts the other one.

        As in the authors' code, the divergence is a mean over the dimensions of the code, but the cross-entropy a sum
        over items.
        """
        seen, hidden = halves(x, step.generator)
        first = self.encoder.get_submodule("0.input")(seen)
        noise = torch.randn(len(seen), self.spec.latent, device=x.device, generator=step.generator)
        z, decoded, kl = step.run(self._codes_and_kl, first, noise)
        log_p = self._log_product(z, decoded, sparse_product(seen, self.shallow))
        focal = losses.focal(log_p, hidden, self.spec.alpha, self.spec.gamma)
        return Loss(focal + kl, {"focal": focal, "kl": kl})

    @torch.no_grad()
    def after_step(self) -> None:
        """Set the diagonal of the shallow path to 0, so that no item predicts itself."""
        self.shallow.fill_diagonal_(0)

    def item_tables(self) -> list[Tensor]:
        """Return the weights of all layers with a row for each item, except the shallow path."""
        return [self.encoder.get_parameter("0.input.weight"), self.deep.weight, self.straight.weight]

    def item_weights(self) -> Tensor:
        """Return weights and biases of both output layers of the code, and the columns of the shallow path."""
        return torch.cat(
            [*(with_bias(layer.weight, layer.bias) for layer in (self.deep, self.straight)), self.shallow.T], dim=1
        )

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return ln p of items with these weights."""
        return self._log_of_new(binary(x), z[:, : self.spec.latent], weights)

    def item_vectors(self) -> Tensor:
        """Return the rows of the shallow path: the weights with which an item predicts all others."""
        return self.shallow

    def _codes_and_kl(self, first: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return z, the last hidden layer of the deep path, and the KL term, from the first linear layer."""
        hidden: Any = self.encoder[0]
        mean, log_variance = self.encoder[1](hidden.after_input(first)).chunk(2, dim=1)
        z = gaussian_code(mean, log_variance, noise)
        return z, self.decoder(z), losses.gaussian_kl(mean, log_variance) / self.spec.latent

    def _log_probabilities(self, z: Tensor, shallow: Tensor, items: slice = ALL) -> Tensor:
        """Return ln p of the items."""
        return self._log_product(z, self.decoder(z), shallow, items)

    def _log_product(self, z: Tensor, decoded: Tensor, shallow: Tensor, items: slice = ALL) -> Tensor:
        """Return ln p as a sum of logarithms, which stays finite where one of the three factors vanishes."""
        total = functional.logsigmoid(shallow)
        for layer, read in ((self.deep, decoded), (self.straight, z)):
            total = total + functional.logsigmoid(columns(layer.weight, layer.bias, read, items).float())
        return total

    def _log_of_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        deep, straight, shallow = weights.tensor_split([self.spec.width + 1, self.spec.width + self.spec.latent + 2], 1)
        total = functional.logsigmoid(x.product(shallow.T.contiguous()))
        for hidden, layer in ((self.decoder(z), deep), (z, straight)):
            total = total + functional.logsigmoid(affine_with_bias(hidden, layer))
        return total


def binary(x: Rows) -> Rows:
    """Return rows of ones: items count, values do not."""
    return x.with_values(torch.ones_like(x.values))


def halves(x: Rows, generator: torch.Generator) -> tuple[Rows, Rows]:
    """Split each history at random into two halves; return inputs and, row by row, targets.

    Both are ``(2n, n_items)`` and hold ones. The first n rows predict one half from the other, and the last n the other
    way round. If the number of entries is odd, one half has one more; a single entry leaves the other half empty.
    """
    rows = x.row_of_entry
    shuffled = torch.argsort(rows + torch.rand(len(rows), dtype=torch.float64, device=x.device, generator=generator))
    in_first_half = torch.empty_like(rows, dtype=torch.bool)
    rank = torch.arange(len(rows), device=x.device) - x.indptr[rows]
    in_first_half[shuffled] = rank < (x.lengths // 2)[rows]
    return _stacked(x, rows + len(x) * ~in_first_half), _stacked(x, rows + len(x) * in_first_half)


def _stacked(x: Rows, rows: Tensor) -> Rows:
    """Return 2n rows of the entries of n rows; ``rows`` is the new row of each entry."""
    order = torch.argsort(rows, stable=True)
    # bincount would wait for a GPU.
    ends = rows.new_zeros(2 * len(x)).index_add_(0, rows, torch.ones_like(rows)).cumsum(0)
    indptr = functional.pad(ends, (1, 0)).to(torch.int32)
    return Rows(indptr, x.indices[order], torch.ones_like(x.values), x.width, x.positions.repeat(2)).as_batch()
