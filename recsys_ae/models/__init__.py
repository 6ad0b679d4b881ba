"""Recommenders, one per file. The folder is the registry: a new file is a new model."""

from typing import TYPE_CHECKING, Any

from recsys_ae.spec.faces import lazy
from recsys_ae.spec.registry import Registry

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
    from recsys_ae.nn.history import History as History
    from recsys_ae.nn.model import Model as Model
    from recsys_ae.nn.model import Shape as Shape
    from recsys_ae.nn.model import Spec as Spec
    from recsys_ae.nn.rows import Rows as Rows
    from recsys_ae.nn.training.model import TrainableModel as TrainableModel
    from recsys_ae.nn.training.model import TrainableSpec as TrainableSpec
    from recsys_ae.spec.hyper import hp as hp

_HOMES = {
    "History": "recsys_ae.nn.history",
    "Model": "recsys_ae.nn.model",
    "Rows": "recsys_ae.nn.rows",
    "Shape": "recsys_ae.nn.model",
    "Spec": "recsys_ae.nn.model",
    "TrainableModel": "recsys_ae.nn.training.model",
    "TrainableSpec": "recsys_ae.nn.training.model",
    "hp": "recsys_ae.spec.hyper",
}
"""Modules of the names that a custom model is written with."""

registry: "Registry[Spec]" = Registry(__name__, __path__[0], "model", group=__name__)
names, summary, spec_class = registry.names, registry.summary, registry.spec_class


def _attribute(name: str) -> Any:
    """Return the spec class of a model by the name of the class; for ``__all__``, the sorted public names."""
    if name == "__all__":
        return sorted((*_HOMES, "names", "spec_class", "summary", *registry.class_names()))
    return registry.attribute(name)


__getattr__, __dir__ = lazy(__name__, _HOMES, _attribute)
