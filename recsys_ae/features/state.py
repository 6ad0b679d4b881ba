"""State of a fitted feature encoder, and its folder on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch

from recsys_ae.data.parsing import Ids
from recsys_ae.features import models
from recsys_ae.features.data.features import Form
from recsys_ae.features.metadata import check_metadata
from recsys_ae.features.nn.contract import FeatureAutoencoder, FeatureShape, FeatureSpec
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.history import History
from recsys_ae.nn.loading import counts, epochs_of, fill, form_of, tensors
from recsys_ae.nn.saved import NETWORK, Saved
from recsys_ae.storage.artefact import Artefact

SCALING = "scaling"


@dataclass(frozen=True, eq=False)
class FittedEncoder(Saved):
    """Complete state of a fitted encoder; its attributes are those of a `FeatureEncoder`."""

    kind = "feature_encoder"
    registry = models.registry

    spec: FeatureSpec
    network: FeatureAutoencoder
    scaling: Scaling
    columns: Ids
    form: Form
    history: History
    metadata: dict[str, Any]
    notes: Mapping[str, Any]

    def own(self) -> Artefact:
        """Return the names of the columns and their scaling."""
        shape = [self.metadata["rows"], len(self.columns), list(self.form)]
        return Artefact({"shape": shape}, self.columns, tensors(SCALING, self.scaling), {})

    @classmethod
    def shape(cls, stored: Artefact) -> FeatureShape:
        """Return the number of rows and columns, and the form of a row; a `ValueError` if they do not fit together."""
        shape = stored.config["shape"]
        form = form_of(shape[2] if isinstance(shape, list) and len(shape) == 3 else None, len(stored.items))
        n_rows, width = counts(shape[:2], 2, "the shape of its network")
        if width != len(stored.items):
            raise ValueError(f"size mismatch: its network has {width:,} columns, and {len(stored.items):,} have names")
        return FeatureShape(n_rows, width, form)

    @classmethod
    def of(cls, spec: FeatureSpec, network: FeatureAutoencoder, stored: Artefact) -> Self:
        """Return the encoder that was saved; a `ValueError` if its parts do not fit together."""
        shape, config = cls.shape(stored), stored.config
        spec.check(shape)
        check_metadata(config["facts"], shape)
        with torch.device("meta"):
            scaling = Scaling(shape.width)
        fill(SCALING, scaling, stored.state)
        known = tensors(NETWORK, network).keys() | tensors(SCALING, scaling).keys()
        if strange := sorted(stored.state.keys() - known):
            raise ValueError(f"the tensor {strange[0]} is not part of the model")
        history = History.replayed(epochs_of(config["history"]), spec.monitor)
        return cls(spec, network, scaling, stored.items, shape.form, history, config["facts"], stored.notes)
