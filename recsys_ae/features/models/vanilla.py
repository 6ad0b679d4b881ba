"""Vanilla autoencoder: one hidden layer, which is the code; a linear one spans the subspace of PCA.

Rumelhart, Hinton, Williams 1986; Baldi and Hornik, "Neural networks and principal component analysis", 1989. With the
gaussian likelihood the output lies in a plane, so no activation function of the one layer reconstructs rows better
than PCA (Bourlard and Kamp 1988). The bernoulli likelihood can do better.
"""

from dataclasses import dataclass

from torch import Tensor

from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.dense import Activation, Mirrored
from recsys_ae.features.nn.likelihoods import Likelihood, mean_of, reconstruction
from recsys_ae.features.nn.output_bias import BiasedAutoencoder, BiasedSpec
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class Vanilla(BiasedSpec):
    """Hyper-parameters of the vanilla autoencoder."""

    activation: Activation = hp("sigmoid", "activation of the hidden layer")
    likelihood: Likelihood = hp(
        "gaussian", "loss of the values: gaussian is the squared error, bernoulli the cross-entropy (values 0 to 1)"
    )
    tied: bool = hp(False, "tied weights: the decoder uses the encoder's, transposed")

    def build(self, shape: FeatureShape) -> "VanillaNetwork":
        """Return the untrained network."""
        return VanillaNetwork(self, shape)


class VanillaNetwork(BiasedAutoencoder[Vanilla]):
    """z = φ(Wx + b), and a linear layer back, with a sigmoid for the bernoulli likelihood."""

    def __init__(self, spec: Vanilla, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.layers = Mirrored(shape.width, (), spec.latent, spec.activation, code=spec.activation, tied=spec.tied)

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the hidden layer."""
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
