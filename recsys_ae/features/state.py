"""State of a fitted feature encoder, and its folder on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch

from recsys_ae.data.parsing import Ids
from recsys_ae.features import models
from recsys_ae.features.data.features import Form
from recsys_ae.features.nn.contract import FeatureAutoencoder, FeatureShape, FeatureSpec
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.history import History
from recsys_ae.nn.saved import Saved, fill, tensors
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
        """Return the number of rows and columns, and the form of a row."""
        rows, width, form = stored.config["shape"]
        return FeatureShape(rows, width, tuple(form))

    @classmethod
    def of(cls, spec: FeatureSpec, network: FeatureAutoencoder, stored: Artefact) -> Self:
        """Return the encoder that was saved."""
        shape = cls.shape(stored)
        with torch.device("meta"):
            scaling = Scaling(shape.width)
        fill(SCALING, scaling, stored.state)
        history = History.replayed(stored.config["history"], spec.monitor)
        return cls(spec, network, scaling, stored.items, shape.form, history, stored.config["facts"], stored.notes)
