"""Deep autoencoder: several hidden layers to the code and back, optionally pretrained layer by layer.

Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 2006; greedy stacking of
autoencoders: Bengio, Lamblin, Popovici, Larochelle, NeurIPS 2006.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recsys_ae.features.nn.contract import FeatureShape, TrainableFeatureAutoencoder, TrainableFeatureSpec
from recsys_ae.features.nn.dense import ACTIVATIONS, Activation, Dense, Mirrored, Transposed, evenly_spaced
from recsys_ae.features.nn.likelihoods import Likelihood, mean_of, reconstruction
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.history import History
from recsys_ae.nn.model import Validate
from recsys_ae.nn.runtime import Run
from recsys_ae.nn.training import loop
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.nn.training.trainable import Trainable
from recsys_ae.spec.hyper import hp
from recsys_ae.tracking.tracker import NoTracker


@dataclass(frozen=True, kw_only=True)
class Deep(TrainableFeatureSpec):
    """Hyper-parameters of the deep autoencoder."""

    hidden: tuple[int, ...] = hp(
        (), "widths of the hidden layers before the code, mirrored by the decoder; empty: set by layers", low=1
    )
    layers: int = hp(
        3, "number of hidden layers before the code, narrower in equal steps, if hidden is empty", low=0, high=1000
    )
    activation: Activation = hp("relu", "activation of the hidden layers; the code is linear")
    likelihood: Likelihood = hp(
        "gaussian", "loss of the values: gaussian is the squared error, bernoulli the cross-entropy (values 0 to 1)"
    )
    tied: bool = hp(False, "tied weights: the decoder uses the encoder's, transposed")
    pretrain_epochs: int = hp(
        0, "passes of pretraining, in which each layer first learns alone to reconstruct its input; 0: none", low=0
    )

    def build(self, shape: FeatureShape) -> "DeepNetwork":
        """Return the untrained network."""
        return DeepNetwork(self, shape)


class DeepNetwork(TrainableFeatureAutoencoder[Deep]):
    """Dense layers with a linear code in the middle."""

    def __init__(self, spec: Deep, shape: FeatureShape) -> None:
        super().__init__(spec)
        hidden = spec.hidden or evenly_spaced(shape.width, spec.latent, spec.layers)
        self.layers = Mirrored(shape.width, hidden, spec.latent, spec.activation, code="linear", tied=spec.tied)

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the code."""
        return self.layers.encode(x.seen)

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of the likelihood."""
        return mean_of(self.spec.likelihood, self.layers.decode(z))

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return −log p(x | z) without constants, summed over columns."""
        (error,) = step.run(self._error, *x.seen_and_known)
        return Loss(error, {"error": error})

    def _error(self, target: Tensor, known: Tensor | None = None) -> tuple[Tensor]:
        output = self.layers.decode(self.layers.encode(target))
        return (reconstruction(self.spec.likelihood, output, target, known).mean(),)

    def learn(self, rows: FeatureRows, run: Run, validate: Validate | None = None) -> History:
        """Train all layers at once, after pretraining them one by one if ``pretrain_epochs`` is not 0."""
        if self.spec.pretrain_epochs:
            self._pretrain(rows, run)
        return super().learn(rows, run, validate)

    def _pretrain(self, rows: FeatureRows, run: Run) -> None:
        quiet = dataclasses.replace(run, tracker=NoTracker(), progress=None)
        spec = dataclasses.replace(self.spec, epochs=self.spec.pretrain_epochs)
        for layer in range(len(self.layers.encoder.layers)):
            stage = _Stage(spec, self.layers, layer).to(rows.device)
            loop.train(stage, rows, quiet, None)
            with torch.no_grad():
                chunks = torch.split(torch.arange(len(rows), device=rows.device), 1024)
                hidden = torch.cat([stage.up(rows.take(positions).seen) for positions in chunks])
            rows = FeatureRows(hidden, Scaling(hidden.shape[1]).to(rows.device), words=False)


class _Stage(Trainable[FeatureRows, Deep]):
    """A layer of the encoder and its inverse in the decoder, trained on the outputs of the layer below."""

    def __init__(self, spec: Deep, layers: Mirrored, index: int) -> None:
        super().__init__(spec)
        encoder, decoder = layers.encoder, layers.decoder
        self.index = index
        self.layer: Any = encoder.layers[index]
        back = len(encoder.layers) - 1 - index
        self.back: Any = decoder.layers[back] if isinstance(decoder, Dense) else None
        self.bias: Any = decoder.biases[back] if isinstance(decoder, Transposed) else None
        self.activation = encoder.activations[index]
        self.output = decoder.activations[back]

    def up(self, x: Tensor) -> Tensor:
        """Return the output of the layer."""
        return ACTIVATIONS[self.activation](self.layer(x))

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return the reconstruction error of the inputs of the layer."""
        target = x.seen
        hidden = self.up(target)
        output = (
            nn.functional.linear(hidden, self.layer.weight.T, self.bias) if self.back is None else self.back(hidden)
        )
        likelihood = self.spec.likelihood if self.index == 0 else "gaussian"
        error = reconstruction(likelihood, ACTIVATIONS[self.output](output), target, x.known).mean()
        return Loss(error, {"error": error})
