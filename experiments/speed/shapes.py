"""Data files of the benchmark: MovieLens 1M, and synthetic data in the shapes of larger data sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae import Holdout, Interactions, load_dataset, split_users
from recsys_ae.data.filters import MinInteractions, MinRating, apply
from recsys_ae.data.named import find
from recsys_ae.data.synthetic.generate import synthesize
from recsys_ae.storage.atomic import whole_file

TARGETS = 0.2  # share of a test user's items


@dataclass(frozen=True)
class Size:
    """Numbers of training users, items and training interactions, without the test users."""

    users: int
    items: int
    interactions: int

    @property
    def tested(self) -> int:
        """Number of test users."""
        return min(10_000, max(1, self.users // 8))


SHAPES = {
    "tiny": Size(400, 300, 12_000),
    "ml-1m": Size(4_828, 3_497, 462_561),
    "ml-20m": Size(116_677, 20_108, 8_500_000),
    "netflix": Size(463_435, 17_769, 57_000_000),
    "million-100k": Size(1_000_000, 100_000, 50_000_000),
    "million": Size(1_000_000, 1_000_000, 50_000_000),
}


class Data(NamedTuple):
    """Training interactions, test users, and their source: ``real`` or ``generated``."""

    train: Interactions
    test: Holdout
    source: str


def make(name: str, path: Path, data_dir: Path | None) -> None:
    """Write the data of a shape into a file."""
    real = _is_available(name, data_dir)
    train, histories, targets = _movielens(data_dir) if real else _generated(SHAPES[name])
    matrices = {"train": train, "histories": histories, "targets": targets}
    fields = ("indptr", "indices")
    arrays = {f"{key}_{field}": getattr(matrix, field) for key, matrix in matrices.items() for field in fields}
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, items=train.shape[1], source="real" if real else "generated", **arrays)


def load(path: Path) -> Data:
    """Read a file that `make` has written; every interaction is 1."""
    with np.load(path) as stored:
        n_items = int(stored["items"])
        train, histories, targets = (_binary(stored, key, n_items) for key in ("train", "histories", "targets"))
        source = str(stored["source"])
    items = pd.RangeIndex(n_items)
    users = pd.RangeIndex(train.shape[0])
    tested = pd.RangeIndex(train.shape[0], train.shape[0] + histories.shape[0])
    return Data(Interactions(train, users, items), Holdout(histories, targets, tested), source)


def ready(name: str, path: Path, data_dir: Path | None) -> bool:
    """Return True if the file need not be written; real data replace synthetic ones."""
    if not path.exists():
        return False
    with np.load(path) as stored:
        return str(stored["source"]) == "real" or not _is_available(name, data_dir)


def _is_available(name: str, data_dir: Path | None) -> bool:
    return name == "ml-1m" and find(name, data_dir) is not None


def _binary(stored: "np.lib.npyio.NpzFile", key: str, n_items: int) -> csr_matrix:
    indptr, indices = stored[f"{key}_indptr"], stored[f"{key}_indices"]
    matrix = csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(indptr) - 1, n_items))
    matrix.has_canonical_format = True
    return matrix


def _movielens(data_dir: Path | None) -> tuple[csr_matrix, csr_matrix, csr_matrix]:
    """Return the strong split of experiments/ml1m_strong."""
    read = load_dataset("ml-1m", data_dir=data_dir).interactions
    split = split_users(
        apply(read, MinRating(4.0), MinInteractions(user=5)), n_valid=603, n_test=603, recipe="liang2018"
    )
    assert split.test is not None
    return split.train.matrix, split.test.histories, split.test.targets


def _generated(size: Size) -> tuple[csr_matrix, csr_matrix, csr_matrix]:
    """Generate training and test users; a fifth of each test user's items are targets."""
    n_users = size.users + size.tested
    n_interactions = round(size.interactions * n_users / size.users)
    matrix = synthesize(n_users, size.items, n_interactions).interactions.matrix
    # All users follow one distribution, so the last ones are as good as a random sample.
    test = matrix[size.users :]
    target = np.random.default_rng(1).random(test.nnz) < TARGETS
    return matrix[: size.users], _selected(test, ~target), _selected(test, target)


def _selected(matrix: csr_matrix, keep: np.ndarray) -> csr_matrix:
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[keep]
    indptr = np.append(0, np.cumsum(np.bincount(rows, minlength=matrix.shape[0])))
    return csr_matrix((matrix.data[keep], matrix.indices[keep], indptr), shape=matrix.shape)
