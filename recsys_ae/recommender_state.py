"""What of a recommender is kept on the disk."""

from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from recsys_ae.artefact import Artefact
from recsys_ae.cold_start import ColdStart
from recsys_ae.hyper import flatten
from recsys_ae.nn.autoencoder import Shape

if TYPE_CHECKING:
    from recsys_ae.recommender import Recommender


def kept(model: "Recommender") -> Artefact:
    """Return all that a model is."""
    state = {f"network.{name}": tensor for name, tensor in model.network.state_dict().items()}
    config: dict[str, Any] = {
        "model": model.spec.name(),
        "spec": flatten(model.spec),
        "shape": [model.facts["users"], len(model.items)],
        "facts": model.facts,
        "history": model.history,
    }
    state["popularity"] = model._popularity
    columns: pd.Index[Any] = pd.Index([])
    if model._cold_start is not None:
        columns, config["form"] = model._cold_start.columns, list(model._cold_start.form)
        state |= model._cold_start.state()
    return Artefact(config, model.items, state, model.notes, model.users, columns=columns)


def put_back(model: "Recommender", stored: Artefact) -> None:
    """Give a model with the spec of what is stored everything else of it."""
    n_rows, width = stored.config["shape"]
    with torch.device("meta"):  # shapes only: what a new network would draw and hold is not needed
        network = model.spec.build(Shape(n_rows, width, len(stored.columns)))
    state = dict(stored.state)
    popularity = state.pop("popularity")
    found = ColdStart.restored(stored.columns, tuple(stored.config.get("form", ())), state)
    network.load_state_dict({name.removeprefix("network."): one for name, one in state.items()}, assign=True)
    model.history, model.facts, model.notes = stored.config["history"], stored.config["facts"], dict(stored.notes)
    model._network, model._popularity, model._cold_start = network.eval(), popularity, found
    model.items, model.users = stored.items, stored.users
