"""Cold-item experiment: recommend movies without ratings from the codes of each autoencoder.

    python experiments/cold_items/run.py [ROW …] [--data ml-1m|ml-latest-small] [--select] [--seeds 0,1,2]

Each seed withholds another tenth of the items from training as cold items. A row is a baseline, or an autoencoder and
its code size (``denoising-64``), fitted to the features of the other items; EASE recommends from its codes. The
settings in encoders.toml were chosen with ``--select``, which removes the cold items of the seed and withholds a tenth
of the other items instead. A row whose JSON is in the output folder is not measured again.
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
from recsys_ae.cold_start.cold_start import padded
from recsys_ae.data.filters import MinInteractions, MinRating, apply
from recsys_ae.features.data.read import read_features
from recsys_ae.features.models import spec_class
from recsys_ae.models import CEASE, EASE, ContentKNN
from recsys_ae.spec.hyper import build

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from cold_items.results import METRICS, table  # noqa: E402  in the parent folder
from measured import machine, read, write  # noqa: E402

COLUMNS = {
    "ml-1m": ("genres", "year", "plots", "abstracts", "actors", "directors"),
    "ml-latest-small": ("genres", "year", "tags", "overviews", "actors", "directors"),
}
MIN_MOVIES = 20
"""Least number of movies that use a word; rarer words take time and say little about a cold movie."""
SHARE = 0.1
L2 = {"ml-1m": 500.0, "ml-latest-small": 300.0}
SIZES = (16, 32, 64, 128)


def main() -> None:
    """Measure the missing rows and print the table."""
    settings = tomllib.loads((HERE / "encoders.toml").read_text(encoding="utf-8"))
    rows = [*BASELINES, *(f"{name}-{size}" for name in settings for size in SIZES)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="names of rows, such as denoising-64; default: all")
    parser.add_argument(
        "--data", choices=list(COLUMNS), default="ml-1m", help="name of the data set; default: %(default)s"
    )
    parser.add_argument("--data-dir", type=Path, help="folder of the data; default: the data are downloaded")
    parser.add_argument(
        "--seeds", default="0,1,2", help="random seeds; each draws other cold items; default: %(default)s"
    )
    parser.add_argument("--select", action="store_true", help="evaluate on other items, to choose settings")
    parser.add_argument("--set", default="{}", metavar="JSON", help="settings that replace encoders.toml's (--select)")
    parser.add_argument(
        "--out",
        type=Path,
        default=HERE / "results",
        help="folder of the results, one JSON per row; default: %(default)s",
    )
    arguments = parser.parse_intermixed_args()
    unknown = [row for row in arguments.rows if row not in rows]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; available: {', '.join(rows)}")
    if arguments.set != "{}" and not arguments.select:
        parser.error("--set needs --select; write chosen settings into encoders.toml")
    out = arguments.out / (f"{arguments.data}-select" if arguments.select else arguments.data)
    out.mkdir(parents=True, exist_ok=True)
    source, seeds = Source(arguments.data, arguments.data_dir), [int(seed) for seed in arguments.seeds.split(",")]
    tasks = {seed: Task(source, seed, select=arguments.select) for seed in seeds}
    changed = json.loads(arguments.set)
    measurements = {}
    for row in arguments.rows or rows:
        for seed, task in tasks.items():
            row_settings = {**settings.get(row.rpartition("-")[0], {}), **changed}
            measurements[row, seed] = measured(out, row, seed, task, row_settings)
    print(f"\n{machine()}\n\n{table(measurements)}")


@dataclass(frozen=True)
class Source:
    """Likes of movies, and features of the movies."""

    name: str
    data_dir: Path | None

    @cached_property
    def interactions(self) -> Interactions:
        """Ratings from 4, of users with at least five."""
        ratings = load_dataset(self.name, data_dir=self.data_dir).interactions
        return apply(ratings, MinRating(4), MinInteractions(user=5))

    @cached_property
    def features(self) -> Features:
        """Features of all movies, without rare words."""
        table = read_features(f"{self.name}:{','.join(COLUMNS[self.name])}", data_dir=self.data_dir)
        assert isinstance(table.matrix, csr_matrix)
        counted = np.zeros(table.width, bool) if table.counted is None else table.counted
        people = table.columns.str.startswith(("actors=", "directors="))
        frequent = ~counted | people | (table.matrix.getnnz(axis=0) >= MIN_MOVIES)
        return Features(table.matrix[:, frequent], table.ids, table.columns[frequent], counted=counted[frequent])


class Task:
    """Cold items of one seed, and the users who liked some of them."""

    def __init__(self, source: Source, seed: int, *, select: bool) -> None:
        self.source, self.seed, self.select = source, seed, select

    @cached_property
    def items(self) -> tuple[Any, Any]:
        """Ids of the training items and of the cold items."""
        ids = self.source.interactions.items
        rng = np.random.default_rng(self.seed)
        warm, cold = _withheld(ids, ids.isin(self.source.features.ids), rng)
        return _withheld(warm, warm.isin(self.source.features.ids), rng) if self.select else (warm, cold)

    @cached_property
    def train(self) -> Interactions:
        """Interactions with the training items."""
        interactions = self.source.interactions.onto(self.items[0])
        return interactions.select_users(np.flatnonzero(np.diff(interactions.matrix.indptr)))

    @cached_property
    def holdout(self) -> Holdout:
        """Histories and targets of the training users; columns of the cold items follow those of the training items."""
        interactions = self.source.interactions
        rows = interactions.users.get_indexer(self.train.users)
        cold = interactions.onto(self.items[1]).matrix[rows]
        no_targets = csr_matrix(self.train.matrix.shape, dtype=np.float32)
        targets = csr_matrix(hstack([no_targets, cold], format="csr"))
        return Holdout(padded(self.train.matrix, cold.shape[1]), targets, self.train.users)

    @cached_property
    def known(self) -> Features:
        """Features of the training items."""
        return self.source.features.of(self.items[0])

    @cached_property
    def new(self) -> Features:
        """Features of the cold items."""
        return self.source.features.of(self.items[1])

    @cached_property
    def ease(self) -> Recommender:
        """EASE, fitted to the training items; ``by`` adds the ridge regression that gives cold items their weights."""
        return Recommender(EASE(l2=L2[self.source.name])).fit(self.train, run=Run(seed=self.seed))

    def by(self, warm_features: Features, cold_features: Features) -> "Ranker":
        """Return EASE's ranker of cold items with these features of training and cold items."""
        return Ranker(self.ease.fit_cold_items(self.train, warm_features, run=Run(seed=self.seed)), cold_features)


def _withheld(items: Any, possible: np.ndarray, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return training items and cold items: a tenth of all, drawn among the possible ones."""
    cold = np.sort(rng.choice(np.flatnonzero(possible), round(SHARE * len(items)), replace=False))
    return items.delete(cold), items[cold]


@dataclass(frozen=True)
class Ranker:
    """A model that ranks cold items: only them if ``alone``, otherwise among all items."""

    model: Recommender
    new: Features
    alone: bool = True

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the top-``k`` items and scores of each row."""
        known = histories[:, : len(self.model.items)]
        return self.model.recommend(known, k, exclude_seen=exclude_seen, cold_items=self.new, only_cold=self.alone)


@dataclass(frozen=True)
class Same:
    """A ranking of cold items by scores that are the same for all users; ``n_known`` items precede them."""

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
    """A random ranking of cold items for each user."""

    n_new: int
    n_known: int
    seed: int

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a random list for each row."""
        keys = np.random.default_rng(self.seed).random((histories.shape[0], self.n_new))
        best = np.argsort(keys, axis=1)[:, :k]
        return self.n_known + best, -np.take_along_axis(keys, best, axis=1)


def by_genre(task: Task) -> Same:
    """Score a cold movie by the mean number of likes of training movies per genre, averaged over its genres."""
    genres = task.known.columns.str.startswith("genre=")
    warm, cold = ((table.matrix[:, genres] > 0).astype(np.float64).toarray() for table in (task.known, task.new))
    likes = np.asarray(task.train.onto(task.known.ids).matrix.sum(axis=0)).ravel()
    means = (likes @ warm) / np.maximum(warm.sum(axis=0), 1)
    return Same((cold @ means) / np.maximum(cold.sum(axis=1), 1), len(task.items[0]))


def content_knn(task: Task) -> Ranker:
    """Rank by similarity to the history."""
    spec = ContentKNN(neighbors=NEIGHBORS)
    return Ranker(Recommender(spec).fit(task.train, item_features=task.known, run=Run()), task.new)


def cease(task: Task) -> Ranker:
    """Rank by CEASE, which is fitted to features and likes together."""
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


def measured(out: Path, row: str, seed: int, task: Task, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the results of a row: saved ones, or those of a new run."""
    identity = json.dumps([row, seed, settings, task.source.name, task.select, NEIGHBORS, WEIGHT, L2], sort_keys=True)
    mark = hashlib.sha256(identity.encode()).hexdigest()[:16]
    file = out / f"{row}.{seed}.{mark}.json"
    saved = read(file, mark)
    if saved is not None:
        return saved
    started = time.perf_counter()
    ranker = BASELINES[row](task) if row in BASELINES else encoded(row, task, settings)
    seconds = time.perf_counter() - started
    per_user: dict[str, Any] = {"user": task.holdout.users}
    reports = {"cold": evaluate(ranker, task.holdout, METRICS, n_resamples=2)}
    if isinstance(ranker, Ranker):
        reports["mixed"] = evaluate(Ranker(ranker.model, ranker.new, alone=False), task.holdout, METRICS, n_resamples=2)
    values = pd.concat({kind: report.values for kind, report in reports.items()}, axis=1)  # noqa: PD011  of a report
    values.columns = [f"{kind} {name}" for kind, name in values.columns]
    per_user = {"user": values.index.tolist(), **{str(name): values[name].tolist() for name in values}}
    measurement = {"row": row, "seed": seed, "settings": settings, "seconds": seconds, "values": per_user}
    write(file, measurement, mark)
    means = {name: round(float(values[name].mean()), 4) for name in values}
    print(f"{row} seed {seed}: {means} in {seconds:.0f} s", file=sys.stderr, flush=True)
    return measurement


def encoded(row: str, task: Task, settings: dict[str, Any]) -> Ranker:
    """Fit an autoencoder to the features of the training items, and rank by its codes."""
    name, _, size = row.rpartition("-")
    spec = build(spec_class(name), {**settings, "latent": int(size)})
    encoder = FeatureEncoder(spec).fit(task.known, run=Run(seed=task.seed))
    return task.by(encoder.encode(task.known), encoder.encode(task.new))


if __name__ == "__main__":
    main()
