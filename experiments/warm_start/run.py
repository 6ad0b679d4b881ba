"""Warm-start experiment: train Mult-DAE and Mult-VAE on few users, from random weights or from vectors of the movies.

    python experiments/warm_start/run.py [VECTORS …] [--model NAME] [--shares 5,10] [--seeds 0,1,2] [--select]

The models are trained on a share of ML-1M's training users (strong generalization); a larger share contains the users
of a smaller one. ``scratch`` starts from random weights, ``noise`` from random vectors, and ``svd`` from the singular
vectors of the training interactions. All others start from the codes of an autoencoder of the movies' features, which
reads no interaction. Settings were chosen with ``--select``, which reads only the validation users; without it the
test users are evaluated. A run whose JSON is in the output folder is not repeated.
"""

import argparse
import hashlib
import json
import sys
import tomllib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix

from recsys_ae import (
    FeatureEncoder,
    Features,
    Interactions,
    Recommender,
    Run,
    evaluate,
    load_dataset,
    models,
)
from recsys_ae.data.filters import MinInteractions, MinRating, apply
from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.data.splits.holdout import Split
from recsys_ae.data.splits.split import split_users
from recsys_ae.features.data.read import read_features
from recsys_ae.features.models import spec_class
from recsys_ae.nn.linear.singular import right_singular
from recsys_ae.nn.rows import Rows
from recsys_ae.spec.hyper import build
from recsys_ae.storage.atomic import whole_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from measured import machine, read, write  # noqa: E402  in the parent folder
from warm_start.results import METRIC, table  # noqa: E402

COLUMNS = ("genres", "year", "plots", "abstracts", "actors", "directors")
MIN_MOVIES = 20
"""Least number of movies that use a word of a text."""
SHARES = (5, 10, 25, 50, 100)
SIZE = 64
"""Number of dimensions of the vectors that are not codes of an autoencoder."""
OTHERS = ("scratch", "noise", "svd")


def main() -> None:
    """Run what is missing, and print the tables."""
    settings, trials = (tomllib.loads((HERE / file).read_text()) for file in ("encoders.toml", "models.toml"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    starts = [*OTHERS, *settings]
    parser.add_argument("vectors", nargs="*", metavar="VECTORS", help=f"any of {', '.join(starts)}; default: all")
    parser.add_argument("--model", choices=list(trials), help="recommender to train; default: both")
    parser.add_argument(
        "--shares", default=",".join(map(str, SHARES)), help="percentages of the training users; default: %(default)s"
    )
    parser.add_argument(
        "--seeds", default="0,1,2", help="random seeds; each draws other users and other weights; default: %(default)s"
    )
    parser.add_argument("--data-dir", type=Path, help="folder of the data; default: the data are downloaded")
    parser.add_argument("--select", action="store_true", help="evaluate on validation users only, to choose settings")
    parser.add_argument("--set", default="{}", metavar="JSON", help="settings that replace models.toml's (--select)")
    parser.add_argument("--size", type=int, help="code size that replaces encoders.toml's (--select)")
    parser.add_argument("--table", action="store_true", help="print the tables of saved runs; start no run")
    parser.add_argument(
        "--out",
        type=Path,
        default=HERE / "results",
        help="folder of the results, one JSON per run; default: %(default)s",
    )
    arguments = parser.parse_intermixed_args()
    unknown = [name for name in arguments.vectors if name not in starts]
    if unknown:
        parser.error(f"there are no vectors {unknown[0]!r}; available: {', '.join(starts)}")
    if (arguments.set != "{}" or arguments.size) and not arguments.select:
        parser.error("--set and --size need --select; write chosen settings into models.toml and encoders.toml")
    latent = {"latent": arguments.size} if arguments.size else {}
    encoders = {name: {**encoder, **latent} for name, encoder in settings.items()}
    study = Study(arguments.out, arguments.data_dir, encoders, select=arguments.select)
    runs = []
    for share in (int(text) for text in arguments.shares.split(",")):
        for model in [arguments.model] if arguments.model else trials:
            model_settings = {**trials[model], **json.loads(arguments.set)}
            for seed in (int(text) for text in arguments.seeds.split(",")):
                for vectors in arguments.vectors or starts:
                    run = study.run(Task(model, share, vectors, seed), model_settings, fit=not arguments.table)
                    runs += [] if run is None else [run]
    print(f"\n{machine()}\n\n{table(runs)}")


@dataclass(frozen=True)
class Task:
    """One run: a model, the share of the users in per cent, the vectors it starts from, and the seed."""

    model: str
    share: int
    vectors: str
    seed: int


class Study:
    """Data of all runs, and the folder of their results."""

    def __init__(self, out: Path, data_dir: Path | None, encoders: dict[str, dict[str, Any]], *, select: bool) -> None:
        self.out, self.data_dir, self.encoders, self.select = out, data_dir, encoders, select
        self.codes = cache(self._codes)
        (out / "codes").mkdir(parents=True, exist_ok=True)

    @cached_property
    def split(self) -> Split:
        """The split of Mult-VAE's protocol, as in ml1m_strong."""
        ratings = load_dataset("ml-1m", data_dir=self.data_dir).interactions
        likes = apply(ratings, MinRating(4), MinInteractions(user=5))
        return split_users(likes, n_valid=603, n_test=603, recipe="liang2018")

    @cached_property
    def features(self) -> Features:
        """Features of all movies, without rare words."""
        table = read_features(f"ml-1m:{','.join(COLUMNS)}", data_dir=self.data_dir)
        assert isinstance(table.matrix, csr_matrix)
        texts = table.columns.str.startswith(("plots=", "abstracts="))
        frequent = ~texts | (table.matrix.getnnz(axis=0) >= MIN_MOVIES)
        counted = None if table.counted is None else table.counted[frequent]
        return Features(table.matrix[:, frequent], table.ids, table.columns[frequent], counted=counted)

    def run(self, task: Task, settings: dict[str, Any], *, fit: bool) -> dict[str, Any] | None:
        """Return the results of a run: saved ones, or those of a new fit; None if not saved and ``fit`` is false."""
        encoder = self.encoders.get(task.vectors, {"latent": SIZE})
        mark = _mark([vars(task), settings, {} if task.vectors == "scratch" else encoder, self.select])
        file = self.out / f"{task.model}-{task.share}-{task.vectors}-{task.seed}-{mark}.json"
        measured = read(file, mark)
        if measured is None and fit:
            measured = {**vars(task), "settings": settings, "encoder": encoder, **self._fit(task, settings)}
            write(file, measured, mark)
            curve = measured["validation"]
            best = f"{max(curve):.4f} in epoch {curve.index(max(curve)) + 1} of {len(curve)}"
            title = " ".join(map(str, vars(task).values()))
            print(f"{title}: validation {best}, {measured['seconds']:.0f} s", file=sys.stderr, flush=True)
        return measured

    def _fit(self, task: Task, settings: dict[str, Any]) -> dict[str, Any]:
        train = sample(self.split.train, task.share, task.seed)
        spec = models.spec_class(task.model).paper(**settings)
        run = Run(seed=task.seed, device="cpu", threads=1)
        model = Recommender(spec).fit(train, valid=self.split.valid, item_features=self._vectors(task, train), run=run)
        curve = [epoch[f"valid/{METRIC}"] for epoch in model.history]
        measured = {"users": train.shape[0], "validation": curve, "seconds": model.metadata["seconds"]}
        if not self.select:
            values = evaluate(model, self.split.test, [METRIC], n_resamples=2).values  # noqa: PD011  of a report
            measured |= {"test users": values.index.tolist(), "test": values[METRIC].tolist()}
        return measured

    def _vectors(self, task: Task, train: Interactions) -> Features | None:
        if task.vectors == "scratch":
            return None
        if task.vectors == "svd":
            return singular(train, task.seed)
        if task.vectors == "noise":
            drawn = np.random.default_rng(task.seed).normal(size=(len(train.items), SIZE)).astype(np.float32)
            return Features(drawn, train.items, _names(SIZE))
        return self.codes(task.vectors)

    def _codes(self, name: str) -> Features:
        settings = self.encoders[name]
        file = self.out / "codes" / f"{name}-{_mark([settings, COLUMNS, MIN_MOVIES])}.parquet"
        if not file.exists():
            spec, run = build(spec_class(name), settings), Run(device="cpu", threads=1)
            encoder = FeatureEncoder(spec).fit(self.features, run=run)
            with whole_file(file) as partial:
                encoder.encode(self.features).to_frame().to_parquet(partial)
            print(f"{name} {settings}: {encoder.metadata['seconds']:.0f} s", file=sys.stderr, flush=True)
        return Features.from_frame(pd.read_parquet(file))


def sample(train: Interactions, share: int, seed: int) -> Interactions:
    """Return a share of the users in per cent; it contains the users of every smaller share with the same seed."""
    order = np.random.default_rng(seed).permutation(train.shape[0])
    return train.select_users(np.sort(order[: round(train.shape[0] * share / 100)]))


def singular(train: Interactions, seed: int) -> Features:
    """Return right singular vectors times singular values of the training matrix, for items with interactions."""
    rows = Rows.from_matrix(canonical(train.matrix), torch.device("cpu"))
    values, vectors = right_singular(rows, rows.transposed(), SIZE, torch.Generator().manual_seed(seed))
    items = np.flatnonzero(train.matrix.getnnz(axis=0))
    return Features((vectors * values).numpy()[items], train.items[items], _names(SIZE))


def _names(width: int) -> Any:
    return pd.Index([f"vector {number}" for number in range(width)])


def _mark(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


if __name__ == "__main__":
    main()
