"""Fast versions of all models, which learn the blocks of `recsys_ae.testing.blocks`."""

from typing import Any

from recsys_ae import models
from recsys_ae.nn.model import PAPER, Spec
from recsys_ae.spec.hyper import build, describe
from recsys_ae.testing.blocks import BLOCKS, ITEMS, block_of, features, holdout, training_data

__all__ = ["BLOCKS", "ITEMS", "block_of", "features", "holdout", "small", "training_data"]
SMALL = {
    "epochs": 40, "batch_size": 16, "latent": 8, "hidden": (16,), "width": 16, "pseudo_inputs": 5, "lr": 0.01,
}  # fmt: skip
"""Hyper-parameters that make a model fast, for models that have them."""
OWN: dict[str, dict[str, Any]] = {
    "cdae": {"lr": 0.1},
    "als": {"l2": 3.0},
    "autorec": {"l2": 1.0, "lr": 0.03},
    "cease": {"l2": 5.0, "weight": 1.0},
    "content_knn": {"neighbors": 7},
    "blend": {"members": ("ease l2=5", "mult_dae epochs=20 batch_size=16 lr=0.01 latent=8 ema_decay=0 patience=0")},
    "bpr": {"lr": 0.1},
    "hvamp": {"lr": 0.03},
    "macrid_vae": {"lr": 0.03},
    "recvae": {"lr": 0.03},
}
"""Further hyper-parameters of fast models, by the name of the model."""

FROM_FEATURES = ("cease", "content_knn")
"""Models that learn from item features."""


def small(name: str, **chosen: Any) -> Spec:
    """Return a fast version of a model with its paper's settings; it gets no hidden layers if it has none there."""
    cls = models.spec_class(name)
    paper = cls.presets.get(PAPER, {})
    usual = {hyper.name: hyper.default for hyper in describe(cls)} | dict(paper)
    values = {key: value for key, value in SMALL.items() if usual.get(key)} | OWN.get(name, {})
    return build(cls, {**paper, **values, **{key: value for key, value in chosen.items() if key in usual}})
