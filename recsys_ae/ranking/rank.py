"""Ranking of items, similar items, rating prediction and validation, in chunks of users.

The users × items matrix of scores is never held.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae import metrics
from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.data.splits.split import Holdout
from recsys_ae.errors import DataError
from recsys_ae.nn.model import Model
from recsys_ae.nn.rows import Rows
from recsys_ae.ranking.candidates import Candidates
from recsys_ae.ranking.chunks import cells_on, in_chunks, rows_of
from recsys_ae.ranking.top_k import best_keys, top_k, unpack

NOTHING = -1
"""Filler of a top-N list when no item is left to recommend."""

UNKNOWN_USER = -1
"""Position of a user who is not in the training data."""

Entries: TypeAlias = tuple[Tensor, Tensor]
"""Rows and columns of the entries of a sparse matrix."""


@torch.inference_mode()
def rank(
    network: Model,
    histories: csr_matrix,
    k: int,
    *,
    candidates: Candidates,
    fallback: Tensor,
    positions: np.ndarray | None = None,
    cells: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` best items of each row and their scores, ``(n, k)`` int64 and float32, best first.

    Equal scores are ordered by item position. Rows without history are scored by ``fallback``, ``(n_items,)``.
    ``positions`` are the rows' positions in the training matrix, −1 for unknown users; None means that all are unknown.
    If fewer than ``k`` items may be recommended, the list ends in `NOTHING` with score −inf. ``cells`` is the number of
    scores held at a time; by default as many as fit on the device.
    """
    n, n_items = histories.shape
    k = min(k, n_items)
    items, scores = np.full((n, k), NOTHING, np.int64), np.full((n, k), -np.inf, np.float32)

    def work(chunk: slice, cells: int) -> None:
        chunk_histories, chunk_positions = histories[chunk], None if positions is None else positions[chunk]
        restrict = _restriction(candidates, chunk, fallback.device)
        best: Tensor | None = None
        for block, values in score_blocks(network, chunk_histories, fallback, chunk_positions, cells):
            restrict(values, block)
            best = best_keys(values, k, block.start, best)
        if best is not None:
            scores[chunk], items[chunk] = unpack(best)

    cells = cells or cells_on(fallback.device)
    in_chunks(n, rows_of(n_items, cells), cells, work)
    items[np.isneginf(scores)] = NOTHING
    return items, scores


@torch.inference_mode()
def score_blocks(
    network: Model,
    histories: csr_matrix,
    fallback: Tensor,
    positions: np.ndarray | None = None,
    cells: int | None = None,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield consecutive blocks of items, and the scores of all rows for them, ``(n, block)`` float32.

    The caller may overwrite the scores.
    """
    n, n_items = histories.shape
    device = fallback.device
    network.eval()
    rows = Rows.from_matrix(histories, device, np.full(n, UNKNOWN_USER) if positions is None else positions)
    empty = (rows.lengths == 0).nonzero().squeeze(1)
    codes = network.encode(rows)
    for block in _slices(0, n_items, max(1, (cells or cells_on(device)) // max(1, n))):
        values = network.decode(codes, block).float().contiguous()
        if len(empty):
            values[empty] = fallback[block]
        yield block, values


def _restriction(candidates: Candidates, chunk: slice, device: torch.device) -> Callable[[Tensor, slice], None]:
    """Return a function that sets scores of items that are no candidates to −inf, for a block of items."""
    allowed = None if candidates.allowed is None else _entries(candidates.allowed, chunk, device)
    denied = [_entries(matrix, chunk, device) for matrix in candidates.denied]
    to_all = None if candidates.denied_to_all is None else torch.from_numpy(candidates.denied_to_all).to(device)

    def restrict(scores: Tensor, block: slice) -> None:
        flat = scores.view(-1)
        if allowed is not None:
            positions = _flat_positions(allowed, block)
            allowed_scores = flat[positions]
            flat.fill_(-torch.inf)
            flat[positions] = allowed_scores
        for entries in denied:
            flat.index_fill_(0, _flat_positions(entries, block), -torch.inf)
        if to_all is not None:
            scores.masked_fill_(to_all[block], -torch.inf)

    return restrict


def _entries(matrix: csr_matrix, chunk: slice, device: torch.device) -> Entries:
    """Return the rows and columns of the entries in a chunk of rows."""
    bounds = matrix.indptr[chunk.start : chunk.stop + 1]
    rows = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    columns = matrix.indices[bounds[0] : bounds[-1]].astype(np.int64)
    return torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)


def _flat_positions(entries: Entries, block: slice) -> Tensor:
    """Return the flat positions, in a block of columns, of the entries in that block."""
    rows, columns = entries
    width, columns = block.stop - block.start, columns - block.start
    inside = (columns >= 0) & (columns < width)
    positions: Tensor = (rows * width + columns)[inside]
    return positions


def _slices(start: int, stop: int, size: int) -> Iterator[slice]:
    for block_start in range(start, stop, size):
        yield slice(block_start, min(stop, block_start + size))


@torch.inference_mode()
def most_alike(vectors: Tensor, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` items with the largest cosine to each query item, without itself, and the cosines."""
    norms = vectors.norm(dim=1).clamp_min(torch.finfo(vectors.dtype).tiny)
    k = min(k, len(vectors) - 1)
    items, scores = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)

    def work(chunk: slice, _cells: int) -> None:
        positions = torch.from_numpy(queries[chunk]).to(vectors.device)
        cosine = (vectors[positions] / norms[positions].unsqueeze(1)) @ vectors.T / norms
        cosine[torch.arange(len(positions), device=cosine.device), positions] = -torch.inf
        scores[chunk], items[chunk] = top_k(cosine, k)

    cells = cells_on(vectors.device)
    in_chunks(len(queries), max(1, cells // len(vectors)), cells, work)
    return items, scores


@torch.inference_mode()
def predict(
    network: Model,
    histories: csr_matrix,
    pairs: tuple[np.ndarray, np.ndarray],
    positions: np.ndarray | None = None,
) -> np.ndarray:
    """Return the predicted rating of each pair of a row and an item, ``(m,)`` float32."""
    network.eval()
    device = next(itertools.chain(network.parameters(), network.buffers())).device
    rows, items = pairs
    order = np.argsort(rows, kind="stable")
    ratings, ordered = np.empty(len(rows), np.float32), rows[order]

    def work(chunk: slice, _cells: int) -> None:
        subset = order[slice(*np.searchsorted(ordered, (chunk.start, chunk.stop)))]
        chunk_positions = np.full(chunk.stop - chunk.start, UNKNOWN_USER) if positions is None else positions[chunk]
        codes = network.encode(Rows.from_matrix(histories[chunk], device, chunk_positions))
        local = torch.from_numpy(rows[subset] - chunk.start).to(device)
        ratings[subset] = network.rate(codes, local, torch.from_numpy(items[subset]).to(device)).float().cpu().numpy()

    cells = cells_on(device)
    in_chunks(histories.shape[0], rows_of(histories.shape[1], cells), cells, work)
    return ratings


def validation(
    network: Model,
    fallback: Tensor,
    holdout: Holdout,
    names: Sequence[str],
    positions: np.ndarray | None = None,
    receive: Callable[[Mapping[str, NDArray[np.float64]]], None] | None = None,
) -> Callable[[], dict[str, float]]:
    """Return a function that computes these metrics of the network, in its current state, on the validation users.

    ``receive`` is called with the metrics of each user.
    """
    if holdout.targets.nnz == 0:
        raise DataError("the validation users have no targets; hold out some of their interactions")
    ranking_metrics = [name for name in names if not metrics.smaller_is_better(name)]
    error_metrics = [name for name in names if metrics.smaller_is_better(name)]
    k = max((metrics.parse(name).k for name in ranking_metrics), default=0)
    histories, targets = canonical(holdout.histories), holdout.targets
    candidates = Candidates(denied=(histories,))
    pairs = np.repeat(np.arange(targets.shape[0]), np.diff(targets.indptr)), targets.indices.astype(np.int64)

    def measure() -> dict[str, float]:
        measured: dict[str, float] = {}
        values: dict[str, NDArray[np.float64]] = {}
        if ranking_metrics:
            top, _ = rank(network, histories, k, candidates=candidates, fallback=fallback, positions=positions)
            values = metrics.per_user(top, targets, ranking_metrics)
            measured = {name: float(np.nanmean(values[name])) for name in ranking_metrics}
        if error_metrics:
            predicted = predict(network, histories, pairs, positions)
            measured |= {name: metrics.error(name, predicted, targets.data) for name in error_metrics}
            if receive is not None:
                values |= metrics.errors_per_user(predicted, targets, error_metrics)
        if receive is not None:
            receive(values)
        return measured

    return measure
