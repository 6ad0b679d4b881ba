"""Feature autoencoders, one file each. The folder is the registry: a new file is a new model."""

from typing import TYPE_CHECKING

from recsys_ae.spec.registry import Registry

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

registry: "Registry[FeatureSpec]" = Registry(__name__, __path__[0], "autoencoder", group=__name__)
names, summary, spec_class = registry.names, registry.summary, registry.spec_class
__getattr__ = registry.attribute
