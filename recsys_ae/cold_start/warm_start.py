"""Item tables of a network that begin with what is known of the items, instead of at random."""

import torch
from torch import Tensor

from recsys_ae.cold_start.item_features import ItemFeatures
from recsys_ae.nn.model import Model


def start(network: Model, items: ItemFeatures, generator: torch.Generator) -> None:
    """Let the item tables of a network begin with the features of its items, and tell the network."""
    vectors = items.dense()
    fill(network.item_tables(), vectors, items.positions, generator)
    network.start_from(vectors, items.positions)


@torch.no_grad()
def fill(tables: list[Tensor], vectors: Tensor, positions: Tensor, generator: torch.Generator) -> None:
    """Overwrite the rows of items with features, in all tables ``(n_items, d)``, by projections of the features.

    The features are centred. Where there are more of them than a row has numbers, they are projected on their largest
    principal components; where there are fewer, on random directions that keep all distances. Tables of one width share
    the projection: then an item that is read and the items that are predicted from it are near each other where
    their features are.

    A row's squared length is 1 on average. A history on the unit sphere then has a code no longer than about 1, and the
    first scores say which items are alike, however many items there are. At the usual size of random weights, which
    falls as items are added, the vectors are soon lost in what is learnt from few histories.
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
    """Return ``(n, width)`` whose inner products are those of ``(n, d)``, or as near as a lower rank allows."""
    if vectors.shape[1] > width:
        left, values, _ = torch.linalg.svd(vectors, full_matrices=False)
        vectors = left[:, :width] * values[:width]
    # Turned at random in any case, so that no number of a row is larger than the others as a rule.
    square = torch.randn(width, width, generator=generator, device=vectors.device)
    directions: Tensor = torch.linalg.qr(square).Q[: vectors.shape[1]]
    return vectors @ directions
