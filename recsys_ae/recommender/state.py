"""State of a fitted recommender, as it is saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
from torch import Tensor

from recsys_ae import models
from recsys_ae.cold_start.cold_start import ColdStart
from recsys_ae.data.interactions import Ids
from recsys_ae.nn.history import History
from recsys_ae.nn.model import Model, Shape, Spec
from recsys_ae.nn.saved import Saved
from recsys_ae.storage.artefact import Artefact


@dataclass(frozen=True, eq=False)
class Fitted(Saved):
    """State of a fitted recommender; the attributes are those of `Recommender`."""

    kind = "recommender"
    registry = models.registry

    spec: Spec
    network: Model
    popularity: Tensor
    items: Ids
    users: Ids
    cold_start: ColdStart | None
    history: History
    metadata: dict[str, Any]
    notes: Mapping[str, Any]

    def own(self) -> Artefact:
        """Return the ids, the popularity of the items, and the parameters that rank cold items."""
        config: dict[str, Any] = {"shape": [self.metadata["users"], len(self.items)]}
        state, columns = {"popularity": self.popularity}, pd.Index([])
        if self.cold_start is not None:
            columns, config["form"] = self.cold_start.columns, list(self.cold_start.form)
            state |= self.cold_start.state()
        return Artefact(config, self.items, state, {}, self.users, columns=columns)

    @classmethod
    def shape(cls, stored: Artefact) -> Shape:
        """Return the numbers of users, items and item features."""
        n_rows, width = stored.config["shape"]
        return Shape(n_rows, width, len(stored.columns))

    @classmethod
    def of(cls, spec: Spec, network: Model, stored: Artefact) -> Self:
        """Return the state of a saved model."""
        config, state = stored.config, dict(stored.state)
        cold_start = ColdStart.restored(stored.columns, tuple(config.get("form", ())), state)
        learnt = network, state["popularity"], stored.items, stored.users, cold_start
        history = History.replayed(config["history"], spec.monitor)
        return cls(spec, *learnt, history, config["facts"], stored.notes)
