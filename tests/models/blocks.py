"""Data with a known answer: users of four tastes, who touch items of their own block only."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae import models
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.features.data.features import Features
from recsys_ae.nn.model import Spec
from recsys_ae.spec.hyper import build, describe

BLOCKS, USERS, ITEMS = 4, 15, 8
SMALL = {
    "epochs": 40, "batch_size": 16, "latent": 8, "hidden": (16,), "width": 16, "pseudo_inputs": 5, "lr": 0.01,
}  # fmt: skip
"""What makes a model fast, for those that have such a hyper-parameter."""
OWN: dict[str, dict[str, Any]] = {
    "cdae": {"lr": 0.1},
    "als": {"l2": 3.0},
    "autorec": {"l2": 1.0, "lr": 0.03},
    "cease": {"l2": 5.0, "weight": 1.0},
    "content_knn": {"neighbors": 7},
    "blend": {"members": ("ease l2=5", "mult_dae epochs=20 batch_size=16 lr=0.01 latent=8")},
    "bpr": {"lr": 0.1},
    "hvamp": {"lr": 0.03},
    "macrid_vae": {"lr": 0.03},
    "recvae": {"lr": 0.03},
}
"""What else that takes, by the name of the model."""

FROM_FEATURES = ("cease", "content_knn")
"""Models that learn from features of the items."""


def small(name: str, **chosen: Any) -> Spec:
    """Return a fast version of a model; layers that it has not by default it does not get."""
    cls = models.spec_class(name)
    known = {one.name: one.default for one in describe(cls)}
    values = {key: value for key, value in SMALL.items() if known.get(key)} | OWN.get(name, {})
    return build(cls, {**values, **{key: value for key, value in chosen.items() if key in known}})


def touched(seed: int = 0) -> NDArray[np.float32]:
    """Return ``(60, 32)``: every user touches five of the eight items of a block."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((BLOCKS * USERS, BLOCKS * ITEMS), np.float32)
    for user in range(len(dense)):
        block = user // USERS * ITEMS
        dense[user, block + rng.permutation(ITEMS)[:5]] = 1
    return dense


def training_data(seed: int = 0, *, rated: bool = False) -> Interactions:
    dense = liked(touched(seed), seed) if rated else touched(seed)
    user, item = np.nonzero(dense)
    # Neighbours in the data are no neighbours among the positions: a model that looks at positions finds nothing.
    order = np.random.default_rng(9).permutation(BLOCKS * ITEMS)
    frame = pd.DataFrame({"user": user, "item": 1000 + order[item], "rating": dense[user, item]})
    return Interactions.from_frame(frame, rating="rating" if rated else None)


def liked(own: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return ratings: 4 or 5 for what is touched, and 1 or 2 for a quarter of all else, which is of other tastes."""
    rng = np.random.default_rng((seed, 1))
    blocks = np.repeat(np.arange(BLOCKS), ITEMS)
    taste = (own @ np.eye(BLOCKS, dtype=np.float32)[blocks]).argmax(axis=1)
    foreign = (blocks != taste[:, None]) & (rng.random(own.shape) < 0.25)
    return np.where(own > 0, rng.integers(4, 6, own.shape), rng.integers(1, 3, own.shape) * foreign).astype(np.float32)


def block_of(data: Interactions) -> NDArray[np.int64]:
    """Return the block of each item, ``(32,)``."""
    order = np.random.default_rng(9).permutation(BLOCKS * ITEMS)
    blocks = np.empty(BLOCKS * ITEMS, np.int64)
    blocks[order] = np.arange(BLOCKS * ITEMS) // ITEMS
    return blocks[data.items.to_numpy() - 1000]


def features(items: "pd.Index[Any]", blocks: NDArray[np.int64], seed: int = 0) -> Features:
    """Return features that tell an item's block, with some noise: ``(n, BLOCKS + 1)``."""
    told = np.eye(BLOCKS, BLOCKS + 1, dtype=np.float32)[blocks]
    noise = np.random.default_rng((seed, 2)).normal(0, 0.05, told.shape).astype(np.float32)
    return Features(told + noise, items, pd.Index([f"f{place}" for place in range(BLOCKS + 1)]))


def needed(spec: Spec, data: Interactions) -> Features | None:
    """Return features of the items for a model that learns from them; others are content without."""
    if spec.name() not in FROM_FEATURES:
        return None
    blocks = block_of(data) if data.shape[1] == BLOCKS * ITEMS else np.arange(data.shape[1]) % BLOCKS
    return features(data.items, blocks)


def holdout(data: Interactions, *, rated: bool = False) -> Holdout:
    """Return four users that no model has seen, one of each block: four items to see, the other four to find.

    With ratings they have seen one item of each other block, too, and did not like it.
    """
    blocks = block_of(data)
    histories, targets = np.zeros((2, BLOCKS, BLOCKS * ITEMS), np.float32)
    for block in range(BLOCKS):
        own = np.flatnonzero(blocks == block)
        histories[block, own[:4]] = 1
        targets[block, own[4:]] = 1
        if rated:
            histories[block, own[:4]] = targets[block, own[4:]] = 5
            histories[block, [np.flatnonzero(blocks == other)[0] for other in range(BLOCKS) if other != block]] = 1
    return Holdout(csr_matrix(histories), csr_matrix(targets), pd.Index(["a", "b", "c", "d"]))
