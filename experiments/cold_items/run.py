"""Rank films that nobody has rated by the codes of each autoencoder.

    python experiments/cold_items/run.py [ROW …] [--data ml-1m|ml-latest-small] [--select] [--seeds 0,1,2]

A tenth of the items is withheld from the training as new, with another tenth for each seed. A row is a baseline, or an
autoencoder and its code size (``denoising-64``), which is fitted to the features of the other items; the recommender
that ranks by its codes is EASE. What encoders.toml says was chosen with ``--select``: there the new items of a seed are
gone, and a tenth of the others takes their place. A row whose JSON is in the output folder is not made again.
"""

import argparse
import hashlib
import json
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack

from recsys_ae import FeatureEncoder, Features, Holdout, Interactions, Recommender, Run, evaluate, load_dataset
from recsys_ae.data.filters import MinInteractions, MinRating, apply
from recsys_ae.features.data.read import read_features
from recsys_ae.features.models import spec_class
from recsys_ae.models import CEASE, EASE, ContentKNN
from recsys_ae.spec.hyper import build

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from cold_items.results import METRICS, table  # noqa: E402  beside this folder
from measured import machine, read, write  # noqa: E402

COLUMNS = {
    "ml-1m": ("genres", "year", "plots", "abstracts", "actors", "directors"),
    "ml-latest-small": ("genres", "year", "tags", "overviews", "actors", "directors"),
}
LEAST_FILMS = 20
"""A word counts if so many films use it: others take time, and tell little of a film that is new."""
SHARE = 0.1
L2 = {"ml-1m": 500.0, "ml-latest-small": 300.0}
SIZES = (16, 32, 64, 128)


def main() -> None:
    """Make the rows that are missing and print the table."""
    settings = tomllib.loads((HERE / "encoders.toml").read_text(encoding="utf-8"))
    rows = [*BASELINES, *(f"{name}-{size}" for name in settings for size in SIZES)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="all by default")
    parser.add_argument("--data", choices=list(COLUMNS), default="ml-1m")
    parser.add_argument("--data-dir", type=Path, help="where the data lie; else they are downloaded")
    parser.add_argument("--seeds", default="0,1,2", help="which items are new: one draw for each")
    parser.add_argument("--select", action="store_true", help="judge on other items, to choose settings")
    parser.add_argument("--set", default="{}", metavar="JSON", help="settings that win over encoders.toml (--select)")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="a JSON for each row goes here")
    arguments = parser.parse_intermixed_args()
    unknown = [row for row in arguments.rows if row not in rows]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; known: {', '.join(rows)}")
    if arguments.set != "{}" and not arguments.select:
        parser.error("--set is for --select; what was chosen belongs into encoders.toml")
    out = arguments.out / (f"{arguments.data}-select" if arguments.select else arguments.data)
    out.mkdir(parents=True, exist_ok=True)
    source, seeds = Source(arguments.data, arguments.data_dir), [int(seed) for seed in arguments.seeds.split(",")]
    tasks = {seed: Task(source, seed, select=arguments.select) for seed in seeds}
    chosen = json.loads(arguments.set)
    done = {}
    for row in arguments.rows or rows:
        for seed, task in tasks.items():
            own = {**settings.get(row.rpartition("-")[0], {}), **chosen}
            done[row, seed] = made(out, row, seed, task, own)
    print(f"\n{machine()}\n\n{table(done)}")


@dataclass(frozen=True)
class Source:
    """Likes of films, and what is known of the films."""

    name: str
    data_dir: Path | None

    @cached_property
    def interactions(self) -> Interactions:
        """Ratings from 4, of users with at least five."""
        found = load_dataset(self.name, data_dir=self.data_dir).interactions
        return apply(found, MinRating(4), MinInteractions(user=5))

    @cached_property
    def features(self) -> Features:
        """All films' features, without rare words."""
        found = read_features(f"{self.name}:{','.join(COLUMNS[self.name])}", data_dir=self.data_dir)
        assert isinstance(found.matrix, csr_matrix)
        counted = np.zeros(found.width, bool) if found.counted is None else found.counted
        named = found.columns.str.startswith(("actors=", "directors="))
        kept = ~counted | named | (found.matrix.getnnz(axis=0) >= LEAST_FILMS)
        return Features(found.matrix[:, kept], found.ids, found.columns[kept], counted=counted[kept])


class Task:
    """Items that are new, and users who liked some of them."""

    def __init__(self, source: Source, seed: int, *, select: bool) -> None:
        self.source, self.seed, self.select = source, seed, select

    @cached_property
    def items(self) -> tuple[Any, Any]:
        """The ids of the known and of the new items."""
        everything = self.source.interactions.items
        drawn = np.random.default_rng(self.seed)
        known, new = _divided(everything, everything.isin(self.source.features.ids), drawn)
        return _divided(known, known.isin(self.source.features.ids), drawn) if self.select else (known, new)

    @cached_property
    def train(self) -> Interactions:
        """What is known of the known items."""
        known = self.source.interactions.onto(self.items[0])
        return known.select_users(np.flatnonzero(np.diff(known.matrix.indptr)))

    @cached_property
    def holdout(self) -> Holdout:
        """All users who liked a new item; its columns stand behind those of the known ones."""
        whole = self.source.interactions
        own = whole.users.get_indexer(self.train.users)
        new = whole.onto(self.items[1]).matrix[own]
        nothing = csr_matrix(self.train.matrix.shape, dtype=np.float32)
        targets = csr_matrix(hstack([nothing, new], format="csr"))
        return Holdout(self.train.matrix, targets, self.train.users)

    @cached_property
    def known(self) -> Features:
        """The features of known items."""
        return self.source.features.of(self.items[0])

    @cached_property
    def new(self) -> Features:
        """The features of new items."""
        return self.source.features.of(self.items[1])

    @cached_property
    def ease(self) -> Recommender:
        """The recommender that learns to rank by codes."""
        return Recommender(EASE(l2=L2[self.source.name])).fit(self.train, run=Run(seed=self.seed))

    def by(self, known: Features, new: Features) -> "Ranker":
        """Return what ranks new items by these features with EASE."""
        return Ranker(self.ease.fit_cold_items(self.train, known, run=Run(seed=self.seed)), new)


def _divided(items: Any, possible: np.ndarray, drawn: np.random.Generator) -> tuple[Any, Any]:
    new = np.sort(drawn.choice(np.flatnonzero(possible), round(SHARE * len(items)), replace=False))
    return items.delete(new), items[new]


@dataclass(frozen=True)
class Ranker:
    """A model that ranks new items: among themselves, or among all."""

    model: Recommender
    new: Features
    alone: bool = True

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best items of each row."""
        return self.model.recommend(histories, k, exclude_seen=exclude_seen, cold_items=self.new, only_cold=self.alone)


@dataclass(frozen=True)
class Same:
    """Ranks new items by one score for all users; ``n_known`` items stand before them."""

    scores: np.ndarray
    n_known: int

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the same list for each row."""
        best = np.argsort(-self.scores, kind="stable")[:k]
        n = histories.shape[0]
        return np.tile(self.n_known + best, (n, 1)), np.tile(self.scores[best], (n, 1))


@dataclass(frozen=True)
class Chance:
    """Ranks new items at random, for each user anew."""

    n_new: int
    n_known: int
    seed: int

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a list for each row."""
        drawn = np.random.default_rng(self.seed).random((histories.shape[0], self.n_new))
        best = np.argsort(drawn, axis=1)[:, :k]
        return self.n_known + best, -np.take_along_axis(drawn, best, axis=1)


def by_genre(task: Task) -> Same:
    """Score a new film by how often known films of its genres were liked: the mean over its genres of their means."""
    genres = task.known.columns.str.startswith("genres=")
    known, new = ((part.matrix[:, genres] > 0).astype(np.float64).toarray() for part in (task.known, task.new))
    likes = np.asarray(task.train.onto(task.known.ids).matrix.sum(axis=0)).ravel()
    means = (likes @ known) / np.maximum(known.sum(axis=0), 1)
    return Same((new @ means) / np.maximum(new.sum(axis=1), 1), len(task.items[0]))


def content_knn(task: Task) -> Ranker:
    """Rank by likeness to the history."""
    spec = ContentKNN(neighbors=NEIGHBORS)
    return Ranker(Recommender(spec).fit(task.train, item_features=task.known, run=Run()), task.new)


def cease(task: Task) -> Ranker:
    """Rank by the model that learns from features and likes together."""
    spec = CEASE(l2=L2[task.source.name], weight=WEIGHT)
    return Ranker(Recommender(spec).fit(task.train, item_features=task.known, run=Run()), task.new)


NEIGHBORS, WEIGHT = 20, 1e6
BASELINES: dict[str, Callable[[Task], Any]] = {
    "random": lambda task: Chance(len(task.items[1]), len(task.items[0]), task.seed),
    "popularity_by_genre": by_genre,
    "content_knn": content_knn,
    "raw_ridge": lambda task: task.by(task.known, task.new),
    "cease": cease,
}


def made(out: Path, row: str, seed: int, task: Task, settings: dict[str, Any]) -> dict[str, Any]:
    """Measure a row, unless that is done; return its numbers."""
    told = json.dumps([row, seed, settings, task.source.name, task.select, NEIGHBORS, WEIGHT, L2], sort_keys=True)
    mark = hashlib.sha256(told.encode()).hexdigest()[:16]
    file = out / f"{row}.{seed}.{mark}.json"
    done = read(file, mark)
    if done is not None:
        return done
    started = time.perf_counter()
    ranker = BASELINES[row](task) if row in BASELINES else encoded(row, task, settings)
    seconds = time.perf_counter() - started
    per_user: dict[str, Any] = {"user": task.holdout.users}
    reports = {"cold": evaluate(ranker, task.holdout, METRICS, n_resamples=2)}
    if isinstance(ranker, Ranker):
        reports["mixed"] = evaluate(Ranker(ranker.model, ranker.new, alone=False), task.holdout, METRICS, n_resamples=2)
    values = pd.concat({kind: report.values for kind, report in reports.items()}, axis=1)  # noqa: PD011  a report's own
    values.columns = [f"{kind} {name}" for kind, name in values.columns]
    per_user = {"user": values.index.tolist(), **{str(name): values[name].tolist() for name in values}}
    done = {"row": row, "seed": seed, "settings": settings, "seconds": seconds, "values": per_user}
    write(file, done, mark)
    means = {name: round(float(values[name].mean()), 4) for name in values}
    print(f"{row} seed {seed}: {means} in {seconds:.0f} s", file=sys.stderr, flush=True)
    return done


def encoded(row: str, task: Task, settings: dict[str, Any]) -> Ranker:
    """Fit an autoencoder to the features of known items, and rank by its codes."""
    name, _, size = row.rpartition("-")
    spec = build(spec_class(name), {**settings, "latent": int(size)})
    encoder = FeatureEncoder(spec).fit(task.known, run=Run(seed=task.seed))
    return task.by(encoder.encode(task.known), encoder.encode(task.new))


if __name__ == "__main__":
    main()
