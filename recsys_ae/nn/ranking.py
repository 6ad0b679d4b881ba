"""The best items of each row, found in chunks: users × items is never held."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae import metrics
from recsys_ae.datasets.splitting import Holdout
from recsys_ae.errors import DataError
from recsys_ae.nn.autoencoder import Autoencoder
from recsys_ae.nn.candidates import Candidates
from recsys_ae.nn.rows import Rows, canonical

CELLS = 2**20
"""Scores held at a time: 4 MiB of float32."""

ROWS = 256
"""Rows scored at a time, at least: with fewer a matrix product waits for memory. Items are cut into blocks instead."""

NOTHING = -1
"""Stands in a list where no item is left to recommend."""

STRANGER = -1
"""The position of a user who was not in the training."""


@torch.inference_mode()
def rank(
    network: Autoencoder,
    histories: csr_matrix,
    k: int,
    *,
    candidates: Candidates,
    fallback: Tensor,
    positions: np.ndarray | None = None,
    cells: int = CELLS,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` best items of each row and their scores, ``(n, k)`` int64 and float32, best first.

    Equal scores are ordered by the items' position. A row without history is scored by ``fallback``, ``(n_items,)``.
    ``positions`` are the rows' places in the training matrix, −1 for users who are not in it; None: nobody is.
    Where fewer than ``k`` items may be recommended a list ends in `NOTHING` with score −inf.
    """
    n, n_items = histories.shape
    k = min(k, n_items)
    items, scores = np.full((n, k), NOTHING, np.int64), np.full((n, k), -np.inf, np.float32)
    for chunk in _chunks(n, max(ROWS, cells // n_items)):
        best: tuple[Tensor, Tensor] | None = None
        known = None if positions is None else positions[chunk]
        for block, values in score_blocks(network, histories[chunk], fallback, known, cells):
            _restrict(values, candidates, chunk, block)
            found = top_k(values, min(k, values.shape[1]))
            found = (found[0], found[1] + block.start)
            best = found if best is None else _merge(best, found, k)
        if best is not None:
            scores[chunk], items[chunk] = best[0].cpu().numpy(), best[1].cpu().numpy()
    items[np.isneginf(scores)] = NOTHING
    return items, scores


@torch.inference_mode()
def score_blocks(
    network: Autoencoder,
    histories: csr_matrix,
    fallback: Tensor,
    positions: np.ndarray | None = None,
    cells: int = CELLS,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield blocks of items and the float32 scores of all rows on them, ``(n, block)``, free to be written to."""
    n, n_items = histories.shape
    network.eval()
    rows = Rows.from_matrix(histories, fallback.device, np.full(n, STRANGER) if positions is None else positions)
    empty = (rows.lengths == 0).unsqueeze(1)
    codes = network.encode(rows)
    for block in _chunks(n_items, max(1, cells // max(1, n))):
        yield block, torch.where(empty, fallback[block], network.decode(codes, block).float())


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` largest of each row and their positions, equal values in the order of position."""
    values, positions = torch.topk(scores, k, dim=1)
    # topk breaks ties as it likes. Inside the list a sort repairs that; a tie across its end needs a second look.
    positions = positions.sort(dim=1).values
    values, order = scores.gather(1, positions).sort(dim=1, descending=True, stable=True)
    positions = positions.gather(1, order)
    cut = ((scores >= values[:, -1:]).sum(dim=1) > k).nonzero().squeeze(1)
    if len(cut):
        exact = scores[cut].sort(dim=1, descending=True, stable=True)
        values[cut], positions[cut] = exact.values[:, :k], exact.indices[:, :k]
    return values, positions


def _merge(best: tuple[Tensor, Tensor], found: tuple[Tensor, Tensor], k: int) -> tuple[Tensor, Tensor]:
    """Join two lists; the first holds the lower positions, so a stable sort keeps ties in order."""
    values = torch.cat([best[0], found[0]], dim=1)
    positions = torch.cat([best[1], found[1]], dim=1)
    values, order = values.sort(dim=1, descending=True, stable=True)
    return values[:, :k], positions.gather(1, order[:, :k])


def _restrict(scores: Tensor, candidates: Candidates, chunk: slice, block: slice) -> None:
    if candidates.allowed is not None:
        row, column = _entries(candidates.allowed, chunk, block, scores.device)
        kept = scores[row, column]
        scores.fill_(-torch.inf)
        scores[row, column] = kept
    for denied in candidates.denied:
        scores[_entries(denied, chunk, block, scores.device)] = -torch.inf
    if candidates.denied_to_all is not None:
        scores[:, torch.from_numpy(candidates.denied_to_all[block]).to(scores.device)] = -torch.inf


def _entries(matrix: csr_matrix, chunk: slice, block: slice, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the places of a matrix's entries inside a chunk of rows and a block of columns."""
    part = matrix[chunk]
    row, column = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr)), part.indices.astype(np.int64)
    inside = (column >= block.start) & (column < block.stop)
    return torch.from_numpy(row[inside]).to(device), torch.from_numpy(column[inside] - block.start).to(device)


def _chunks(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


@torch.inference_mode()
def most_alike(vectors: Tensor, asked: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` items whose vectors have the largest cosine with each asked item's, without itself."""
    norms = vectors.norm(dim=1).clamp_min(torch.finfo(vectors.dtype).tiny)
    k = min(k, len(vectors) - 1)
    items, scores = np.empty((len(asked), k), np.int64), np.empty((len(asked), k), np.float32)
    for chunk in _chunks(len(asked), max(1, CELLS // len(vectors))):
        places = torch.from_numpy(asked[chunk]).to(vectors.device)
        cosine = (vectors[places] / norms[places].unsqueeze(1)) @ vectors.T / norms
        cosine[torch.arange(len(places)), places] = -torch.inf
        values, positions = top_k(cosine, k)
        scores[chunk], items[chunk] = values.cpu().numpy(), positions.cpu().numpy()
    return items, scores


@torch.inference_mode()
def predict(
    network: Autoencoder,
    histories: csr_matrix,
    pairs: tuple[np.ndarray, np.ndarray],
    positions: np.ndarray | None = None,
) -> np.ndarray:
    """Return the predicted rating of each pair of a row and an item, ``(m,)`` float32."""
    network.eval()
    device = next(itertools.chain(network.parameters(), network.buffers())).device
    rows, items = pairs
    order = np.argsort(rows, kind="stable")
    found = np.empty(len(rows), np.float32)
    for chunk in _chunks(histories.shape[0], ROWS):
        own = order[slice(*np.searchsorted(rows[order], (chunk.start, chunk.stop)))]
        known = np.full(chunk.stop - chunk.start, STRANGER) if positions is None else positions[chunk]
        codes = network.encode(Rows.from_matrix(histories[chunk], device, known))
        local = torch.from_numpy(rows[own] - chunk.start).to(device)
        found[own] = network.rate(codes, local, torch.from_numpy(items[own]).to(device)).float().cpu().numpy()
    return found


def validation(
    network: Autoencoder,
    fallback: Tensor,
    holdout: Holdout,
    names: Sequence[str],
    positions: np.ndarray | None = None,
) -> Callable[[], dict[str, float]]:
    """Return a function that measures these metrics of the network, as it then is, on the users held out."""
    if holdout.targets.nnz == 0:
        raise DataError("the validation users have no targets to find; hold some of their items out")
    lists = [name for name in names if not metrics.smaller_is_better(name)]
    errors = [name for name in names if metrics.smaller_is_better(name)]
    k = max((metrics.parse(name).k for name in lists), default=0)
    histories, targets = canonical(holdout.histories), holdout.targets
    candidates = Candidates(denied=(histories,))
    pairs = np.repeat(np.arange(targets.shape[0]), np.diff(targets.indptr)), targets.indices.astype(np.int64)

    def measure() -> dict[str, float]:
        measured = {}
        if lists:
            top, _ = rank(network, histories, k, candidates=candidates, fallback=fallback, positions=positions)
            values = metrics.per_user(top, targets, lists)
            measured = {name: float(np.nanmean(values[name])) for name in lists}
        if errors:
            predicted = predict(network, histories, pairs, positions)
            measured |= {name: metrics.error(name, predicted, targets.data) for name in errors}
        return measured

    return measure
