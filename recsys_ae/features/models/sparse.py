"""Sparse autoencoder: few units of the code are active, by a KL penalty, an L1 penalty or by keeping the k largest.

KL: Ng, "Sparse autoencoder", CS294A 2011; top-k: Makhzani and Frey, "k-Sparse Autoencoders", ICLR 2014.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.dense import Activation, Mirrored
from recsys_ae.features.nn.likelihoods import Likelihood, mean_of, reconstruction
from recsys_ae.features.nn.output_bias import BiasedAutoencoder, BiasedSpec
from recsys_ae.features.nn.penalties import kl_sparsity, l1_activity, top_k
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class Sparse(BiasedSpec):
    """Hyper-parameters of the sparse autoencoder; those of the KL penalty are Ng's."""

    latent: int = hp(196, "dimensions of the code, which may be more than the columns", low=1, search=("log", 32, 1024))
    hidden: tuple[int, ...] = hp((), "widths of the hidden layers before the code, mirrored by the decoder", low=1)
    sparsity: Literal["kl", "l1", "top-k"] = hp(
        "kl", "source of the sparsity: a KL or L1 penalty on the code, or only the k largest values of a code"
    )
    rho: float = hp(0.05, "target of the mean activation of each unit of the code (kl only)", low=1e-6, high=0.999)
    weight: float = hp(3.0, "weight of the penalty (kl and l1 only)", low=0, search=("log", 1e-3, 10))
    k: int = hp(16, "number of values of a code that are kept (top-k only)", low=1)
    alpha: float = hp(
        1.0, "factor of k when rows are encoded: alpha times k values are kept, k in the training (top-k only)", low=1
    )
    activation: Activation = hp("sigmoid", "activation of the hidden layers and, except for top-k, of the code")
    likelihood: Likelihood = hp(
        "gaussian", "loss of the values: gaussian is the squared error, bernoulli the cross-entropy (values 0 to 1)"
    )
    l2: float = hp(
        5e-5, "L2 penalty: this times the sum of all squared weights, without biases, is added to the loss", low=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sparsity == "kl" and self.activation != "sigmoid":
            raise ConfigError(
                Argument("activation", self.activation),
                " does not fit the KL penalty, which needs activations from 0 to 1; use ",
                Argument("activation", "sigmoid"),
                ", ",
                Argument("sparsity", "l1"),
                " or ",
                Argument("sparsity", "top-k"),
            )

    @property
    def constrained(self) -> bool:
        """True: sparsity keeps the model from learning the identity."""
        return True

    def build(self, shape: FeatureShape) -> "SparseNetwork":
        """Return the untrained network."""
        return SparseNetwork(self, shape)


class SparseNetwork(BiasedAutoencoder[Sparse]):
    """Dense layers to a sparse code and back."""

    def __init__(self, spec: Sparse, shape: FeatureShape) -> None:
        super().__init__(spec)
        code = "linear" if spec.sparsity == "top-k" else spec.activation
        self.layers = Mirrored(shape.width, spec.hidden, spec.latent, spec.activation, code=code)

    def encode(self, x: FeatureRows) -> Tensor:
        """Return the code; with top-k, all but the αk largest values are 0 (Makhzani and Frey 2014, algorithm 1)."""
        return self._code(x.seen, round(self.spec.alpha * self.spec.k))

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of the likelihood."""
        return mean_of(self.spec.likelihood, self.layers.decode(z))

    def loss(self, x: FeatureRows, step: Step) -> Loss:
        """Return ½‖x − x̂‖² (or the cross-entropy) + β Σ_j KL(ρ ‖ ρ̂_j), or λ Σ_j |h_j|, mean over rows."""
        error, *penalties = step.run(self._error_and_penalty, *x.seen_and_known)
        if not penalties:
            return Loss(error, {"error": error})
        return Loss(error + self.spec.weight * penalties[0], {"error": error, "penalty": penalties[0]})

    def _error_and_penalty(self, target: Tensor, known: Tensor | None = None) -> tuple[Tensor, ...]:
        spec, code = self.spec, self._code(target, self.spec.k)
        error = reconstruction(spec.likelihood, self.layers.decode(code), target, known).mean()
        error = error / 2 if spec.likelihood == "gaussian" else error
        if spec.sparsity == "top-k":
            return (error,)
        return error, kl_sparsity(code, spec.rho) if spec.sparsity == "kl" else l1_activity(code)

    def _code(self, x: Tensor, k: int) -> Tensor:
        code = self.layers.encode(x)
        return top_k(code, k) if self.spec.sparsity == "top-k" else code
