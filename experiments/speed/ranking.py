"""Timing of top-100 lists and evaluation, compared with the underlying matrix product and with implicit.

Run it alone: ``python experiments/speed/ranking.py``. All jobs run in one process, in turn over several rounds, and the
least time counts. The weights are random, which changes the time only by the number of ties.
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
from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.evaluation.estimate import estimate
from recsys_ae.models._implicit import one_blas_thread
from recsys_ae.models.ease import EASE
from recsys_ae.models.mult_vae import MultVAE
from recsys_ae.nn.model import Model, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.ranking.candidates import Candidates
from recsys_ae.ranking.rank import rank
from recsys_ae.storage.atomic import write_text

K, WIDTH = 100, 600
NAMES = ["recall@20", "recall_all@20", "precision@20", "ndcg@100", "map@100", "mrr@100", "hit@20"]


def histories(n: int, n_items: int, length: int, seed: int) -> csr_matrix:
    """Draw items by a Zipf law, about ``length`` per user; return a binary matrix ``(n, n_items)``."""
    popularity = 1 / np.arange(10, n_items + 10)
    columns = np.random.default_rng(seed).choice(n_items, n * length, p=popularity / popularity.sum())
    entries = np.ones(n * length, np.float32), (np.arange(n).repeat(length), columns)
    drawn = canonical(csr_matrix(entries, shape=(n, n_items)))
    drawn.data[:] = 1
    return drawn


def timed(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the least seconds of each job."""
    least = dict.fromkeys(jobs, np.inf)
    for _ in range(rounds):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            least[name] = min(least[name], time.perf_counter() - started)
    return least


def matched(matrix: csr_matrix, rounds: int) -> dict[str, float]:
    """Time the lists of all users by our models and by implicit, and the matrix products alone."""
    n, n_items = matrix.shape
    fallback, candidates = torch.zeros(n_items), Candidates.of(matrix)
    rng = np.random.default_rng(0)

    def lists(network: Model) -> Callable[[], Any]:
        return lambda: rank(network, matrix, K, candidates=candidates, fallback=fallback)

    vae, ease = (spec.build(Shape(n, n_items)).eval() for spec in (MultVAE.paper(), EASE.paper()))
    ease.weights = torch.randn(n_items, n_items)
    codes, output = torch.randn(n, WIDTH), torch.randn(n_items, WIDTH)
    rows = [Rows.from_matrix(matrix[start : start + 512], torch.device("cpu")) for start in range(0, n, 512)]
    jobs: dict[str, Callable[[], Any]] = {"mult_vae": lists(vae), "ease": lists(ease)}
    for factors in (WIDTH, round(matrix.nnz / n)):
        with one_blas_thread():  # its constructor warns of more threads
            als = AlternatingLeastSquares(factors=factors)
        als.user_factors = rng.standard_normal((n, factors), dtype=np.float32)
        als.item_factors = rng.standard_normal((n_items, factors), dtype=np.float32)
        jobs[f"implicit als {factors}"] = lambda als=als: als.recommend(np.arange(n), matrix, N=K)  # type: ignore[misc]
    jobs["product torch"] = lambda: [batch @ output.T for batch in codes.split(512)]
    jobs["product numpy"] = lambda: [batch.numpy() @ output.numpy().T for batch in codes.split(512)]
    jobs["product sparse"] = lambda: [batch.product(ease.weights) for batch in rows]
    with torch.inference_mode():
        return timed(jobs, rounds)


def evaluated(n: int, n_items: int, seed: int, rounds: int) -> dict[str, float]:
    """Time seven metrics of the lists of ``n`` users, their intervals, and the metrics beyond accuracy."""
    rng = np.random.default_rng(seed)
    top = (rng.integers(0, n_items, (n, 1)) + np.arange(K) * 7) % n_items
    targets = histories(n, n_items, 20, seed)
    values = metrics.per_user(top, targets, NAMES)
    frame = {name: scores[~np.isnan(scores)] for name, scores in values.items()}
    import pandas as pd  # noqa: PLC0415

    table = pd.DataFrame(frame)
    history = histories(n, n_items, 100, seed + 1)
    of_all = [name for name in metrics.BEYOND if metrics.is_overall(name)]
    of_each = [name for name in metrics.BEYOND if name not in of_all]

    def beyond() -> None:
        catalog = metrics.Catalog(history)
        metrics.per_user(top, targets, of_each, catalog=catalog, histories=history)
        metrics.overall(top, n_items, of_all)

    return timed(
        {
            "metrics": lambda: metrics.per_user(top, targets, NAMES),
            "intervals": lambda: estimate(table, n_resamples=1000, seed=seed),
            "beyond accuracy": beyond,
        },
        rounds,
    )


def main() -> None:
    """Time the jobs, print a table and save it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--ml1m", type=Path, help="folder with the split's train.npz; default: a random matrix of its shape"
    )
    parser.add_argument("--users", type=int, default=2048, help="users with 20,000 items; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of timing; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="random seed; default: %(default)s")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent / "results" / "ranking.json",
        help="JSON file of the results; default: %(default)s",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(arguments.seed)
    from scipy.sparse import load_npz  # noqa: PLC0415

    small = load_npz(arguments.ml1m / "train.npz") if arguments.ml1m else histories(6034, 3497, 150, arguments.seed)
    results: dict[str, Any] = {
        "machine": f"{platform.machine()}, 2 threads", "seed": arguments.seed, "torch": torch.__version__,
        "numpy": np.__version__, "implicit": implicit.__version__,
    }  # fmt: skip
    matrices = {"ml1m": canonical(small), "20k": histories(arguments.users, 20_000, 100, arguments.seed)}
    for name, matrix in matrices.items():
        least = matched(matrix, arguments.rounds)
        results[name] = {"users": matrix.shape[0], "items": matrix.shape[1], "seconds": least}
        for job, seconds in least.items():
            print(f"{name:5} {job:18} {seconds:8.3f} s {matrix.shape[0] / seconds:10,.0f} users/s")
    least = evaluated(arguments.users, 20_000, arguments.seed, arguments.rounds)
    results["metrics"] = {"users": arguments.users, "seconds": least}
    for job, seconds in least.items():
        print(f"20k   {job:18} {seconds:8.3f} s {arguments.users / seconds:10,.0f} users/s")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(arguments.out, json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
