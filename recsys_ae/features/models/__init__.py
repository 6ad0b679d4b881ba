"""One file per model of features. The folder is the registry: a new file is a new model."""

from typing import TYPE_CHECKING, Any

from recsys_ae.spec import registry

if TYPE_CHECKING:
    from recsys_ae.features.models.adversarial import Adversarial as Adversarial
    from recsys_ae.features.models.contractive import Contractive as Contractive
    from recsys_ae.features.models.convolutional import Convolutional as Convolutional
    from recsys_ae.features.models.deep import Deep as Deep
    from recsys_ae.features.models.denoising import Denoising as Denoising
    from recsys_ae.features.models.masked import Masked as Masked
    from recsys_ae.features.models.pca import PCA as PCA
    from recsys_ae.features.models.recurrent import Recurrent as Recurrent
    from recsys_ae.features.models.sparse import Sparse as Sparse
    from recsys_ae.features.models.vanilla import Vanilla as Vanilla
    from recsys_ae.features.models.variational import Variational as Variational
    from recsys_ae.features.nn.contract import FeatureSpec


def names() -> tuple[str, ...]:
    """Return the names of all models, without importing one."""
    return registry.names(__path__[0])


def summary(name: str) -> str:
    """Return a model's docstring, without importing it."""
    return registry.summary(__path__[0], name)


def spec_class(name: str) -> "type[FeatureSpec]":
    """Return the hyper-parameters' class of a model."""
    found: type[FeatureSpec] = registry.spec_class(__name__, __path__[0], name, "autoencoder")
    return found


def __getattr__(name: str) -> Any:
    """Import a model when its class is asked for: ``from recsys_ae.features.models import Variational``."""
    for module in names():
        if module.replace("_", "") == name.lower() and spec_class(module).__name__ == name:
            return spec_class(module)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
