"""Reconstruction errors of feature autoencoders, computed in chunks of rows."""

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
    """Return the sum of the squared errors of each row's values, in the units of the features, and their number.

    Both are ``(n,)`` float64. Missing values and padding do not count. For word counts, the errors are those of the
    TF-IDF weights. With ``codes`` ``(n, latent)``, the rows are compared with the rows decoded from these.
    """
    sums, counts, start = [], [], 0
    for chunk in chunks(rows):
        output = network(chunk) if codes is None else network.decode_as(codes[start : start + len(chunk)], chunk)
        start += len(chunk)
        undo = torch.where(scaling.counted, 1, scaling.spread)
        difference = (output.float() - chunk.seen) * undo
        mask = torch.ones_like(difference) if chunk.known is None else chunk.known
        # A constant column is reconstructed as the value that it had in the training.
        constant = torch.where(scaling.spread > 0, 0, chunk.dense().nan_to_num() - scaling.centre)
        sums.append(((difference - constant).square() * mask).sum(dim=1, dtype=torch.float64))
        counts.append(mask.sum(dim=1, dtype=torch.float64))
    if not sums:
        return torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    return torch.cat(sums), torch.cat(counts)


def validation(network: FeatureAutoencoder, rows: FeatureRows, run: Run) -> Callable[[], dict[str, float]]:
    """Return a function that computes the validation metrics: the RMSE of scaled values, and those of the network."""

    @torch.no_grad()
    def measure() -> dict[str, float]:
        network.eval()
        generator, totals, n_values = run.generator(), dict[str, float](), 0.0
        for chunk in chunks(rows):
            metrics = {"rmse": squared_error(network(chunk), chunk.seen, chunk.known)}
            metrics |= network.measures(chunk, generator)
            n_values += chunk.width * len(chunk) if chunk.known is None else float(chunk.known.sum(dtype=torch.float64))
            for name, metric in metrics.items():
                totals[name] = totals.get(name, 0.0) + float(metric.sum(dtype=torch.float64))
        means = {name: total / len(rows) for name, total in totals.items() if name != "rmse"}
        return {"rmse": float(np.sqrt(totals["rmse"] / max(n_values, 1))), **means}

    return measure
