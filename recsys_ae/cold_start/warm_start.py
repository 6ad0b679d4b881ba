"""Warm start: item embeddings initialised from item features instead of at random."""

import torch
from torch import Tensor

from recsys_ae.cold_start.item_features import ItemFeatures
from recsys_ae.nn.model import Model


def start(network: Model, items: ItemFeatures, generator: torch.Generator) -> None:
    """Initialise the item tables of a network from the features of its items, and notify the network."""
    vectors = items.dense()
    fill(network.item_tables(), vectors, items.positions, generator)
    network.start_from(vectors, items.positions)


@torch.no_grad()
def fill(tables: list[Tensor], vectors: Tensor, positions: Tensor, generator: torch.Generator) -> None:
    """Overwrite the rows of items with features, in all tables ``(n_items, d)``, by projections of the features.

    The features are centred. If there are more than ``d`` of them, they are projected on their largest principal
    components; if there are fewer, on random directions that preserve all distances. Tables of one width share the
    projection. So input and output embeddings of items with similar features are near each other.

    A row's squared length is 1 on average. So a history on the unit sphere has a code of length 1 at most, roughly, and
    the initial scores are similarities of items, whatever the number of items. At the usual scale of random weights,
    which falls with the number of items, the initial vectors are soon lost when histories are few.
    """
    vectors = vectors - vectors.mean(dim=0)
    projections: dict[int, Tensor] = {}
    for table in tables:
        width = table.shape[1]
        if width not in projections:
            rows = projected(vectors, width, generator)
            length = rows.square().sum(dim=1).mean().sqrt()
            projections[width] = rows / length.clamp_min(torch.finfo(rows.dtype).tiny)
        table.index_copy_(0, positions, projections[width].to(table.dtype))


def projected(vectors: Tensor, width: int, generator: torch.Generator) -> Tensor:
    """Return vectors ``(n, width)`` with the inner products of ``(n, d)``, or the nearest that a lower rank allows."""
    if vectors.shape[1] > width:
        left_vectors, values, _ = torch.linalg.svd(vectors, full_matrices=False)
        vectors = left_vectors[:, :width] * values[:width]
    # Random rotation in any case, so that no dimension is systematically larger than the others.
    square = torch.randn(width, width, generator=generator, device=vectors.device)
    directions: Tensor = torch.linalg.qr(square).Q[: vectors.shape[1]]
    return vectors @ directions
