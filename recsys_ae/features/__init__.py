"""Item features and the autoencoders that encode them."""

from typing import TYPE_CHECKING

from recsys_ae.spec.faces import lazy

if TYPE_CHECKING:
    from recsys_ae.features.data.features import Features as Features
    from recsys_ae.features.data.features import joined as joined
    from recsys_ae.features.data.labels import read_labels as read_labels
    from recsys_ae.features.data.read import read_features as read_features
    from recsys_ae.features.data.sequences import histories as histories
    from recsys_ae.features.encoder import FeatureEncoder as FeatureEncoder

_HOMES = {
    "FeatureEncoder": "recsys_ae.features.encoder",
    "Features": "recsys_ae.features.data.features",
    "histories": "recsys_ae.features.data.sequences",
    "joined": "recsys_ae.features.data.features",
    "read_features": "recsys_ae.features.data.read",
    "read_labels": "recsys_ae.features.data.labels",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
