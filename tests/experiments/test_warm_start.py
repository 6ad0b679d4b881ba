"""Tests of the warm-start experiment: shares of users, start vectors, settings, and results tables."""

import importlib
import itertools
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import Interactions, models
from recsys_ae.features import models as autoencoders
from recsys_ae.spec.hyper import build

HERE = Path(__file__).parents[2] / "experiments"
Load = Callable[[str], Any]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return a function that imports a file of the experiment."""
    monkeypatch.syspath_prepend(str(HERE))
    yield lambda name: importlib.import_module(f"warm_start.{name}")
    for name in ("warm_start.run", "warm_start.results", "warm_start", "measured"):
        sys.modules.pop(name, None)


def run(vectors: str, seed: int, curve: list[float], test: list[float] | None = None) -> dict[str, Any]:
    tested = {} if test is None else {"test users": list(range(len(test))), "test": test}
    return {
        "model": "mult_dae", "share": 5, "vectors": vectors, "seed": seed, "validation": curve, "seconds": 1.0, **tested
    }  # fmt: skip


def interactions(n_users: int = 200, n_items: int = 90) -> Interactions:
    dense = np.random.default_rng(0).random((n_users, n_items)) < 0.1
    dense[:, 7] = False
    user, item = np.nonzero(dense)
    ids = pd.RangeIndex(n_items)
    return Interactions.from_arrays(user, item, np.ones(len(user), np.float32), pd.RangeIndex(n_users), ids)


def test_users_of_a_small_share_are_among_those_of_a_large_one(load: Load) -> None:
    train, take = interactions(), load("run").sample
    users = [set(take(train, share, 3).users) for share in (5, 10, 25, 50, 100)]
    assert [len(ids) for ids in users] == [10, 20, 50, 100, 200]
    assert all(small < large for small, large in itertools.pairwise(users))
    assert set(take(train, 5, 4).users) != users[0]
    assert take(train, 5, 3).items.equals(train.items)


def test_singular_vectors_are_those_of_the_interactions(load: Load) -> None:
    train = interactions()
    features = load("run").singular(train, 0)
    assert 7 not in features.ids
    assert len(features) == 89
    dense = csr_matrix(train.matrix).toarray()[:, features.ids]
    _, values, vectors = np.linalg.svd(dense.astype(np.float64), full_matrices=False)
    expected = (vectors[:64].T * values[:64]) @ (vectors[:64] * values[:64, None])
    np.testing.assert_allclose(features.matrix @ features.matrix.T, expected, atol=1e-3)


def test_the_settings_name_existing_models() -> None:
    for file, find in (("models", models.spec_class), ("encoders", autoencoders.spec_class)):
        settings = tomllib.loads((HERE / f"warm_start/{file}.toml").read_text(encoding="utf-8"))
        assert settings
        for name, model_settings in settings.items():
            assert build(find(name), model_settings).name() == name


def test_the_table_counts_the_epochs_until_a_start_reaches_scratch(load: Load) -> None:
    runs = [
        run("scratch", 0, [0.1, 0.2, 0.3, 0.29]), run("scratch", 1, [0.1, 0.2, 0.25, 0.3]),
        run("pca", 0, [0.2, 0.3, 0.4]), run("pca", 1, [0.35, 0.34]),
        run("svd", 0, [0.2, 0.25]), run("svd", 1, [0.3, 0.2]),
    ]  # fmt: skip
    rows = {line.split(" | ")[1]: line for line in load("results").table(runs).splitlines() if line.startswith("| 5 ")}
    # 2 of 3 epochs and 1 of 4 save a third and three quarters.
    assert rows["pca"] == "| 5 | pca | 2 | 0.3750 | 2 | 2 (−54 %) | – | – | 1 |"
    assert rows["scratch"] == "| 5 | scratch | 2 | 0.3000 | 4 | – | – | – | 1 |"
    assert "| not by 1 of 2 |" in rows["svd"]
    assert list(rows) == ["pca", "scratch", "svd"]


def test_differences_are_paired_by_user_and_seed(load: Load) -> None:
    hard, easy = [0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]
    better = [[score + 0.01 for score in scores] for scores in (hard, easy)]
    runs = [run("scratch", 0, [0.3], hard), run("scratch", 1, [0.3], easy)]
    runs += [run("pca", 0, [0.4], better[0]), run("pca", 1, [0.4], better[1])]
    text = load("results").table(runs)
    assert "| 0.4600 | +0.0100 [+0.0100, +0.0100] |" in text
    assert "| 0.4500 | – |" in text
    alone = load("results").table([runs[0], runs[2], runs[3]])
    assert "| 0.4600 | – |" in alone
