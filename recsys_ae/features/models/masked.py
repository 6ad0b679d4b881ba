"""Masked autoencoder: most tokens are hidden, attention encodes the visible ones, a light decoder predicts the rest.

He, Chen, Xie, Li, Dollár, Girshick, "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022. The tokens are the
patches of an image, or the columns of a table.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from recsys_ae.errors import Argument, ConfigError, DataError, UnsupportedError
from recsys_ae.features.data.features import IMAGE
from recsys_ae.features.nn.attention import Block
from recsys_ae.features.nn.contract import FeatureShape, TrainableFeatureAutoencoder, TrainableFeatureSpec
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.layers import linear
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp

MOST = 1024
"""Largest number of tokens in a row; the cost of attention grows with its square."""


@dataclass(frozen=True, kw_only=True)
class Masked(TrainableFeatureSpec):
    """Hyper-parameters of the masked autoencoder."""

    reads: ClassVar[tuple[int, ...]] = (0, IMAGE)

    latent: int = hp(
        64, "dimensions of the code; with the mean code, also of a token in the encoder", low=1, search=("log", 16, 256)
    )
    code: Literal["mean", "bottleneck"] = hp(
        "mean",
        "code of a row: the mean of its encoded tokens, all of which the decoder reads; or a bottleneck, a linear map "
        "of the tokens, and the decoder reads only the code",
    )
    width: int = hp(64, "dimensions of a token in the encoder (bottleneck only)", low=1)
    whole: float = hp(1.0, "weight of the reconstruction error of rows without hidden tokens (bottleneck only)", low=0)
    ratio: float = hp(0.75, "share of the tokens that are hidden", low=0.05, high=0.95)
    patch: int = hp(4, "side of a patch in pixels (images only)", low=1)
    depth: int = hp(3, "number of attention layers in the encoder", low=1, high=1000)
    heads: int = hp(4, "number of attention heads in encoder and decoder", low=1)
    decoder: int = hp(32, "dimensions of a token in the decoder, which has one attention layer", low=1)
    normalise: bool = hp(False, "normalised targets: each patch minus its mean, divided by its standard deviation")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("latent" if self.code == "mean" else "width", "decoder"):
            if getattr(self, name) % self.heads:
                heads = Argument("heads", self.heads)
                raise ConfigError(Argument(name, getattr(self, name)), " must be a multiple of ", heads)
        if self.code == "bottleneck" and self.normalise:
            raise ConfigError(
                Argument("normalise", self.normalise),
                " needs ",
                Argument("code", "mean"),
                ", because a bottleneck code does not hold the mean and deviation of each patch",
            )

    @property
    def token(self) -> int:
        """Dimensions of a token in the encoder."""
        return self.latent if self.code == "mean" else self.width

    @property
    def constrained(self) -> bool:
        """True if the model only reconstructs tokens that it has not read."""
        return self.code == "mean" or self.whole == 0

    def check(self, shape: FeatureShape) -> None:
        """Raise if an image cannot be cut into patches, or if there are too few or too many tokens."""
        super().check(shape)
        if shape.form and (shape.form[1] % self.patch or shape.form[2] % self.patch):
            raise DataError(
                f"images of {shape.form[1]} × {shape.form[2]} pixels cannot be cut into patches of {self.patch} × "
                f"{self.patch}; set ",
                Argument("patch"),
                " to a divisor of both sides",
            )
        if self.normalise and (shape.form[0] * self.patch**2 if shape.form else 1) == 1:
            raise DataError(
                Argument("normalise", self.normalise),
                " needs tokens of several values, but a column or a patch of one pixel has one; set ",
                Argument("normalise", False),
            )
        tokens = shape.width // (shape.form[0] * self.patch**2) if shape.form else shape.width
        if not 2 <= tokens <= MOST:
            raise DataError(
                f"these rows have {tokens:,} tokens, one for each column or patch, but masked reads 2 to {MOST:,}; "
                "reduce the columns with pca first, or for images change ",
                Argument("patch"),
            )

    def kept(self, shape: FeatureShape, network: nn.Module) -> int:
        """Estimate the numbers stored by attention: 20 per dimension of a token in the encoder, 24 in the decoder."""
        tokens = shape.width // (shape.form[0] * self.patch**2) if shape.form else shape.width
        seen = tokens * (1 - self.ratio) + tokens * (self.code == "bottleneck" and self.whole > 0)
        passes = 2 if seen > tokens else 1
        # The embedding weights of each column of a table are gathered for each row.
        gathered = 0 if shape.form else seen * self.token
        return round(
            seen * self.token * 20 * self.depth + gathered + passes * (tokens * self.decoder * 24 + 4 * shape.width)
        )

    def build(self, shape: FeatureShape) -> "MaskedNetwork":
        """Return the untrained network."""
        return MaskedNetwork(self, shape)


class MaskedNetwork(TrainableFeatureAutoencoder[Masked]):
    """Tokens with learnt position embeddings; in the decoder one learnt token stands for all hidden ones."""

    def __init__(self, spec: Masked, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.form = shape.form
        size = spec.patch**2 * shape.form[0] if shape.form else 1
        self.n_tokens, self.size = shape.width // size, size
        self.visible = max(1, self.n_tokens - round(spec.ratio * self.n_tokens))
        # The patches of an image share their weights; each column of a table has its own, as it has its own meaning.
        n_maps = 1 if shape.form else self.n_tokens
        self.into = nn.Parameter(torch.empty(n_maps, size, spec.token))
        self.places = nn.Parameter(torch.empty(self.n_tokens, spec.token))
        self.blocks = nn.Sequential(*(Block(spec.token, spec.heads) for _ in range(spec.depth)))
        self.norm = nn.LayerNorm(spec.token)
        if spec.code == "bottleneck":
            self.to_code = linear(self.n_tokens * spec.token, spec.latent)
            self.from_code = linear(spec.latent, self.n_tokens * spec.decoder)
        else:
            self.narrow = linear(spec.token, spec.decoder)
            self.hidden = nn.Parameter(torch.empty(spec.decoder))
        self.decoder_places = nn.Parameter(torch.empty(self.n_tokens, spec.decoder))
        self.decoder = nn.Sequential(Block(spec.decoder, spec.heads), nn.LayerNorm(spec.decoder))
        self.out = nn.Parameter(torch.empty(n_maps, spec.decoder, size))
        parameters = [self.into, self.places, self.decoder_places, self.out]
        for parameter in [*parameters, self.hidden] if spec.code == "mean" else parameters:
            nn.init.trunc_normal_(parameter, std=0.02 if parameter is not self.into else size**-0.5)

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the code, computed without hidden tokens."""
        everything = self._everything(x)
        encoded = self._encoded(self._tokens(x.seen), everything)
        return self._code(encoded, everything) if self.spec.code == "bottleneck" else encoded.mean(dim=1)

    def decode(self, z: Tensor) -> Tensor:
        """Return the rows that are decoded from bottleneck codes; raise for the mean code, which is not decoded."""
        if self.spec.code == "mean":
            raise UnsupportedError(
                "masked reconstructs rows from their tokens, not from a code; use reconstruct, or fit with ",
                Argument("code", "bottleneck"),
            )
        return self._rows(self._unfolded(z))

    def forward(self, x: FeatureRows) -> Tensor:
        """Return the rows that are decoded from bottleneck codes, or each token as predicted from other tokens.

        In the second case, the tokens are split into groups of the size that is visible in the training. Each group in
        turn is visible, and a token is the mean of its predictions from the groups without it.
        """
        if self.spec.code == "bottleneck":
            return self.decode(self.encode(x))
        tokens = self._tokens(x.seen)
        groups = max(2, round(self.n_tokens / self.visible))
        total, counts = torch.zeros_like(tokens), torch.zeros(self.n_tokens, 1, device=x.device)
        for group in range(groups):
            inside = torch.arange(self.n_tokens, device=x.device) % groups == group
            seen = inside.nonzero().T.expand(len(x), -1)
            total += self._guessed(self._encoded(tokens, seen), seen) * (~inside)[:, None]
            counts += (~inside)[:, None]
        rows = total / counts
        if self.spec.normalise:  # as in the pictures of the paper: with the true mean and deviation of the patch
            rows = rows * _deviation(tokens) + tokens.mean(dim=2, keepdim=True)
        return self._rows(rows)

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return the mean squared error of hidden tokens; with a bottleneck, plus λ times that of visible rows."""
        inputs = x.seen_and_known
        noise = torch.rand(len(x), self.n_tokens, device=x.device, generator=step.generator)
        error, *whole = step.run(self._errors, noise, *inputs)
        if not whole:
            return Loss(error, {"error": error})
        return Loss(error + self.spec.whole * whole[0], {"error": error, "whole": whole[0]})

    def _errors(self, noise: Tensor, values: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the error of the tokens that ``noise`` hides, and with a bottleneck that of visible rows."""
        tokens = self._tokens(values)
        if mask is not None:  # missing values are hidden first
            noise = noise + (1 - mask)
        order = noise.argsort(dim=1)
        seen = order[:, : self.visible]
        guess = self._guessed(self._encoded(tokens, seen), seen).float()
        counts = torch.ones_like(noise).scatter(1, seen, 0.0)
        if mask is not None:
            counts = counts * mask
        errors = (guess - self._target(tokens)).square().mean(dim=2)
        error = (errors * counts).sum() / counts.sum().clamp_min(1)
        if self.spec.code == "mean" or not self.spec.whole:
            return (error,)
        everything = self._everything(values)
        errors = (self._guessed(self._encoded(tokens, everything), everything).float() - tokens).square().mean(dim=2)
        return error, errors.mean() if mask is None else (errors * mask).sum() / mask.sum().clamp_min(1)

    def _everything(self, x: FeatureRows | Tensor) -> Tensor:
        return torch.arange(self.n_tokens, device=x.device).expand(len(x), -1)

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
        """Join tokens to rows, ``(n, width)``."""
        if not self.form:
            return tokens.squeeze(2)
        (channels, height, width), p = self.form, self.spec.patch
        cut = tokens.reshape(-1, height // p, width // p, channels, p, p)
        return cut.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), channels * height * width)

    def _encoded(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """Encode only the tokens at ``seen``, ``(n, m)``: ``(n, m, token)``."""
        taken = tokens.gather(1, seen.unsqueeze(2).expand(-1, -1, self.size))
        into = self.into[seen] if len(self.into) > 1 else self.into
        embedded = _each(taken, into) + self.places[seen]
        encoded: Tensor = self.norm(self.blocks(embedded))
        return encoded

    def _guessed(self, encoded: Tensor, seen: Tensor) -> Tensor:
        """Return the decoder's prediction of every token, ``(n, tokens, size)``."""
        if self.spec.code == "bottleneck":
            return self._unfolded(self._code(encoded, seen))
        narrow = self.narrow(encoded)
        everywhere = self.hidden.to(narrow.dtype).expand(len(seen), self.n_tokens, -1)
        tokens = everywhere.scatter(1, seen.unsqueeze(2).expand_as(narrow), narrow) + self.decoder_places
        return self._written(tokens)

    def _code(self, encoded: Tensor, seen: Tensor) -> Tensor:
        """Return the bottleneck code, ``(n, latent)``: the mean of the tokens after a linear map for each position."""
        n, m, width = encoded.shape
        placed = encoded.new_zeros(n, self.n_tokens, width)
        placed = placed.scatter(1, seen.unsqueeze(2).expand(-1, -1, width), encoded * (self.n_tokens / m))
        code: Tensor = self.to_code(placed.flatten(1))
        return code

    def _unfolded(self, z: Tensor) -> Tensor:
        """Return the tokens that are decoded from bottleneck codes, ``(n, tokens, size)``."""
        tokens = self.from_code(z).reshape(len(z), self.n_tokens, -1) + self.decoder_places
        return self._written(tokens)

    def _written(self, tokens: Tensor) -> Tensor:
        return _each(self.decoder(tokens), self.out)


def _each(tokens: Tensor, weights: Tensor) -> Tensor:
    """Multiply tokens ``(n, m, size)`` by separate weights, or by shared weights in one large product."""
    shared = weights.ndim == 3 and len(weights) == 1  # gathered weights of a single row have 4 dimensions
    return tokens @ weights[0] if shared else (tokens.unsqueeze(2) @ weights).squeeze(2)


def _deviation(tokens: Tensor) -> Tensor:
    """Return the standard deviation of each patch, with the paper's 10⁻⁶ added to the variance."""
    return (tokens.var(dim=2, keepdim=True) + 1e-6).sqrt()
