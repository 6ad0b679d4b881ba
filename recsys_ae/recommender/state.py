"""What of a recommender is kept on the disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
import torch
from torch import Tensor

from recsys_ae import models
from recsys_ae.cold_start.cold_start import ColdStart
from recsys_ae.data.interactions import Ids
from recsys_ae.nn.history import History
from recsys_ae.nn.model import Model, Shape, Spec
from recsys_ae.spec.hyper import build, flatten
from recsys_ae.storage.artefact import Artefact


@dataclass(frozen=True, eq=False)
class Fitted:
    """All that a fitted model is; its attributes are those of a `Recommender`."""

    spec: Spec
    network: Model
    popularity: Tensor
    items: Ids
    users: Ids
    cold_start: ColdStart | None
    history: History
    metadata: dict[str, Any]
    notes: Mapping[str, Any]

    def artefact(self) -> Artefact:
        """Return it as configuration, ids and tensors."""
        state = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        state["popularity"] = self.popularity
        config: dict[str, Any] = {
            "model": self.spec.name(),
            "spec": flatten(self.spec),
            "shape": [self.metadata["users"], len(self.items)],
            "facts": self.metadata,
            "history": self.history,
        }
        columns: pd.Index[Any] = pd.Index([])
        if self.cold_start is not None:
            columns, config["form"] = self.cold_start.columns, list(self.cold_start.form)
            state |= self.cold_start.state()
        return Artefact(config, self.items, state, self.notes, self.users, columns=columns)

    @classmethod
    def of(cls, stored: Artefact) -> Self:
        """Make a model of what `artefact` returned."""
        config, state = stored.config, dict(stored.state)
        spec: Spec = build(models.spec_class(config["model"]), config["spec"])
        n_rows, width = config["shape"]
        with torch.device("meta"):  # shapes only: what a new network would draw and hold is not needed
            network = spec.build(Shape(n_rows, width, len(stored.columns)))
        popularity = state.pop("popularity")
        cold_start = ColdStart.restored(stored.columns, tuple(config.get("form", ())), state)
        network.load_state_dict({name.removeprefix("network."): one for name, one in state.items()}, assign=True)
        found = spec, network.eval(), popularity, stored.items, stored.users, cold_start
        return cls(*found, History.replayed(config["history"], spec.monitor), config["facts"], stored.notes)
