"""One file per model of histories. The folder is the registry: a new file is a new model."""

from typing import TYPE_CHECKING, Any

from recsys_ae import registry

if TYPE_CHECKING:
    from recsys_ae.nn.autoencoder import Spec
    from recsys_ae.recommenders.als import ALS as ALS
    from recsys_ae.recommenders.autorec import AutoRec as AutoRec
    from recsys_ae.recommenders.blend import Blend as Blend
    from recsys_ae.recommenders.bpr import BPR as BPR
    from recsys_ae.recommenders.bspm import BSPM as BSPM
    from recsys_ae.recommenders.cdae import CDAE as CDAE
    from recsys_ae.recommenders.cease import CEASE as CEASE
    from recsys_ae.recommenders.content_knn import ContentKNN as ContentKNN
    from recsys_ae.recommenders.ease import EASE as EASE
    from recsys_ae.recommenders.edlae import EDLAE as EDLAE
    from recsys_ae.recommenders.elsa import ELSA as ELSA
    from recsys_ae.recommenders.hvamp import HVamp as HVamp
    from recsys_ae.recommenders.item_knn import ItemKNN as ItemKNN
    from recsys_ae.recommenders.macrid_vae import MacridVAE as MacridVAE
    from recsys_ae.recommenders.mult_dae import MultDAE as MultDAE
    from recsys_ae.recommenders.mult_vae import MultVAE as MultVAE
    from recsys_ae.recommenders.popularity import Popularity as Popularity
    from recsys_ae.recommenders.recvae import RecVAE as RecVAE
    from recsys_ae.recommenders.vasp import VASP as VASP


def names() -> tuple[str, ...]:
    """Return the names of all models, without importing one."""
    return registry.names(__path__[0])


def summary(name: str) -> str:
    """Return a model's docstring, without importing it."""
    return registry.summary(__path__[0], name)


def spec_class(name: str) -> "type[Spec]":
    """Return the hyper-parameters' class of a model; ``mult-vae`` and ``mult_vae`` are the same name."""
    found: type[Spec] = registry.spec_class(__name__, __path__[0], name, "model")
    return found


def __getattr__(name: str) -> Any:
    """Import a model when its class is asked for: ``from recsys_ae.recommenders import MultVAE``."""
    for module in names():
        if module.replace("_", "") == name.lower() and spec_class(module).__name__ == name:
            return spec_class(module)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
