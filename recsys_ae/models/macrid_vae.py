"""MacridVAE: a disentangled variational autoencoder that groups items into concepts and has one code per concept.

Ma, Zhou, Cui, Yang, Zhu, "Learning Disentangled Representations for Recommendation", NeurIPS 2019 (§3).

Details that the paper leaves open follow the authors' code. Gumbel-softmax has temperature 1 on the logits cos / τ; one
draw serves a whole batch, and scoring takes the softmax itself instead of a draw. Dropout follows the normalisation of
an input, for each concept separately. Codes are scaled to unit length before they are compared with items (which is the
paper's cosine). β rises with every update and reaches its cap, 0.2, after the first of 200 epochs.

When to use: if a user's code should separate several interests.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from recsys_ae.nn import losses
from recsys_ae.nn.corruption import drop_entries
from recsys_ae.nn.layers import SparseEncoder, initialise, sparse_product
from recsys_ae.nn.model import ALL, PAPER, Presets, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.training.model import TrainableModel, TrainableSpec
from recsys_ae.nn.training.schedules import warm_up
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp

SHORTEST = 1e-6
"""Smallest length that inputs are divided by, as in the authors' code."""


@dataclass(frozen=True, kw_only=True)
class MacridVAE(TrainableSpec):
    """Hyper-parameters of MacridVAE; the defaults are those of the authors' code."""

    presets: ClassVar[Presets] = {PAPER: {}}

    concepts: int = hp(7, "number K of concepts that items are grouped into", low=1, search=("int", 2, 20))
    latent: int = hp(100, "size of the code of each concept", low=1, search=("log", 32, 512))
    hidden: tuple[int, ...] = hp(
        (100,),
        "widths of the encoder's hidden layers, which all concepts share",
        low=1,
        search=("choice", ((100,), (600,))),
    )
    temperature: float = hp(0.1, "temperature tau that divides the cosines", low=0.01, search=("log", 0.05, 0.5))
    prior_std: float = hp(0.075, "standard deviation of the prior", low=1e-6, search=("log", 0.01, 0.2))
    dropout: float = hp(0.5, "dropout rate of the input interactions", low=0, high=0.99, search=("linear", 0, 0.9))
    beta: float = hp(0.2, "weight of the KL term after annealing", low=0, search=("linear", 0, 1))
    anneal: float = hp(
        1 / 200, "share of the updates over which beta rises from 0", low=0, high=1, search=("linear", 0, 1)
    )

    def build(self, shape: Shape) -> "MacridVAENetwork":
        """Make the untrained network."""
        return MacridVAENetwork(self, shape)


class MacridVAENetwork(TrainableModel[MacridVAE]):
    """Item vectors h_i and prototypes m_k, compared by cosines, and an encoder with its own item weights."""

    def __init__(self, spec: MacridVAE, shape: Shape) -> None:
        super().__init__(spec)
        self.encoder = SparseEncoder(shape.width, (*spec.hidden, 2 * spec.latent))
        self.items = nn.Parameter(torch.empty(shape.width, spec.latent))
        self.prototypes = nn.Parameter(torch.empty(spec.concepts, spec.latent))
        initialise(nn.ParameterList([self.items, self.prototypes]))

    def encode(self, x: Rows) -> Tensor:
        """Return the means of the codes, concatenated, ``(n, concepts · latent)``, without noise or dropout."""
        return self._posterior(x, self._log_shares(self.items).exp())[0].flatten(1)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return ln Σ_k c_ik exp(cos(z_k, h_i) / τ), the logits of the multinomial."""
        return self._mixture(self._codes(z), self.items[items], self._log_shares(self.items[items]))

    def loss(self, x: Rows, step: Step) -> Loss:
        """Return E_q[−ln p(x | z, C)] + β Σ_k KL(q(z_k | x, C) ‖ N(0, σ₀² I)) with one draw of C and z.

        The means have length 1, so their part of the divergence is constant and left out.
        """
        log_shares = self._log_shares(self.items, step.generator)
        mean, log_ratio = self._posterior(x, log_shares.exp(), step.generator)
        noise = torch.randn(mean.shape, device=x.device, generator=step.generator)
        z = mean + noise * self.spec.prior_std * (0.5 * log_ratio).exp()
        # A copy, because the backward pass of the mixture needs its result, and the loss works in place.
        nll = losses.multinomial(self._mixture(z, self.items, log_shares).clone(), x)
        log_ratio = log_ratio.flatten(1)
        kl = losses.gaussian_kl(torch.zeros_like(log_ratio), log_ratio)
        beta = warm_up(step.update, self.spec.anneal * step.total, self.spec.beta)
        return Loss(nll + beta * kl, {"nll": nll, "kl": kl, "beta": beta})

    def item_tables(self) -> list[Tensor]:
        """Return the weights of the encoder's first layer and the item vectors."""
        weight = self.encoder.input.weight
        return [weight if self.spec.hidden else weight[:, : self.spec.latent], self.items]

    def item_weights(self) -> Tensor:
        """Return h_i, the items' vectors."""
        return self.items

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return the logits of items with these vectors."""
        return self._mixture(self._codes(z), weights, self._log_shares(weights))

    def item_vectors(self) -> Tensor:
        """Return h_i, the items' vectors."""
        return self.items

    def _codes(self, z: Tensor) -> Tensor:
        return z.view(len(z), self.spec.concepts, self.spec.latent)

    def _log_shares(self, items: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return ln c_ik of vectors h, ``(n_items, concepts)``: softmax of cos(h_i, m_k) / τ, or Gumbel-softmax."""
        cosines = functional.normalize(items) @ functional.normalize(self.prototypes).T
        logits: Tensor = cosines.float() / self.spec.temperature
        if generator is not None:
            waiting = torch.empty_like(logits).exponential_(generator=generator)
            logits = logits - waiting.clamp_min(torch.finfo(logits.dtype).tiny).log()
        return logits.log_softmax(dim=1)

    def _posterior(self, x: Rows, shares: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return μ_k and ln(σ_k² / σ₀²), ``(n, concepts, latent)`` each, from (x ⊙ c_k) / ‖x ⊙ c_k‖.

        c_k scales the rows of the first layer's weight instead of the entries of x, which is the same product.
        """
        layer, rate = self.encoder.input, self.spec.dropout
        squares = sparse_product(x.with_values(x.values.square()), shares.square())
        products = []
        for share in shares.T:
            inputs = x if generator is None else drop_entries(x, rate, generator)
            products.append(sparse_product(inputs, share.unsqueeze(1) * layer.weight))
        hidden = torch.stack(products, dim=1) / squares.clamp_min(SHORTEST**2).sqrt().unsqueeze(2) + layer.bias
        mean, log_ratio = self.encoder.deeper(hidden).float().chunk(2, dim=2)
        return functional.normalize(mean, dim=2), log_ratio

    def _mixture(self, z: Tensor, items: Tensor, log_shares: Tensor) -> Tensor:
        """Return ln Σ_k c_ik exp(cos(z_k, h_i) / τ) of codes ``(n, concepts, latent)`` and vectors h."""
        vectors = functional.normalize(items)
        scaled = functional.normalize(z, dim=2).transpose(0, 1) / self.spec.temperature
        with torch.autocast(z.device.type, enabled=False):
            result: Tensor = _Mixture.apply(scaled, vectors, log_shares.T)  # type: ignore[no-untyped-call]
        return result


class _Mixture(torch.autograd.Function):
    """Logits ln Σ_k exp(z_k·h_i + s_ki), one concept at a time, without a tensor n × n_items × concepts."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, items: Tensor, log_shares: Tensor) -> Tensor:
        result = z.new_full((z.shape[1], len(items)), -torch.inf)
        for code, share in zip(z, log_shares, strict=True):
            torch.logaddexp(result, torch.addmm(share, code, items.T), out=result)
        ctx.save_for_backward(z, items, log_shares, result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, items, log_shares, result = ctx.saved_tensors
        of_z, of_items, of_shares = torch.empty_like(z), torch.zeros_like(items), torch.empty_like(log_shares)
        for k, code in enumerate(z):
            of_logits = torch.addmm(log_shares[k], code, items.T).sub_(result).exp_().mul_(gradient)
            torch.mm(of_logits, items, out=of_z[k])
            of_items.addmm_(of_logits.T, code)
            torch.sum(of_logits, dim=0, out=of_shares[k])
        return of_z, of_items, of_shares
