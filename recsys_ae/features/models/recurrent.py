"""Recurrent autoencoder: an LSTM or GRU reads a sequence into a code, and another reconstructs it, last step first.

Srivastava, Mansimov, Salakhutdinov, "Unsupervised Learning of Video Representations using LSTMs", ICML 2015, §2.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from recsys_ae.features.data.features import SEQUENCE
from recsys_ae.features.nn.contract import FeatureShape, TrainableFeatureAutoencoder, TrainableFeatureSpec
from recsys_ae.features.nn.likelihoods import Likelihood, mean_of, reconstruction
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.layers import linear, recur
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class Recurrent(TrainableFeatureSpec):
    """Hyper-parameters of the recurrent autoencoder."""

    reads: ClassVar[tuple[int, ...]] = (SEQUENCE,)

    cell: Literal["lstm", "gru"] = hp("lstm", "recurrent cell of encoder and decoder")
    hidden: int = hp(128, "size of the hidden state of encoder and decoder", low=1, search=("log", 32, 512))
    bidirectional: bool = hp(False, "second encoder that reads from the end; the code is made from both states")
    repeated: bool = hp(False, "code as input of the decoder at every step, not only as its first state")
    conditional: bool = hp(
        False, "previous step as input of the decoder: the true one in training, later its own output"
    )
    likelihood: Likelihood = hp(
        "gaussian", "loss of the values: gaussian is the squared error, bernoulli the cross-entropy (values 0 to 1)"
    )
    clip_norm: float = hp(
        1.0, "largest Euclidean norm of the gradient; a longer one is scaled down to it; 0 turns clipping off", low=0
    )

    def kept(self, shape: FeatureShape, network: nn.Module) -> int:
        """Count the numbers of all steps on a CPU: each unit's gates before and after activation, and its states."""
        steps, width = shape.form
        units = (2 + self.bidirectional) * self.hidden * (22 if self.cell == "lstm" else 12)
        return steps * (units + (5 + self.bidirectional) * width + self.repeated * self.latent)

    def build(self, shape: FeatureShape) -> "RecurrentNetwork":
        """Return the untrained network."""
        return RecurrentNetwork(self, shape)


class RecurrentNetwork(TrainableFeatureAutoencoder[Recurrent]):
    """A recurrent encoder and decoder: last state to code, code to first state; the last step is decoded first."""

    def __init__(self, spec: Recurrent, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.steps, self.width = shape.form
        kind: Any = nn.LSTM if spec.cell == "lstm" else nn.GRU
        self.reader = kind(self.width, spec.hidden, batch_first=True, bidirectional=spec.bidirectional)
        self.to_code = linear(spec.hidden * (1 + spec.bidirectional), spec.latent)
        self.from_code = linear(spec.latent, spec.hidden)
        self.writer = kind(self.width + spec.latent * spec.repeated, spec.hidden, batch_first=True)
        self.output = linear(spec.hidden, self.width)

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the code of each sequence; padding is never read."""
        return self._code(x.seen.reshape(-1, self.steps, self.width), x)

    def decode(self, z: Tensor) -> Tensor:
        """Return sequences of full length, in their order."""
        written = mean_of(self.spec.likelihood, self._written(z, None))
        return written.flip(1).flatten(1)

    def forward(self, x: FeatureRows) -> Tensor:
        """Return reconstructions as long as the sequences of x."""
        return self.decode_as(self.encode(x), x)

    def decode_as(self, z: Tensor, x: FeatureRows) -> Tensor:
        """Return sequences as long as those of x, padded with 0."""
        written = mean_of(self.spec.likelihood, self._written(z, None))
        back = backwards(written, self._lengths(x)).flatten(1)
        return back if x.inside is None else back * x.inside

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return −log p of the steps, the last one first, without constants and padding."""
        sequence, lengths = x.seen.reshape(-1, self.steps, self.width), self._lengths(x)
        target = backwards(sequence, lengths)
        written = self._written(self._code(sequence, x), target if self.spec.conditional else None)
        error = reconstruction(self.spec.likelihood, written.flatten(1), target.flatten(1), x.inside).mean()
        return Loss(error, {"error": error})

    def _lengths(self, x: FeatureRows) -> Tensor:
        return x.steps_inside.sum(dim=1)

    def _code(self, sequence: Tensor, x: FeatureRows) -> Tensor:
        _, state = recur(self.reader, packed(sequence, self._lengths(x), x.lengths_on_cpu))
        hidden = state[0] if self.spec.cell == "lstm" else state  # (directions, n, hidden)
        code: Tensor = self.to_code(hidden.transpose(0, 1).flatten(1))
        return code

    def _written(self, z: Tensor, taught: Tensor | None) -> Tensor:
        """Decode all steps, ``(n, steps, width)``; ``taught`` holds the true steps for a conditional decoder."""
        hidden = torch.tanh(self.from_code(z))[None]
        state: Any = (hidden, torch.zeros_like(hidden)) if self.spec.cell == "lstm" else hidden
        zeros = z.new_zeros(len(z), 1, self.width)
        if taught is not None or not self.spec.conditional:
            targets = zeros.expand(-1, self.steps, -1) if taught is None else taught
            previous = torch.cat([zeros, targets[:, :-1]], dim=1)
            output: Tensor = self.output(recur(self.writer, self._with_code(z, previous), state)[0])
            return output
        previous, steps = zeros, []
        for _ in range(self.steps):
            hidden, state = recur(self.writer, self._with_code(z, previous), state)
            steps.append(self.output(hidden))
            previous = mean_of(self.spec.likelihood, steps[-1])
        return torch.cat(steps, dim=1)

    def _with_code(self, z: Tensor, inputs: Tensor) -> Tensor:
        """Append the code to the inputs of the decoder at every step, if it is repeated."""
        return torch.cat([inputs, z[:, None].expand(-1, inputs.shape[1], -1)], dim=2) if self.spec.repeated else inputs


def packed(sequence: Tensor, lengths: Tensor, known_lengths: Tensor) -> PackedSequence:
    """Pack sequences for a recurrent layer, the longest first; ``known_lengths`` are the lengths in the CPU's memory.

    PyTorch's own function sorts on the CPU and copies the order to a GPU, which makes the CPU wait.
    """
    order = torch.sort(lengths, descending=True).indices
    descending = torch.sort(known_lengths, descending=True).values
    in_order = pack_padded_sequence(sequence.index_select(0, order), descending, batch_first=True)
    return PackedSequence(in_order.data, in_order.batch_sizes, order)


def backwards(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence ``(steps, width)`` within its length; padding stays at the end."""
    steps = torch.arange(sequence.shape[1], device=sequence.device)
    source = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return sequence.gather(1, source[:, :, None].expand_as(sequence))
