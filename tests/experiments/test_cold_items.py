"""The experiment on new items, on made-up films whose genres say who likes them."""

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
GENRES, FILMS, USERS = 4, 240, 120


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
    """Return users of four tastes, and films of which the genre is known, but of three."""
    rng = np.random.default_rng(0)
    genre = np.arange(FILMS) % GENRES
    likes = (genre == (np.arange(USERS) % GENRES)[:, None]) & (rng.random((USERS, FILMS)) < 0.6)
    user, item = likes.nonzero()
    told = csr_matrix(np.eye(GENRES, dtype=np.float32)[genre[:-3]])
    columns = pd.Index([f"genres={place}" for place in range(GENRES)])
    interactions = Interactions.from_frame(pd.DataFrame({"user": user, "item": item}))
    return SimpleNamespace(
        name="ml-1m", interactions=interactions, features=Features(told, pd.RangeIndex(FILMS - 3), columns)
    )


@pytest.mark.parametrize("select", [False, True])
def test_new_items_are_in_no_training(experiment: ModuleType, source: Any, select: bool) -> None:
    task = experiment.Task(source, 0, select=select)
    known, new = task.items
    assert len(new) == (22 if select else 24)
    assert not known.isin(new).any()
    assert new.isin(source.features.ids).all()
    assert task.train.items.equals(known)
    whole, holdout = source.interactions, task.holdout
    assert (holdout.histories != task.train.matrix).nnz == 0
    own = whole.users.get_indexer(holdout.users)
    expected = whole.matrix[own][:, whole.items.get_indexer(new)].toarray()
    np.testing.assert_array_equal(holdout.targets.toarray()[:, len(known) :], expected)
    assert holdout.targets[:, : len(known)].nnz == 0


def test_what_is_chosen_on_is_not_what_is_judged_on(experiment: ModuleType, source: Any) -> None:
    judged = experiment.Task(source, 1, select=False).items[1]
    task = experiment.Task(source, 1, select=True)
    assert not task.items[0].append(task.items[1]).isin(judged).any()


def test_popularity_by_genre_is_the_mean_of_the_genres_means(experiment: ModuleType, source: Any) -> None:
    task = experiment.Task(source, 0, select=False)
    counts = dict(zip(task.train.items, np.asarray(task.train.matrix.sum(axis=0)).ravel(), strict=True))
    scores = experiment.by_genre(task).scores
    for item, score in zip(task.items[1], scores, strict=True):
        own = [counts[one] for one in task.known.ids if one % GENRES == item % GENRES]
        assert score == pytest.approx(np.mean(own))


def test_a_row_is_measured_once_and_shown(experiment: ModuleType, source: Any, tmp_path: Path) -> None:
    task = experiment.Task(source, 0, select=False)
    done: dict[tuple[str, int], dict[str, Any]] = {}
    for row in ("random", "popularity_by_genre", "content_knn", "raw_ridge", "cease", "pca-2"):
        done[row, 0] = experiment.made(tmp_path, row, 0, task, {})
        again = experiment.made(tmp_path, row, 0, task, {})
        assert again["seconds"] == done[row, 0]["seconds"]  # which two fits would not share
    means = {row: np.mean(one["values"]["cold ndcg@20"]) for (row, _), one in done.items()}
    assert min(means["content_knn"], means["raw_ridge"], means["pca-2"]) > means["random"] + 0.2
    lines = experiment.table(done).splitlines()
    assert len(lines) == 2 + len(done)
    assert lines[2].startswith("| ")
    assert "mixed recall@20" in lines[0]
