"""Roofline model: the least arithmetic and memory traffic of each model, and the rates of this machine.

An epoch takes at least the larger of FLOPs / rate and bytes / bandwidth. The FLOPs are those of the dense layers
after a sparse input layer. The bytes are those of the weights, their gradients, Adam's moments, and the logits.
"""

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from timing import seconds_of  # next to this file
from torch import Tensor

DTYPES = {"bf16": torch.bfloat16, "fp64": torch.float64}  # all others are float32
FLOAT = 4  # bytes
COPIED = 2**26  # numbers of the timed copy, more than any cache holds
COLUMNS = 100_000  # most columns of a timed product; more do not change the rate


@dataclass(frozen=True)
class Work:
    """Least FLOPs and bytes of an epoch, and the multiply-adds per user and item of scoring."""

    flops: float
    bytes: float
    width: int = 0

    def bound(self, rates: dict[str, float]) -> float:
        """Return the least seconds on a machine with these rates, in FLOP/s and bytes/s."""
        return max(self.flops / rates["gemm"], self.bytes / rates["bandwidth"])


@dataclass(frozen=True)
class Rows:
    """Number and width of the training rows, and the mean number of entries of a row."""

    n: int
    width: int
    entries: float


@dataclass(frozen=True)
class Layers:
    """Widths of an autoencoder's layers: after its input, and before its output.

    An update computes ``columns`` outputs per row; it reads and writes ``inputs`` rows of the first layer and
    ``outputs`` rows of the last.
    """

    items: int
    encoder: Sequence[int]
    decoder: Sequence[int]
    columns: int
    inputs: int
    outputs: int

    @property
    def inner(self) -> int:
        """Number of weights between the input layer and the output layer."""
        return sum(a * b for widths in (self.encoder, self.decoder) for a, b in itertools.pairwise(widths))

    def flops(self, nonzeros: float) -> float:
        """Return the FLOPs of an update per row with ``nonzeros`` non-zero inputs; inputs need no gradients."""
        return 4 * nonzeros * self.encoder[0] + 6 * (self.inner + self.decoder[-1] * self.columns)

    def bytes(self, batch: int, dense: int = 0) -> float:
        """Return the bytes of an update: Adam, gradients, weights read, five passes over the logits and the input.

        Adam reads a weight, its gradient and two moments, and writes the weight and the moments; the gradient was
        written before. The input layer is read once more, the output layer twice.
        """
        inner = self.inner + sum(self.encoder) + sum(self.decoder[1:])
        input_layer, output_layer = self.inputs * self.encoder[0], self.outputs * self.decoder[-1]
        parameters = input_layer + inner + output_layer + self.outputs
        logits = batch * self.columns
        return FLOAT * (8 * parameters + input_layer + 2 * output_layer + 5 * (logits + batch * dense))


def dense_flops(layers: Layers) -> float:
    """Return the FLOPs of an update per row with a dense input layer."""
    return layers.flops(0) + 4 * layers.items * layers.encoder[0]


def work(spec: Any, rows: Rows, distinct: int) -> Work | None:
    """Return the least work of a model's pass over the rows; None for a model without a formula.

    ``distinct`` is the number of different columns in a batch of rows.
    """
    formulas: dict[str, Callable[[Any, Rows, int], Work]] = {
        "mult_vae": _mult_vae, "mult_dae": _mult_dae, "recvae": _recvae, "ease": _ease, "als": _als,
    }  # fmt: skip
    formula = formulas.get(spec.name())
    return None if formula is None else formula(spec, rows, distinct)


def _layers(spec: Any, rows: Rows, distinct: int, encoder: Sequence[int], decoder: Sequence[int]) -> Layers:
    """Return the layers; with a sampled softmax they count only the rows that an update needs."""
    samples = getattr(spec, "sampled_items", 0)
    if not samples:
        return Layers(rows.width, encoder, decoder, *3 * [rows.width])
    columns, outputs = (min(rows.width, samples + n) for n in (round(rows.entries), distinct))
    return Layers(rows.width, encoder, decoder, columns, distinct, outputs)


def _trained(spec: Any, rows: Rows, layers: Layers) -> Work:
    updates = -(-rows.n // spec.batch_size)
    nonzeros = rows.entries * (1 - spec.dropout)
    return Work(rows.n * layers.flops(nonzeros), updates * layers.bytes(spec.batch_size), layers.decoder[-1])


def _mult_vae(spec: Any, rows: Rows, distinct: int) -> Work:
    widths = (*spec.hidden, 2 * spec.latent), (spec.latent, *spec.hidden[::-1])
    return _trained(spec, rows, _layers(spec, rows, distinct, *widths))


def _mult_dae(spec: Any, rows: Rows, distinct: int) -> Work:
    widths = (*spec.hidden, spec.latent)
    return _trained(spec, rows, _layers(spec, rows, distinct, widths, widths[::-1]))


def _recvae(spec: Any, rows: Rows, distinct: int) -> Work:
    """Return the mean over the passes that train the encoder and those that train the decoder from stored codes.

    The former need no gradient of the decoder, the latter none of the code. The codes are computed once per cycle.
    """
    encoder = [spec.width] * spec.layers + [2 * spec.latent]
    layers = _layers(spec, rows, distinct, encoder, [spec.latent])
    output = 4 * spec.latent * layers.columns
    encoding = 4 * rows.entries * (1 - spec.dropout) * spec.width + 6 * layers.inner
    codes = 2 * rows.entries * spec.width + 2 * layers.inner
    passes = spec.encoder_epochs + spec.decoder_epochs
    flops = (spec.encoder_epochs * encoding + codes) / passes + output
    inner = FLOAT * 8 * (layers.inputs * spec.width + layers.inner)
    traffic = FLOAT * (2 * spec.latent * layers.columns + 5 * spec.batch_size * layers.columns)
    traffic += (spec.encoder_epochs * inner + spec.decoder_epochs * FLOAT * 8 * spec.latent * layers.columns) / passes
    return Work(rows.n * flops, -(-rows.n // spec.batch_size) * traffic, spec.latent)


def _ease(spec: Any, rows: Rows, _: int) -> Work:
    """Return n³ FLOPs for the inverse by Cholesky factorization; the Gram matrix is sparse, and scores sum rows."""
    size = 8 if spec.dtype == "float64" else FLOAT
    return Work(float(rows.width) ** 3, 2.0 * size * rows.width**2, max(1, round(rows.entries)))


def _als(spec: Any, rows: Rows, _: int) -> Work:
    """Return an iteration with three conjugate-gradient steps: two Gram matrices, and products with each row.

    Takács, Pilászy, Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
    Filtering", RecSys 2011.
    """
    f, n_rows, entries = spec.latent, rows.n + rows.width, rows.n * rows.entries
    flops = 2 * f**2 * n_rows + 4 * (2 * f**2 * n_rows + 2 * 4 * f * entries)
    return Work(flops, FLOAT * f * (2 * n_rows + 2 * entries), f)


def rates(
    device: torch.device, precision: str, batch: int, width: int, columns: int, seconds: float
) -> dict[str, float]:
    """Measure the FLOP/s of the three products of an output layer, and the bytes/s of a copy.

    The products are those of ``batch`` rows, ``width`` inputs and ``columns`` outputs: forward, and both gradients.
    """
    columns = min(columns, COLUMNS)
    dtype = DTYPES.get(precision, torch.float32)
    h = torch.randn(batch, width, device=device).to(dtype)
    weight = torch.randn(columns, width, device=device).to(dtype)
    logits = h @ weight.T

    def products() -> tuple[Tensor, ...]:
        return h @ weight.T, logits.T @ h, logits @ weight

    taken = _median(products, device, seconds / 2)
    source = torch.ones(COPIED, device=device)
    target = torch.empty_like(source)
    copied = _median(lambda: target.copy_(source), device, seconds / 2)
    bandwidth = 2 * source.numel() * source.element_size() / copied
    return {"gemm": 6 * batch * width * columns / taken, "bandwidth": bandwidth}


def _median(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    work()
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < 3 or (time.perf_counter() < until and len(times) < 100):
        times.append(seconds_of(work, device))
    return statistics.median(times)


def as_dict(least: Work, rates: dict[str, float], seconds: float) -> dict[str, Any]:
    """Return the bound in seconds, its cause, and the fraction of it that was reached."""
    bound = least.bound(rates)
    by = "arithmetic" if least.flops / rates["gemm"] >= least.bytes / rates["bandwidth"] else "traffic"
    return {**dataclasses.asdict(least), "seconds": bound, "by": by, "fraction": bound / seconds}
