"""EASE on items without users, on rows without entries, and with little memory; also the memory of EDLAE."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import TrainingError
from recsys_ae.models.ease import EASE, EASENetwork
from recsys_ae.nn import capacity
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender import preflight
from recsys_ae.recommender.recommender import Recommender
from tests.nn.small import matrix, rows_of

CPU = Run(device="cpu")
DATA = matrix(60, 12, seed=2, density=0.3)
NOBODYS = 5


def learnt(spec: EASE, data: csr_matrix = DATA) -> EASENetwork:
    network = spec.build(Shape(*data.shape))
    network.learn(rows_of(data), CPU)
    return network


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_item_without_users_scores_zero_and_changes_no_other(dtype: str) -> None:
    spec = EASE(l2=3.0, dtype=dtype)  # type: ignore[arg-type]
    bare = csr_matrix(DATA.toarray() * (np.arange(12) != NOBODYS))
    data = Interactions(bare, pd.Index(range(60)), pd.Index(range(12)))
    model = Recommender(spec).fit(data, run=CPU)
    scores = model.score(DATA)
    assert np.isfinite(scores).all()
    assert (scores[DATA.getnnz(axis=1) > 0, NOBODYS] == 0).all()
    others = np.delete(np.arange(12), NOBODYS)
    alone = learnt(spec, csr_matrix(bare[:, others])).weights
    np.testing.assert_allclose(model.network.item_vectors()[others][:, others].numpy(), alone.numpy(), atol=1e-6)
    items, listed = model.recommend(bare[10:20], k=12, exclude_seen=False)
    assert np.isfinite(listed).all()
    assert not (items[:, 0] == NOBODYS).any()


def test_rows_without_entries_and_entries_of_zero_teach_nothing() -> None:
    expected = learnt(EASE(l2=3.0)).weights
    full = DATA[np.flatnonzero(DATA.getnnz(axis=1))]
    assert torch.equal(learnt(EASE(l2=3.0), full).weights, expected)
    zero_row = csr_matrix((np.zeros(2, np.float32), [1, 3], [0, 2]), shape=(1, 12))
    zeros = csr_matrix(
        (np.r_[zero_row.data, full.data], np.r_[zero_row.indices, full.indices], np.r_[0, full.indptr + 2])
    )
    assert zeros.nnz == full.nnz + 2
    assert torch.equal(learnt(EASE(l2=3.0), zeros).weights, expected)


def test_a_row_that_is_twice_there_counts_like_a_row_of_twice_the_weight() -> None:
    x, twice = DATA.toarray().astype(np.float64), np.vstack([DATA.toarray(), DATA.toarray()[:30]])
    gram = (x.T * np.r_[np.full(30, 2.0), np.ones(30)]) @ x
    p = np.linalg.inv(gram + 3 * np.eye(12))
    expected = np.where(np.eye(12) == 1, 0, -p / p.diagonal())
    np.testing.assert_allclose(learnt(EASE(l2=3.0), csr_matrix(twice)).weights.numpy(), expected, rtol=1e-5, atol=1e-7)


def test_memory_is_that_of_the_inverse_and_the_float32_weights() -> None:
    """Gowalla's 40,981 items take one matrix of 6.3 GiB in single precision, or 12.5 and the weights' 6.3 in double."""
    shape = Shape(29_858, 40_981)
    assert EASE.paper(dtype="float32").memory(shape) == 4 * 40_981**2
    assert EASE.paper(dtype="float64").memory(shape) == 12 * 40_981**2


PEAK = """
import json, sys
import numpy as np, torch
from scipy.sparse import random as sparse
from recsys_ae import models
from recsys_ae.nn.model import Shape
from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run

def kib(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1])

def learnt(users, n):
    rows = Rows.from_matrix(canonical(sparse(users, n, 0.002, rng=np.random.default_rng(0))), torch.device("cpu"))
    network = spec.build(Shape(users, n))
    network.learn(rows, Run(device="cpu"))
    return network

torch.set_num_threads(1)
spec, users, n = models.spec_class(sys.argv[1]).paper(**json.loads(sys.argv[2])), *map(int, sys.argv[3:])
learnt(users // 10, 200)
before, kept = kib("VmRSS"), learnt(users, n)
print((kib("VmHWM") - before) * 1024, spec.memory(Shape(users, n)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory of a process from /proc")
@pytest.mark.parametrize(
    ("name", "chosen", "users", "items", "size"),
    [
        ("ease", '{"dtype": "float32"}', 2500, 2500, 4),
        ("ease", '{"dtype": "float64"}', 2500, 2500, 12),
        ("ease", '{"dtype": "float64"}', 1600, 4000, 8 * 0.4 * 1.4 + 4),
        ("edlae", '{"dtype": "float64"}', 2500, 2500, 12),
        ("edlae", '{"dtype": "float64", "rank": 2, "iterations": 1}', 1000, 2500, 8),
    ],
)
def test_fitting_holds_little_more_than_the_bytes_it_names(
    name: str, chosen: str, users: int, items: int, size: float
) -> None:
    command: Any = [sys.executable, "-c", PEAK, name, chosen, str(users), str(items)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, named = map(int, result.stdout.split())
    assert named == pytest.approx(size * items**2, rel=0.01)
    assert 0.9 * named < peak < 1.3 * named


def test_where_memory_is_short_nothing_is_built_and_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Interactions(DATA, pd.Index(range(60)), pd.Index(range(12)))
    needed = EASE.paper().memory(Shape(60, 12))
    monkeypatch.setattr(capacity, "free_memory", lambda device: needed - 1)
    monkeypatch.setattr(EASE, "build", lambda *_: pytest.fail("built although memory is short"))
    with pytest.raises(TrainingError, match="60 users and 12 items") as raised:
        Recommender(EASE.paper()).fit(data, run=CPU)
    for part in ("ease needs 0.0 GiB", "0.0 GiB are free", "min_item_users", "dtype = 'float32'", "elsa"):
        assert part in str(raised.value)


def test_memory_that_just_suffices_or_is_unknown_is_no_reason_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Interactions(DATA, pd.Index(range(60)), pd.Index(range(12)))
    for free in (EASE.paper().memory(Shape(60, 12)), None):
        monkeypatch.setattr(capacity, "free_memory", lambda device, free=free: free)
        Recommender(EASE.paper()).fit(data, run=CPU)


def test_the_message_says_how_many_gib_are_needed_and_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: 13 * 2**30)
    users, items = 29_858, 40_981
    wide = csr_matrix((np.ones(users, np.float32), np.arange(users), np.arange(users + 1)), shape=(users, items))
    data = Interactions(wide, pd.Index(range(users)), pd.Index(range(items)))
    with pytest.raises(TrainingError, match=r"ease needs 18\.8 GiB for 29,858 users and 40,981 items, and 13\.0 GiB"):
        preflight.check(EASE.paper(), data, CPU)
    preflight.check(EASE.paper(dtype="float32"), data, CPU)
