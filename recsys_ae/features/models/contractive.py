"""Contractive autoencoder: a penalty on the encoder's Jacobian makes the code insensitive to small changes of a row.

Rifai, Vincent, Muller, Glorot, Bengio, "Contractive Auto-Encoders: Explicit Invariance During Feature Extraction",
ICML 2011. With one layer and the gaussian likelihood the output lies in a plane, and no code reconstructs rows better
than that of PCA (Bourlard and Kamp 1988). The bernoulli likelihood or hidden layers can do better.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.dense import Mirrored
from recsys_ae.features.nn.likelihoods import Likelihood, mean_of, reconstruction
from recsys_ae.features.nn.output_bias import BiasedAutoencoder, BiasedSpec
from recsys_ae.features.nn.penalties import estimated_jacobian_norm, jacobian_norm
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class Contractive(BiasedSpec):
    """Hyper-parameters of the contractive autoencoder; the paper has one sigmoid layer with tied weights."""

    hidden: tuple[int, ...] = hp((), "widths of the hidden layers before the code, mirrored by the decoder", low=1)
    contraction: float = hp(
        0.1, "weight of the squared norm of the encoder's Jacobian", low=0, search=("log", 1e-3, 10)
    )
    jacobian: Literal["exact", "estimated"] = hp("exact", "norm of the Jacobian: exact, or estimated without bias")
    probes: int = hp(1, "number of random directions of the estimate (estimated only)", low=1)
    activation: Literal["sigmoid", "tanh", "relu", "linear"] = hp(
        "sigmoid", "activation of the hidden layers and the code"
    )
    likelihood: Likelihood = hp(
        "gaussian", "loss of the values: gaussian is the squared error, bernoulli the cross-entropy (values 0 to 1)"
    )
    tied: bool = hp(
        True,
        "tied weights: the decoder uses the encoder's, transposed, so small weights do not evade the penalty",
    )

    @property
    def constrained(self) -> bool:
        """True if the penalty keeps the model from learning the identity."""
        return self.contraction > 0

    def kept(self, shape: FeatureShape, network: nn.Module) -> int:
        """Add the Jacobians between layers, or the tensors of the estimate, to the outputs of the layers."""
        dense = super().kept(shape, network)
        if self.jacobian == "estimated":
            return dense * (1 + self.probes)
        return dense + (2 * self.latent * (shape.width + sum(self.hidden)) if self.hidden else 0)

    def build(self, shape: FeatureShape) -> "ContractiveNetwork":
        """Return the untrained network."""
        return ContractiveNetwork(self, shape)


class ContractiveNetwork(BiasedAutoencoder[Contractive]):
    """Dense layers to a code with the same activation, and back."""

    def __init__(self, spec: Contractive, shape: FeatureShape) -> None:
        super().__init__(spec)
        self.layers = Mirrored(
            shape.width, spec.hidden, spec.latent, spec.activation, code=spec.activation, tied=spec.tied
        )

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the code."""
        return self.layers.encode(x.seen)

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of the likelihood."""
        return mean_of(self.spec.likelihood, self.layers.decode(z))

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return −log p(x | z) + λ ‖∂f/∂x‖²_F (eq. 7)."""
        spec, inputs = self.spec, x.seen_and_known
        if spec.jacobian == "exact":
            error, penalty = step.run(self._error_and_penalty, *inputs)
        else:
            (error,) = step.run(self._error, *inputs)
            penalty = estimated_jacobian_norm(self.layers.encoder, inputs[0], spec.probes, step.generator)
        return Loss(error + spec.contraction * penalty, {"error": error, "jacobian": penalty})

    def _error(self, target: Tensor, known: Tensor | None = None) -> tuple[Tensor]:
        output = self.layers.decode(self.layers.encode(target))
        return (reconstruction(self.spec.likelihood, output, target, known).mean(),)

    def _error_and_penalty(self, target: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return *self._error(target, known), jacobian_norm(self.layers.encoder, target)
