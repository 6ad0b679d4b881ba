"""Test data with a known answer: four blocks of users, who interact only with the items of their block."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Holdout
from recsys_ae.features.data.features import Features
from recsys_ae.nn.model import Shape, Spec, Stats

BLOCKS, USERS, ITEMS = 4, 15, 8
"""Number of blocks, and of users and items in each."""


def interactions(seed: int = 0) -> NDArray[np.float32]:
    """Return ``(60, 32)``: every user interacts with five of the eight items of a block."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((BLOCKS * USERS, BLOCKS * ITEMS), np.float32)
    for user in range(len(dense)):
        block = user // USERS * ITEMS
        dense[user, block + rng.permutation(ITEMS)[:5]] = 1
    return dense


def ratings(dense: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return ratings: 4 or 5 for the user's items, and 1 or 2 for a quarter of the items of other blocks."""
    rng = np.random.default_rng((seed, 1))
    blocks = np.repeat(np.arange(BLOCKS), ITEMS)
    taste = (dense @ np.eye(BLOCKS, dtype=np.float32)[blocks]).argmax(axis=1)
    foreign = (blocks != taste[:, None]) & (rng.random(dense.shape) < 0.25)
    high, low = rng.integers(4, 6, dense.shape), rng.integers(1, 3, dense.shape)
    return np.where(dense > 0, high, low * foreign).astype(np.float32)


def training_data(seed: int = 0, *, rated: bool = False) -> Interactions:
    """Return the interactions, or ratings, of 60 users and 32 items."""
    dense = ratings(interactions(seed), seed) if rated else interactions(seed)
    user, item = np.nonzero(dense)
    # Items of a block have no neighbouring positions, so a model that uses positions learns nothing.
    order = np.random.default_rng(9).permutation(BLOCKS * ITEMS)
    frame = pd.DataFrame({"user": user, "item": 1000 + order[item], "rating": dense[user, item]})
    return Interactions.from_frame(frame, rating="rating" if rated else None)


def block_of(data: Interactions) -> NDArray[np.int64]:
    """Return the block of each item, ``(32,)``."""
    order = np.random.default_rng(9).permutation(BLOCKS * ITEMS)
    blocks = np.empty(BLOCKS * ITEMS, np.int64)
    blocks[order] = np.arange(BLOCKS * ITEMS) // ITEMS
    of_items: NDArray[np.int64] = blocks[data.items.to_numpy() - 1000]
    return of_items


def holdout(data: Interactions, *, rated: bool = False) -> Holdout:
    """Return four unknown users, one per block, with four items as history and the other four as targets.

    If ``rated``, they also gave a rating of 1 to one item of each other block.
    """
    blocks = block_of(data)
    histories, targets = np.zeros((2, BLOCKS, BLOCKS * ITEMS), np.float32)
    for block in range(BLOCKS):
        items = np.flatnonzero(blocks == block)
        histories[block, items[:4]] = 1
        targets[block, items[4:]] = 1
        if rated:
            histories[block, items[:4]] = targets[block, items[4:]] = 5
            disliked = [
                np.flatnonzero(blocks == other_block)[0] for other_block in range(BLOCKS) if other_block != block
            ]
            histories[block, disliked] = 1
    return Holdout(csr_matrix(histories), csr_matrix(targets), pd.Index(["a", "b", "c", "d"]))


def unknown_users() -> csr_matrix:
    """Return histories ``(6, 32)`` of unknown users: one per block, one with all items, and one with none."""
    histories = holdout(training_data()).histories.toarray()
    return csr_matrix(np.vstack([histories, np.ones_like(histories[:1]), np.zeros_like(histories[:1])]))


def no_histories(n: int, width: int = BLOCKS * ITEMS) -> csr_matrix:
    """Return empty histories ``(n, width)``."""
    return csr_matrix(np.zeros((n, width), np.float32))


def features(items: "pd.Index[Any]", blocks: NDArray[np.int64], seed: int = 0) -> Features:
    """Return features ``(n, BLOCKS + 1)`` that reveal an item's block, with some noise."""
    clean = np.eye(BLOCKS, BLOCKS + 1, dtype=np.float32)[blocks]
    noise = np.random.default_rng((seed, 2)).normal(0, 0.05, clean.shape).astype(np.float32)
    return Features(clean + noise, items, pd.Index([f"f{column}" for column in range(BLOCKS + 1)]))


def needed_features(spec: Spec, data: Interactions) -> Features | None:
    """Return item features for a model that needs them to be fitted; None for other models."""
    with torch.device("meta"):  # shapes only
        network = spec.resolved(Stats(data.matrix)).build(Shape(*data.shape, BLOCKS + 1))
    if not network.learns_from_features:
        return None
    blocks = block_of(data) if data.shape[1] == BLOCKS * ITEMS else np.arange(data.shape[1]) % BLOCKS
    return features(data.items, blocks)
