"""Tests of the cold-item experiment on synthetic movies whose genres decide who likes them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import Features, Interactions

HERE = Path(__file__).resolve().parents[2] / "experiments" / "cold_items"
GENRES, MOVIES, USERS = 4, 240, 120


@pytest.fixture(scope="module")
def experiment() -> ModuleType:
    """Load the script as a module."""
    spec = importlib.util.spec_from_file_location("cold_items_run", HERE / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def source() -> Any:
    """Return users with four tastes, and movies with their genres; three movies have no features."""
    rng = np.random.default_rng(0)
    genre = np.arange(MOVIES) % GENRES
    likes = (genre == (np.arange(USERS) % GENRES)[:, None]) & (rng.random((USERS, MOVIES)) < 0.6)
    user, item = likes.nonzero()
    one_hot = csr_matrix(np.eye(GENRES, dtype=np.float32)[genre[:-3]])
    columns = pd.Index([f"genre={number}" for number in range(GENRES)])
    interactions = Interactions.from_frame(pd.DataFrame({"user": user, "item": item}))
    return SimpleNamespace(
        name="ml-1m", interactions=interactions, features=Features(one_hot, pd.RangeIndex(MOVIES - 3), columns)
    )


@pytest.mark.parametrize("select", [False, True])
def test_cold_items_are_in_no_training(experiment: ModuleType, source: Any, select: bool) -> None:
    task = experiment.Task(source, 0, select=select)
    warm, cold = task.items
    assert len(cold) == (22 if select else 24)
    assert not warm.isin(cold).any()
    assert cold.isin(source.features.ids).all()
    assert task.train.items.equals(warm)
    interactions, holdout = source.interactions, task.holdout
    assert (holdout.histories[:, : len(warm)] != task.train.matrix).nnz == 0
    assert holdout.histories[:, len(warm) :].nnz == 0
    rows = interactions.users.get_indexer(holdout.users)
    expected = interactions.matrix[rows][:, interactions.items.get_indexer(cold)].toarray()
    np.testing.assert_array_equal(holdout.targets.toarray()[:, len(warm) :], expected)
    assert holdout.targets[:, : len(warm)].nnz == 0


def test_settings_are_chosen_on_other_items_than_the_results(experiment: ModuleType, source: Any) -> None:
    evaluated = experiment.Task(source, 1, select=False).items[1]
    task = experiment.Task(source, 1, select=True)
    assert not task.items[0].append(task.items[1]).isin(evaluated).any()


def test_popularity_by_genre_is_the_mean_of_the_genres_means(experiment: ModuleType, source: Any) -> None:
    task = experiment.Task(source, 0, select=False)
    counts = dict(zip(task.train.items, np.asarray(task.train.matrix.sum(axis=0)).ravel(), strict=True))
    scores = experiment.by_genre(task).scores
    for item, score in zip(task.items[1], scores, strict=True):
        same_genre = [counts[movie] for movie in task.known.ids if movie % GENRES == item % GENRES]
        assert score == pytest.approx(np.mean(same_genre))


def test_the_genres_of_the_data_sets_are_found(
    experiment: ModuleType, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(experiment.COLUMNS, "ml-latest-small", ("genres",))
    task = experiment.Task(experiment.Source("ml-latest-small", data_dir), 0, select=False)
    scores = experiment.by_genre(task).scores
    assert len(np.unique(scores)) > 50
    assert scores.mean() == pytest.approx(np.asarray(task.train.matrix.sum(axis=0)).mean(), rel=0.5)


def test_a_row_is_measured_once_and_shown(experiment: ModuleType, source: Any, tmp_path: Path) -> None:
    task = experiment.Task(source, 0, select=False)
    measurements: dict[tuple[str, int], dict[str, Any]] = {}
    for row in ("random", "popularity_by_genre", "content_knn", "raw_ridge", "cease", "pca-2"):
        measurements[row, 0] = experiment.measured(tmp_path, row, 0, task, {})
        again = experiment.measured(tmp_path, row, 0, task, {})
        assert again["seconds"] == measurements[row, 0]["seconds"]  # two fits would differ
    means = {row: np.mean(measured["values"]["cold ndcg@20"]) for (row, _), measured in measurements.items()}
    assert min(means["content_knn"], means["raw_ridge"], means["pca-2"]) > means["random"] + 0.2
    lines = experiment.table(measurements).splitlines()
    assert len(lines) == 2 + len(measurements)
    assert lines[2].startswith("| ")
    assert "mixed recall@20" in lines[0]
