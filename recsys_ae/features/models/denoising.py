"""Denoising autoencoder: it reads corrupted rows and reconstructs the clean ones, optionally with close codes of both.

Vincent, Larochelle, Lajoie, Bengio, Manzagol, "Stacked Denoising Autoencoders", JMLR 2010; the encoder's distortion:
Sanchez Giraldo, "Revisiting denoising auto-encoders".
"""

from dataclasses import dataclass

from torch import Tensor

from recsys_ae.features.nn.contract import FeatureShape, TrainableFeatureAutoencoder, TrainableFeatureSpec
from recsys_ae.features.nn.dense import Activation, Mirrored
from recsys_ae.features.nn.likelihoods import Likelihood, mean_of, reconstruction
from recsys_ae.features.nn.penalties import encoder_distortion
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.corruption import Corruption, corrupt
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class Denoising(TrainableFeatureSpec):
    """Hyper-parameters of the denoising autoencoder."""

    hidden: tuple[int, ...] = hp((256,), "widths of the hidden layers before the code, mirrored by the decoder", low=1)
    corruption: Corruption = hp("masking", "kind of corruption of the input")
    level: float = hp(
        0.3, "standard deviation of gaussian noise, or the share of values that are corrupted", low=0, high=1
    )
    distortion: float = hp(
        0.0, "weight 1/λ of the squared distance between the codes of corrupted and clean rows; 0: none", low=0
    )
    activation: Activation = hp("relu", "activation of the hidden layers; the code is linear")
    likelihood: Likelihood = hp(
        "gaussian", "loss of the values: gaussian is the squared error, bernoulli the cross-entropy (values 0 to 1)"
    )
    tied: bool = hp(False, "tied weights: the decoder uses the encoder's, transposed")

    @property
    def constrained(self) -> bool:
        """True if noise keeps the model from learning the identity."""
        return self.level > 0

    def build(self, shape: FeatureShape) -> "DenoisingNetwork":
        """Return the untrained network."""
        return DenoisingNetwork(self, shape)


class DenoisingNetwork(TrainableFeatureAutoencoder[Denoising]):
    """Dense layers to a linear code and back."""

    def __init__(self, spec: Denoising, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.layers = Mirrored(shape.width, spec.hidden, spec.latent, spec.activation, code="linear", tied=spec.tied)

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the code of the rows, without corruption."""
        return self.layers.encode(x.seen)

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of the likelihood."""
        return mean_of(self.spec.likelihood, self.layers.decode(z))

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return E[−log p(x | f(x̃)) + (1/λ) ‖f(x̃) − f(x)‖²] with one corrupted x̃ of each row."""
        spec, inputs = self.spec, x.seen_and_known
        corrupted = corrupt(inputs[0], spec.corruption, spec.level, step.generator)
        error, *distortions = step.run(self._error_and_distortion, corrupted, *inputs)
        if not distortions:
            return Loss(error, {"error": error})
        return Loss(error + spec.distortion * distortions[0], {"error": error, "distortion": distortions[0]})

    def _error_and_distortion(
        self, corrupted: Tensor, target: Tensor, known: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        code = self.layers.encode(corrupted)
        error = reconstruction(self.spec.likelihood, self.layers.decode(code), target, known).mean()
        return (error, encoder_distortion(self.layers.encode(target), code)) if self.spec.distortion else (error,)
