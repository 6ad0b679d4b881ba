"""Top-100 lists and evaluation, beside the product they rest on and beside implicit.

Run it alone: ``python experiments/speed/ranking.py``. All is timed in one process, one job after the other in rounds,
and the least time counts. The weights are random, which changes nothing about the time but for ties.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import implicit
import numpy as np
import torch
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from recsys_ae import metrics
from recsys_ae.evaluation.estimate import estimate
from recsys_ae.models._implicit import one_blas_thread
from recsys_ae.models.ease import EASE
from recsys_ae.models.mult_vae import MultVAE
from recsys_ae.nn.model import Model, Shape
from recsys_ae.nn.rows import Rows, canonical
from recsys_ae.ranking.candidates import Candidates
from recsys_ae.ranking.rank import rank
from recsys_ae.storage.atomic import write_text

K, WIDTH = 100, 600
NAMES = ["recall@20", "recall_all@20", "precision@20", "ndcg@100", "map@100", "mrr@100", "hit@20"]


def histories(n: int, n_items: int, length: int, seed: int) -> csr_matrix:
    """Draw items by a Zipf law, about ``length`` for each of the users."""
    popularity = 1 / np.arange(10, n_items + 10)
    columns = np.random.default_rng(seed).choice(n_items, n * length, p=popularity / popularity.sum())
    entries = np.ones(n * length, np.float32), (np.arange(n).repeat(length), columns)
    drawn = canonical(csr_matrix(entries, shape=(n, n_items)))
    drawn.data[:] = 1
    return drawn


def timed(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the least seconds of each job."""
    found = dict.fromkeys(jobs, np.inf)
    for _ in range(rounds):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            found[name] = min(found[name], time.perf_counter() - started)
    return found


def matched(matrix: csr_matrix, rounds: int) -> dict[str, float]:
    """Time the lists of all users by our models, by implicit, and the products alone."""
    n, n_items = matrix.shape
    fallback, candidates = torch.zeros(n_items), Candidates.of(matrix)
    rng = np.random.default_rng(0)

    def lists(network: Model) -> Callable[[], Any]:
        return lambda: rank(network, matrix, K, candidates=candidates, fallback=fallback)

    vae, ease = (spec.build(Shape(n, n_items)).eval() for spec in (MultVAE(), EASE()))
    ease.weights = torch.randn(n_items, n_items)
    codes, output = torch.randn(n, WIDTH), torch.randn(n_items, WIDTH)
    rows = [Rows.from_matrix(matrix[start : start + 512], torch.device("cpu")) for start in range(0, n, 512)]
    jobs: dict[str, Callable[[], Any]] = {"mult_vae": lists(vae), "ease": lists(ease)}
    for factors in (WIDTH, round(matrix.nnz / n)):
        with one_blas_thread():  # it warns of more where it is made
            als = AlternatingLeastSquares(factors=factors)
        als.user_factors = rng.standard_normal((n, factors), dtype=np.float32)
        als.item_factors = rng.standard_normal((n_items, factors), dtype=np.float32)
        jobs[f"implicit als {factors}"] = lambda als=als: als.recommend(np.arange(n), matrix, N=K)  # type: ignore[misc]
    jobs["product torch"] = lambda: [part @ output.T for part in codes.split(512)]
    jobs["product numpy"] = lambda: [part.numpy() @ output.numpy().T for part in codes.split(512)]
    jobs["product sparse"] = lambda: [one.product(ease.weights) for one in rows]
    with torch.inference_mode():
        return timed(jobs, rounds)


def judged(n: int, n_items: int, seed: int, rounds: int) -> dict[str, float]:
    """Time seven metrics of each of ``n`` users' lists, and their intervals."""
    rng = np.random.default_rng(seed)
    top = (rng.integers(0, n_items, (n, 1)) + np.arange(K) * 7) % n_items
    targets = histories(n, n_items, 20, seed)
    values = metrics.per_user(top, targets, NAMES)
    frame = {name: one[~np.isnan(one)] for name, one in values.items()}
    import pandas as pd  # noqa: PLC0415

    table = pd.DataFrame(frame)
    return timed(
        {
            "metrics": lambda: metrics.per_user(top, targets, NAMES),
            "intervals": lambda: estimate(table, n_resamples=1000, seed=seed),
        },
        rounds,
    )


def main() -> None:
    """Print a table and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ml1m", type=Path, help="a folder with the split's train.npz; else its shape is drawn")
    parser.add_argument("--users", type=int, default=2048, help="of the catalogue of 20,000 items")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "ranking.json")
    asked = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(asked.seed)
    from scipy.sparse import load_npz  # noqa: PLC0415

    small = load_npz(asked.ml1m / "train.npz") if asked.ml1m else histories(6034, 3497, 150, asked.seed)
    done: dict[str, Any] = {
        "machine": f"{platform.machine()}, 2 threads", "seed": asked.seed, "torch": torch.__version__,
        "numpy": np.__version__, "implicit": implicit.__version__,
    }  # fmt: skip
    for name, matrix in {"ml1m": canonical(small), "20k": histories(asked.users, 20_000, 100, asked.seed)}.items():
        found = matched(matrix, asked.rounds)
        done[name] = {"users": matrix.shape[0], "items": matrix.shape[1], "seconds": found}
        for job, seconds in found.items():
            print(f"{name:5} {job:18} {seconds:8.3f} s {matrix.shape[0] / seconds:10,.0f} users/s")
    done["metrics"] = {"users": asked.users, "seconds": judged(asked.users, 20_000, asked.seed, asked.rounds)}
    for job, seconds in done["metrics"]["seconds"].items():
        print(f"20k   {job:18} {seconds:8.3f} s {asked.users / seconds:10,.0f} users/s")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(asked.out, json.dumps(done, indent=2))


if __name__ == "__main__":
    main()
