"""Train Mult-DAE and Mult-VAE on few users, from scratch and started from vectors of the films.

    python experiments/warm_start/run.py [VECTORS …] [--model NAME] [--shares 5,10] [--seeds 0,1,2] [--select]

Of ML-1M's training users (strong generalisation) a share is trained on: those of a smaller share are among those of a
larger one. ``scratch`` starts at random, ``noise`` from random vectors, ``svd`` from the singular vectors of the same
training interactions, and all others from the codes of an autoencoder, which has seen the features of all films and no
interaction. Settings were chosen with ``--select``, which knows the validation users only; without it the test users
are judged. A run whose JSON is in the output folder is not made again.
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
from recsys_ae.data.splits.holdout import Split
from recsys_ae.data.splits.split import split_users
from recsys_ae.features.data.read import read_features
from recsys_ae.features.models import spec_class
from recsys_ae.nn.linear.singular import right_singular
from recsys_ae.nn.rows import Rows, canonical
from recsys_ae.spec.hyper import build
from recsys_ae.storage.atomic import whole_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from measured import machine, read, write  # noqa: E402  beside this folder
from warm_start.results import METRIC, table  # noqa: E402

COLUMNS = ("genres", "year", "plots", "abstracts", "actors", "directors")
LEAST_FILMS = 20
"""A word of a text counts if so many films use it."""
SHARES = (5, 10, 25, 50, 100)
SIZE = 64
"""Columns of the vectors that no autoencoder makes."""
OTHERS = ("scratch", "noise", "svd")


def main() -> None:
    """Make the runs that are missing and print the tables."""
    settings, trials = (tomllib.loads((HERE / file).read_text()) for file in ("encoders.toml", "models.toml"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vectors", nargs="*", metavar="VECTORS", help=f"{', '.join([*OTHERS, *settings])}; all")
    parser.add_argument("--model", choices=list(trials), help="the default is both")
    parser.add_argument("--shares", default=",".join(map(str, SHARES)), help="per cent of the training users")
    parser.add_argument("--seeds", default="0,1,2", help="each draws other users and other weights")
    parser.add_argument("--data-dir", type=Path, help="where the data lie; else they are downloaded")
    parser.add_argument("--select", action="store_true", help="judge on the validation users alone, to choose settings")
    parser.add_argument("--set", default="{}", metavar="JSON", help="wins over models.toml (--select)")
    parser.add_argument("--size", type=int, help="of the codes, wins over encoders.toml (--select)")
    parser.add_argument("--table", action="store_true", help="make no run, show what is there")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="a JSON for each run goes here")
    arguments = parser.parse_intermixed_args()
    known = [*OTHERS, *settings]
    unknown = [one for one in arguments.vectors if one not in known]
    if unknown:
        parser.error(f"there are no vectors {unknown[0]!r}; known: {', '.join(known)}")
    if (arguments.set != "{}" or arguments.size) and not arguments.select:
        parser.error("--set and --size are for --select; what was chosen belongs into models.toml and encoders.toml")
    sizes = {name: {**one, **({"latent": arguments.size} if arguments.size else {})} for name, one in settings.items()}
    study = Study(arguments.out, arguments.data_dir, sizes, select=arguments.select)
    done = []
    for share in (int(one) for one in arguments.shares.split(",")):
        for model in [arguments.model] if arguments.model else trials:
            told = {**trials[model], **json.loads(arguments.set)}
            for seed in (int(one) for one in arguments.seeds.split(",")):
                for vectors in arguments.vectors or known:
                    one = study.made(Task(model, share, vectors, seed), told, make=not arguments.table)
                    done += [] if one is None else [one]
    print(f"\n{machine()}\n\n{table(done)}")


@dataclass(frozen=True)
class Task:
    """One run: which model is trained on how many per cent of the users, from which vectors."""

    model: str
    share: int
    vectors: str
    seed: int


class Study:
    """The data of all runs, and where their results are kept."""

    def __init__(self, out: Path, data_dir: Path | None, encoders: dict[str, dict[str, Any]], *, select: bool) -> None:
        self.out, self.data_dir, self.encoders, self.select = out, data_dir, encoders, select
        self.codes = cache(self._codes)
        (out / "codes").mkdir(parents=True, exist_ok=True)

    @cached_property
    def split(self) -> Split:
        """The split of Mult-VAE's protocol, as in ml1m_strong."""
        found = load_dataset("ml-1m", data_dir=self.data_dir).interactions
        found = apply(found, MinRating(4), MinInteractions(user=5))
        return split_users(found, n_valid=603, n_test=603, recipe="liang2018")

    @cached_property
    def features(self) -> Features:
        """All films' features, without rare words."""
        found = read_features(f"ml-1m:{','.join(COLUMNS)}", data_dir=self.data_dir)
        assert isinstance(found.matrix, csr_matrix)
        texts = found.columns.str.startswith(("plots=", "abstracts="))
        kept = ~texts | (found.matrix.getnnz(axis=0) >= LEAST_FILMS)
        counted = None if found.counted is None else found.counted[kept]
        return Features(found.matrix[:, kept], found.ids, found.columns[kept], counted=counted)

    def made(self, task: Task, told: dict[str, Any], *, make: bool) -> dict[str, Any] | None:
        """Return what a run measured, now or before; None where it was not made and is not to be."""
        own = self.encoders.get(task.vectors, {"latent": SIZE})
        mark = _mark([vars(task), told, {} if task.vectors == "scratch" else own, self.select])
        file = self.out / f"{task.model}-{task.share}-{task.vectors}-{task.seed}-{mark}.json"
        done = read(file, mark)
        if done is None and make:
            done = {**vars(task), "settings": told, "encoder": own, **self._measured(task, told)}
            write(file, done, mark)
            curve = done["validation"]
            best = f"{max(curve):.4f} in epoch {curve.index(max(curve)) + 1} of {len(curve)}"
            said = " ".join(map(str, vars(task).values()))
            print(f"{said}: validation {best}, {done['seconds']:.0f} s", file=sys.stderr, flush=True)
        return done

    def _measured(self, task: Task, told: dict[str, Any]) -> dict[str, Any]:
        train = part(self.split.train, task.share, task.seed)
        spec = build(models.spec_class(task.model), told)
        run = Run(seed=task.seed, device="cpu", threads=1)
        model = Recommender(spec).fit(train, valid=self.split.valid, item_features=self._vectors(task, train), run=run)
        curve = [epoch[f"valid/{METRIC}"] for epoch in model.history]
        found = {"users": train.shape[0], "validation": curve, "seconds": model.metadata["seconds"]}
        if not self.select:
            values = evaluate(model, self.split.test, [METRIC], n_resamples=2).values  # noqa: PD011  a report's own
            found |= {"test users": values.index.tolist(), "test": values[METRIC].tolist()}
        return found

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
        told = self.encoders[name]
        file = self.out / "codes" / f"{name}-{_mark([told, COLUMNS, LEAST_FILMS])}.parquet"
        if not file.exists():
            encoder = FeatureEncoder(build(spec_class(name), told)).fit(self.features, run=Run(device="cpu", threads=1))
            with whole_file(file) as partial:
                encoder.encode(self.features).to_frame().to_parquet(partial)
            print(f"{name} {told}: {encoder.metadata['seconds']:.0f} s", file=sys.stderr, flush=True)
        return Features.from_frame(pd.read_parquet(file))


def part(train: Interactions, share: int, seed: int) -> Interactions:
    """Return a share, in per cent, of the users: all of those of a smaller one, and others."""
    order = np.random.default_rng(seed).permutation(train.shape[0])
    return train.select_users(np.sort(order[: round(train.shape[0] * share / 100)]))


def singular(train: Interactions, seed: int) -> Features:
    """Return the right singular vectors of a training, times their values, of the items that it has touched."""
    rows = Rows.from_matrix(canonical(train.matrix), torch.device("cpu"))
    values, vectors = right_singular(rows, rows.transposed(), SIZE, torch.Generator().manual_seed(seed))
    touched = np.flatnonzero(train.matrix.getnnz(axis=0))
    return Features((vectors * values).numpy()[touched], train.items[touched], _names(SIZE))


def _names(width: int) -> Any:
    return pd.Index([f"vector {place}" for place in range(width)])


def _mark(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


if __name__ == "__main__":
    main()
