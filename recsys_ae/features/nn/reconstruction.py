"""How far off what an autoencoder of features gives back is, measured some rows at a time."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from recsys_ae.features.nn.contract import FeatureAutoencoder
from recsys_ae.features.nn.likelihoods import squared_error
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.runtime import Run

CHUNK = 1024
"""Rows that are encoded at a time."""


def chunks(rows: FeatureRows) -> Iterator[FeatureRows]:
    """Yield all rows in their order, `CHUNK` at a time."""
    for positions in torch.split(torch.arange(len(rows), device=rows.device), CHUNK):
        if len(positions):
            yield rows.take(positions)


@torch.no_grad()
def squared_errors(
    network: FeatureAutoencoder, scaling: Scaling, rows: FeatureRows, codes: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return of each row the sum of the squared errors of its values in the units of the features, and their number.

    With ``codes`` ``(n, latent)``, what these stand for is compared with the rows. ``(n,)`` float64 each; missing
    values and padding do not count; of words, the weights count.
    """
    sums, counts, done = [], [], 0
    for part in chunks(rows):
        given = network(part) if codes is None else network.decode_as(codes[done : done + len(part)], part)
        done += len(part)
        undo = torch.where(scaling.counted, 1, scaling.spread)
        difference = (given.float() - part.seen) * undo
        known = torch.ones_like(difference) if part.known is None else part.known
        # A constant column is given back as it was in the training.
        constant = torch.where(scaling.spread > 0, 0, part.dense().nan_to_num() - scaling.centre)
        sums.append(((difference - constant).square() * known).sum(dim=1, dtype=torch.float64))
        counts.append(known.sum(dim=1, dtype=torch.float64))
    if not sums:
        return torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    return torch.cat(sums), torch.cat(counts)


def validation(network: FeatureAutoencoder, rows: FeatureRows, run: Run) -> Callable[[], dict[str, float]]:
    """Return a function that measures the error per value, as the network sees values, and what the network adds."""

    @torch.no_grad()
    def measure() -> dict[str, float]:
        network.eval()
        generator, totals, known = run.generator(), dict[str, float](), 0.0
        for part in chunks(rows):
            values = {"rmse": squared_error(network(part), part.seen, part.known)}
            values |= network.measures(part, generator)
            known += part.width * len(part) if part.known is None else float(part.known.sum(dtype=torch.float64))
            for name, each in values.items():
                totals[name] = totals.get(name, 0.0) + float(each.sum(dtype=torch.float64))
        means = {name: total / len(rows) for name, total in totals.items() if name != "rmse"}
        return {"rmse": float(np.sqrt(totals["rmse"] / max(known, 1))), **means}

    return measure
