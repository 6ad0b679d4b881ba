"""One file per model of histories. The folder is the registry: a new file is a new model."""

from typing import TYPE_CHECKING, Any

from recsys_ae.spec import registry

if TYPE_CHECKING:
    from recsys_ae.models.als import ALS as ALS
    from recsys_ae.models.autorec import AutoRec as AutoRec
    from recsys_ae.models.blend import Blend as Blend
    from recsys_ae.models.bpr import BPR as BPR
    from recsys_ae.models.bspm import BSPM as BSPM
    from recsys_ae.models.cdae import CDAE as CDAE
    from recsys_ae.models.cease import CEASE as CEASE
    from recsys_ae.models.content_knn import ContentKNN as ContentKNN
    from recsys_ae.models.ease import EASE as EASE
    from recsys_ae.models.edlae import EDLAE as EDLAE
    from recsys_ae.models.elsa import ELSA as ELSA
    from recsys_ae.models.hvamp import HVamp as HVamp
    from recsys_ae.models.item_knn import ItemKNN as ItemKNN
    from recsys_ae.models.macrid_vae import MacridVAE as MacridVAE
    from recsys_ae.models.mult_dae import MultDAE as MultDAE
    from recsys_ae.models.mult_vae import MultVAE as MultVAE
    from recsys_ae.models.popularity import Popularity as Popularity
    from recsys_ae.models.recvae import RecVAE as RecVAE
    from recsys_ae.models.vasp import VASP as VASP
    from recsys_ae.nn.model import Spec


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
    """Import a model when its class is asked for: ``from recsys_ae.models import MultVAE``."""
    for module in names():
        if module.replace("_", "") == name.lower() and spec_class(module).__name__ == name:
            return spec_class(module)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
