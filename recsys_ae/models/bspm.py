"""BSPM: blurring and sharpening filters on the graph of users and items, a linear autoencoder without training.

Choi, Hong, Park, Cho, "Blurring-Sharpening Process Models for Collaborative Filtering", SIGIR 2023. Both blurring
filters are added before the sharpening, as in the paper's BSPM-EM. Without sharpening it is GF-CF (Shen, Wu, Zhang,
Shan, Zhang, Letaief, Li, "How Powerful is Graph Convolution for Recommendation?", CIKM 2021).

When to use: without any training, by graph filters; it is best on Gowalla.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from recsys_ae.nn.arithmetic import without_tf32
from recsys_ae.nn.history import History
from recsys_ae.nn.linear.cooccurrence import gram
from recsys_ae.nn.linear.singular import right_singular
from recsys_ae.nn.model import ALL, AUTO, PAPER, Auto, Model, Presets, Rules, Shape, Spec, Validate, known
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, free_memory
from recsys_ae.spec.hyper import hp

CELLS = 2**24
"""Cells of a dense signal on the users or the items that are held at a time: 64 MiB."""

ORDERS = {"euler": 1, "rk4": 4}
"""Number of terms of the exponential series in a step of each solver."""

SPARSE = 40
"""Time of a multiplication with the sparse graph on a GPU, relative to one of dense matrices, on paper: each reads 4
bytes at 3 TB/s, while a dense product in float32 has 60 TFLOP/s."""

MATRICES = 6
"""Matrices of items × items held while that of all filters is computed, and the blocks of `dense_blocks.gram`."""

OFTEN = 2
"""Number of calls with as many rows that are expected for the same graph."""


@dataclass(frozen=True, kw_only=True)
class BSPM(Spec):
    """Hyper-parameters of BSPM; the preset ``"paper"`` has the authors' for Gowalla."""

    rules: ClassVar[Rules] = {"latent": lambda stats: round(min(512, max(32, 0.2 * stats.interactions**0.5)))}
    presets: ClassVar[Presets] = {PAPER: {"latent": 448, "idl_beta": 0.2, "sharpening": 2.5}}

    latent: int | Auto = hp(
        AUTO,
        "number of singular vectors of the ideal low-pass filter; auto is 0.2 times the square root of the number of "
        "interactions, at least 32 and at most 512",
        low=1,
        search=("log", 32, 1024),
    )
    idl_beta: float = hp(
        0.3,
        "weight of the ideal low-pass filter, relative to the other blurring filter",
        low=0,
        search=("linear", 0, 1),
    )
    sharpening: float = hp(
        1.0, "duration T_s of the sharpening; 0 turns it off (GF-CF)", low=0, search=("linear", 0, 3)
    )
    steps: int = hp(1, "number of steps K_s of the sharpening's solver", low=1, high=1000)
    solver: Literal["euler", "rk4"] = hp(
        "rk4",
        "numerical solver of the sharpening: the Euler method or fourth-order Runge-Kutta",
        search=("choice", ("euler", "rk4")),
    )

    def build(self, shape: Shape) -> "BSPMNetwork":
        """Make a network of a graph without edges."""
        return BSPMNetwork(self, shape)

    def operations(self, shape: Shape, nnz: int) -> float:
        """Return those of some ten products of the matrix with all singular vectors, and of making them orthogonal."""
        latent = known(self.latent)
        return 10.0 * latent * (4.0 * nnz + 2.0 * (shape.n_rows + shape.width) * latent)


class BSPMNetwork(Model):
    """Scores r (P̃ + β D^-½ V Vᵀ D^½) q(P̃) with P̃ = R̃ᵀR̃; only the sparse R̃ is stored.

    R̃ is the training matrix, each entry divided by the roots of its row's and its column's sum. D holds the sums of the
    columns, and V the right singular vectors of R̃. The polynomial q is the solver's solution of dr/dt = −r P̃.
    """

    indptr: Tensor
    indices: Tensor
    values: Tensor
    roots: Tensor
    singular: Tensor
    vectors: Tensor

    def __init__(self, spec: BSPM, shape: Shape) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("indptr", torch.zeros(shape.n_rows + 1, dtype=torch.int32))
        self.register_buffer("indices", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("values", torch.zeros(0))
        self.register_buffer("roots", torch.zeros(shape.width))
        self.register_buffer("singular", torch.zeros(known(spec.latent)))
        self.register_buffer("vectors", torch.zeros(shape.width, known(spec.latent)))
        self._columns: Rows | None = None
        self._weights: Tensor | None = None
        self.register_load_state_dict_pre_hook(_make_room)  # type: ignore[no-untyped-call]

    def encode(self, x: Rows) -> Tensor:
        """Return the scores: the code of BSPM is its output.

        On a GPU many rows are multiplied with the dense items × items matrix of all filters, which is kept.
        """
        weights = self._dense_weights(len(x))
        if weights is not None:
            return x.product(weights)
        scores = self.roots.new_empty(len(x), x.width)
        size = max(1, CELLS // max(len(self.indptr), x.width))
        for chunk, rows in x.parts(size):
            scores[chunk] = self._sharpened(self._blurred(rows), self._filtered).T
        return scores

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return the requested columns."""
        return z[:, items]

    def learn(self, rows: Rows, run: Run, validate: Validate | None = None) -> History:
        """Normalise the training matrix and compute its singular vectors."""
        user_roots, self.roots = rows.sums().sqrt(), rows.column_sums().sqrt()
        values = rows.values * _inverse(user_roots)[rows.row_of_entry] * _inverse(self.roots)[rows.indices]
        self.indptr, self.indices, self.values = rows.indptr.clone(), rows.indices.clone(), values
        self._columns = self._weights = None
        graph, columns = self._graph()
        self.singular, self.vectors = right_singular(graph, columns, known(self.spec.latent), run.generator())
        return History()

    def item_vectors(self) -> Tensor:
        """Return V Σ, whose inner products are the best approximation of P̃ of rank ``latent``."""
        return self.vectors * self.singular

    def check_loaded(self) -> None:
        """Raise a `ValueError` if the graph names rows or columns that do not exist."""
        starts, ends = self.indptr[:-1], self.indptr[1:]
        n_entries = len(self.indices)
        if self.indptr[0] != 0 or self.indptr[-1] != n_entries or (starts > ends).any():
            raise ValueError("the rows of the graph do not begin and end at its entries")
        if len(self.values) != n_entries or ((self.indices < 0) | (self.indices >= len(self.roots))).any():
            raise ValueError("the entries of the graph are not of its columns")

    def _graph(self) -> tuple[Rows, Rows]:
        """Return R̃ and its transpose, which is computed once for each R̃ and device."""
        users = torch.arange(len(self.indptr) - 1, device=self.values.device)
        rows = Rows(self.indptr, self.indices, self.values, len(self.roots), users)
        if self._columns is None or self._columns.device != rows.device:
            self._columns = rows.transposed()
        return rows, self._columns

    def _filtered(self, signal: Tensor) -> Tensor:
        """Return P̃ · signal, ``(n_items, n)``."""
        rows, columns = self._graph()
        return columns.product(rows.product(signal))

    def _blurred(self, x: Rows) -> Tensor:
        """Return the sum of both blurring filters after an Euler step of length 1, ``(n_items, n)``."""
        signal = self.roots.new_zeros(x.width, len(x))
        signal[x.indices, x.row_of_entry] = x.values
        low = x.with_values(x.values * _inverse(self.roots)[x.indices]).product(self.vectors)
        # In this order the bits of the product do not depend on the memory layout of the vectors.
        ideal = (low @ self.vectors.T).mul_(self.spec.idl_beta * self.roots)
        return self._filtered(signal).add_(ideal.T)

    def _sharpened(self, signal: Tensor, filtered: Callable[[Tensor], Tensor]) -> Tensor:
        """Solve dr/dt = −r P̃ up to T_s. It is linear, so a step is the start of the exponential series.

        ``filtered`` returns P̃ · signal in new memory.
        """
        length = self.spec.sharpening / self.spec.steps
        for _ in range(self._steps()):
            term = signal
            for order in range(1, ORDERS[self.spec.solver] + 1):
                term = filtered(term).mul_(-length / order)
                signal.add_(term)
        return signal

    def _steps(self) -> int:
        return self.spec.steps if self.spec.sharpening else 0

    def _dense_weights(self, n: int) -> Tensor | None:
        """Return W, ``(n_items, n_items)``, with scores r W; None where products with the graph are better for n rows.

        They are on a CPU, and where W costs more than `OFTEN` times the products, or memory does not suffice.
        """
        device = self.values.device
        if self._weights is not None and self._weights.device != device:
            self._weights = None
        if self._weights is None and device.type != "cpu" and self._is_dense_faster(n):
            self._weights = self._filters()
        return self._weights

    def _is_dense_faster(self, n: int) -> bool:
        users, items, free = float(len(self.indptr) - 1), float(len(self.roots)), free_memory(self.values.device)
        products = self._steps() * ORDERS[self.spec.solver]
        dense = users * items**2 / 2 + products * items**3 + items**2 * self.vectors.shape[1]
        sparse = 2.0 * (1 + products) * len(self.values)
        fits = free is None or MATRICES * 4 * items**2 <= free
        return fits and OFTEN * n * SPARSE * sparse >= dense

    def _filters(self) -> Tensor:
        """Return W: the scores of the rows of the identity matrix, from the dense P̃."""
        rows, _ = self._graph()
        similarity = gram(rows)
        with without_tf32():
            ideal = (self.vectors * _inverse(self.roots)[:, None]) @ self.vectors.T
            signal = similarity + ideal.mul_(self.spec.idl_beta * self.roots).T
            return self._sharpened(signal, similarity.mm).T.contiguous()


def _inverse(roots: Tensor) -> Tensor:
    """Return 1 / roots, and 0 for roots of 0."""
    return torch.where(roots > 0, 1 / roots, 0)


def _make_room(network: Any, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Resize the buffers to those of the state to load: a new network does not know the number of edges."""
    for name in ("indices", "values"):
        if (loaded := state.get(prefix + name)) is not None:
            setattr(network, name, torch.empty_like(loaded, device=getattr(network, name).device))
    network._columns = network._weights = None
