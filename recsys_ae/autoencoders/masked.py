"""Masked autoencoder: most tokens are hidden, attention encodes the others alone, a light decoder guesses the hidden.

He, Chen, Xie, Li, Dollár, Girshick, "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022. The tokens are the
patches of an image, or the columns of a table.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from recsys_ae.datasets.features import IMAGE
from recsys_ae.errors import ConfigError, DataError, UnsupportedError
from recsys_ae.hyper import hp
from recsys_ae.nn.attention import Block
from recsys_ae.nn.autoencoder import Loss
from recsys_ae.nn.feature_autoencoder import FeatureShape, TrainedFeatureAutoencoder, TrainedFeatureSpec
from recsys_ae.nn.feature_rows import FeatureRows
from recsys_ae.nn.layers import linear
from recsys_ae.nn.training import Step

MOST = 1024
"""Tokens in a row; the cost of attention grows with their square."""


@dataclass(frozen=True, kw_only=True)
class Masked(TrainedFeatureSpec):
    """Hyper-parameters of the masked autoencoder."""

    reads: ClassVar[tuple[int, ...]] = (0, IMAGE)

    latent: int = hp(64, "size of a token, and of the code, the mean of all tokens", low=1, search=("log", 16, 256))
    ratio: float = hp(0.75, "share of the tokens that is hidden", low=0.05, high=0.95)
    patch: int = hp(4, "side of a patch (images only)", low=1)
    depth: int = hp(3, "attention layers of the encoder", low=1)
    heads: int = hp(4, "attention heads of encoder and decoder", low=1)
    decoder: int = hp(32, "size of a token in the decoder, which has one layer", low=1)
    normalise: bool = hp(False, "have the decoder guess each patch less its mean, divided by its deviation")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("latent", "decoder"):
            if getattr(self, name) % self.heads:
                raise ConfigError(f"{name} = {getattr(self, name)} must be a multiple of heads = {self.heads}")

    @property
    def constrained(self) -> bool:
        """It never sees what it has to give back."""
        return True

    def check(self, shape: FeatureShape) -> None:
        """Raise if an image does not fall into patches, or there are too few or too many tokens."""
        super().check(shape)
        if shape.form and (shape.form[1] % self.patch or shape.form[2] % self.patch):
            raise DataError(
                f"an image of {shape.form[1]} × {shape.form[2]} does not fall into patches of {self.patch} × "
                f"{self.patch}; choose a patch that divides both sides"
            )
        tokens = shape.width // (shape.form[0] * self.patch**2) if shape.form else shape.width
        if not 2 <= tokens <= MOST:
            raise DataError(
                f"{tokens:,} tokens; masked takes 2 to {MOST:,}, and makes one of each column or patch: reduce the "
                "columns with pca first, or choose another patch"
            )

    def build(self, shape: FeatureShape) -> "MaskedNetwork":
        """Make the untrained network."""
        return MaskedNetwork(self, shape)


class MaskedNetwork(TrainedFeatureAutoencoder):
    """Tokens with learnt places; in the decoder one learnt token stands for all that are hidden."""

    def __init__(self, spec: Masked, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.form = shape.form
        size = spec.patch**2 * shape.form[0] if shape.form else 1
        self.n_tokens, self.size = shape.width // size, size
        self.visible = max(1, self.n_tokens - round(spec.ratio * self.n_tokens))
        # A column has weights of its own: its numbers mean something else than its neighbour's.
        own = 1 if shape.form else self.n_tokens
        self.into = nn.Parameter(torch.empty(own, size, spec.latent))
        self.places = nn.Parameter(torch.empty(self.n_tokens, spec.latent))
        self.blocks = nn.Sequential(*(Block(spec.latent, spec.heads) for _ in range(spec.depth)))
        self.norm = nn.LayerNorm(spec.latent)
        self.narrow = linear(spec.latent, spec.decoder)
        self.hidden = nn.Parameter(torch.empty(spec.decoder))
        self.decoder_places = nn.Parameter(torch.empty(self.n_tokens, spec.decoder))
        self.decoder = nn.Sequential(Block(spec.decoder, spec.heads), nn.LayerNorm(spec.decoder))
        self.out = nn.Parameter(torch.empty(own, spec.decoder, size))
        for parameter in (self.into, self.places, self.hidden, self.decoder_places, self.out):
            nn.init.trunc_normal_(parameter, std=0.02 if parameter is not self.into else size**-0.5)

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the mean of all tokens, none of which is hidden."""
        everything = torch.arange(self.n_tokens, device=x.device).expand(len(x), -1)
        return self._encoded(self._tokens(x.seen), everything).mean(dim=1)

    def decode(self, z: Tensor) -> Tensor:
        """Refuse: the decoder reads tokens with their places, not their mean."""
        raise UnsupportedError("masked gives rows back from their tokens, not from a code; use reconstruct")

    def forward(self, x: FeatureRows) -> Tensor:
        """Return each token as it is guessed from others: the mean over guesses, none of which saw it.

        The tokens fall into as many groups as fit beside each other in a row, of the size seen in the training; each
        group in turn is all that is seen.
        """
        tokens = self._tokens(x.seen)
        groups = max(2, round(self.n_tokens / self.visible))
        total, guesses = torch.zeros_like(tokens), torch.zeros(self.n_tokens, 1, device=x.device)
        for group in range(groups):
            inside = torch.arange(self.n_tokens, device=x.device) % groups == group
            seen = inside.nonzero().T.expand(len(x), -1)
            total += self._guessed(self._encoded(tokens, seen), seen) * (~inside)[:, None]
            guesses += (~inside)[:, None]
        rows = total / guesses
        if self.spec.normalise:  # as the paper's pictures: with the patch's own mean and deviation
            rows = rows * _deviation(tokens) + tokens.mean(dim=2, keepdim=True)
        return self._rows(rows)

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Squared error of the hidden tokens, the mean over their values."""
        tokens, known = self._tokens(x.seen), x.known
        noise = torch.rand(tokens.shape[:2], device=x.device, generator=step.generator)
        if known is not None:  # what is missing is among the hidden, if these are enough
            noise = noise + (1 - known)
        order = noise.argsort(dim=1)
        seen = order[:, : self.visible]
        guess = self._guessed(self._encoded(tokens, seen), seen).float()
        counts = torch.ones_like(noise).scatter(1, seen, 0.0)
        if known is not None:
            counts = counts * known
        errors = (guess - self._target(tokens)).square().mean(dim=2)
        error = (errors * counts).sum() / counts.sum().clamp_min(1)
        return Loss(error, {"error": error})

    def _target(self, tokens: Tensor) -> Tensor:
        if not self.spec.normalise:
            return tokens
        return (tokens - tokens.mean(dim=2, keepdim=True)) / _deviation(tokens)

    def _tokens(self, x: Tensor) -> Tensor:
        """Cut rows into tokens, ``(n, tokens, size)``."""
        if not self.form:
            return x.unsqueeze(2)
        (channels, height, width), p = self.form, self.spec.patch
        cut = x.reshape(-1, channels, height // p, p, width // p, p)
        return cut.permute(0, 2, 4, 1, 3, 5).reshape(len(x), self.n_tokens, self.size)

    def _rows(self, tokens: Tensor) -> Tensor:
        """Put tokens together again, ``(n, width)``."""
        if not self.form:
            return tokens.squeeze(2)
        (channels, height, width), p = self.form, self.spec.patch
        cut = tokens.reshape(-1, height // p, width // p, channels, p, p)
        return cut.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), channels * height * width)

    def _encoded(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Encode the tokens at ``seen``, ``(n, m)``, alone: ``(n, m, latent)``."""
        taken = tokens.gather(1, seen.unsqueeze(2).expand(-1, -1, self.size))
        into = self.into[seen] if len(self.into) > 1 else self.into
        embedded = (taken.unsqueeze(2) @ into).squeeze(2) + self.places[seen]
        encoded: Tensor = self.norm(self.blocks(embedded))
        return encoded

    def _guessed(self, encoded: Tensor, seen: Tensor) -> Tensor:
        """Return what the decoder makes of every token, ``(n, tokens, size)``."""
        narrow = self.narrow(encoded)
        everywhere = self.hidden.to(narrow.dtype).expand(len(seen), self.n_tokens, -1)
        tokens = everywhere.scatter(1, seen.unsqueeze(2).expand_as(narrow), narrow) + self.decoder_places
        guess: Tensor = (self.decoder(tokens).unsqueeze(2) @ self.out).squeeze(2)
        return guess


def _deviation(tokens: Tensor) -> Tensor:
    """Return the standard deviation of each patch, with the paper's 10⁻⁶ added to the variance."""
    return (tokens.var(dim=2, keepdim=True) + 1e-6).sqrt()
