"""Quality of larger batches: validation NDCG@100 of Mult-VAE and Mult-DAE on ML-1M, by batch size and learning rate.

A GPU is fast only with large batches. This measures on validation users what they cost in quality, in equally many
epochs. Finished fits are saved and not repeated. ``--minutes`` ends the run after the fit that passes it.
"""

import argparse
import itertools
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from measured import machine, read, signed, write

from recsys_ae import Recommender, Split, evaluate, load_dataset, split_users
from recsys_ae.data.filters import MinInteractions, MinRating, apply
from recsys_ae.models import spec_class
from recsys_ae.nn.runtime import Run

METRIC = "ndcg@100"
RECIPE = "liang2018"
BATCH, BATCHES = 500, (500, 1000, 2000)
RATES = {"1": 0.0, "√k": 0.5, "k": 1.0}
"""Factors of the learning rate, as powers of k, the batch size relative to `BATCH`."""


class Plan(NamedTuple):
    """One fit."""

    model: str
    epochs: int
    batch: int
    rate: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.model}_{self.batch}_{'root_k' if self.rate == '√k' else self.rate}_{self.seed}"


def plans(epochs: Mapping[str, int], seeds: int, batches: tuple[int, ...] = BATCHES) -> Iterator[Plan]:
    """Yield all fits, one seed after another, so that an early end leaves fewer seeds and not fewer settings."""
    for seed, model, batch, rate in itertools.product(range(seeds), epochs, batches, RATES):
        if batch > BATCH or rate == "1":
            yield Plan(model, epochs[model], batch, rate, seed)


def fit(plan: Plan, split: Split, precision: Any) -> dict[str, Any]:
    """Fit one model; return its curve and the metric of each validation user at its best epoch."""
    if split.valid is None:
        raise SystemExit("the split has no validation users")
    spec = spec_class(plan.model).paper(epochs=plan.epochs, batch_size=plan.batch, lr=1e-3 * rate_factor(plan))
    run = Run(seed=plan.seed, precision=precision, device="cpu")
    model = Recommender(spec).fit(split.train, valid=split.valid, run=run)
    report = evaluate(model, split.valid, [METRIC], n_resamples=10)
    curve = [epoch[f"valid/{METRIC}"] for epoch in model.history]
    updates = plan.epochs * math.ceil(split.train.shape[0] / plan.batch)
    users = report.values[METRIC].tolist()
    return {**plan._asdict(), "updates": updates, "fingerprint": split.fingerprint, "curve": curve, "users": users}


def rate_factor(plan: Plan) -> float:
    """Return the factor of the learning rate."""
    return float((plan.batch / BATCH) ** RATES[plan.rate])


def table(fits: list[dict[str, Any]]) -> str:
    """Format a Markdown table; a row holds the means over the seeds, and the paired difference from batches of 500."""
    head = ["model", "batch", "learning rate ×", "epochs", "updates", f"validation {METRIC}", "seeds"]
    head += [f"Δ vs {BATCH}", "best epoch"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for key in dict.fromkeys((one["model"], one["batch"], one["rate"]) for one in fits):
        group = [one for one in fits if (one["model"], one["batch"], one["rate"]) == key]
        seeds = {one["seed"] for one in group}
        base = [one for one in fits if (one["model"], one["batch"]) == (key[0], BATCH) and one["seed"] in seeds]
        users = np.mean([one["users"] for one in group], axis=0)
        own = ", ".join(f"{np.mean(one['users']):.4f}" for one in group)
        best = ", ".join(str(int(np.argmax(one["curve"])) + 1) for one in group)
        cells = [*key, group[0]["epochs"], group[0]["updates"], f"{users.mean():.4f}", own]
        cells += ["–" if key[1] == BATCH else _difference(users, base), best]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _difference(users: np.ndarray, base: list[dict[str, Any]]) -> str:
    """Return the mean difference from the base ± its standard error, paired over users; both are means over seeds."""
    differences = users - np.mean([one["users"] for one in base], axis=0)
    return f"{signed(differences.mean())} ± {differences.std(ddof=1) / math.sqrt(len(differences)):.4f}"


def main(arguments: list[str] | None = None) -> None:
    """Fit what is not fitted yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="number of training seeds, from 0 on (default 3)")
    parser.add_argument("--epochs", type=int, nargs=2, default=(40, 60), metavar=("VAE", "DAE"),
                        help="epochs of Mult-VAE and of Mult-DAE (default 40 60)")  # fmt: skip
    parser.add_argument("--precision", default="bf16", help="precision of the products (default bf16, as on a GPU)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="time after which no fit begins")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/batches", help="folder of results")
    options = parser.parse_args(arguments)
    chosen = plans(dict(zip(("mult_vae", "mult_dae"), options.epochs, strict=True)), options.seeds)
    ratings = load_dataset("ml-1m", data_dir=os.environ.get("RECSYS_AE_DATA")).interactions
    binary = apply(ratings, MinRating(4.0), MinInteractions(user=5))
    split, end = split_users(binary, n_valid=603, n_test=603, recipe=RECIPE), time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    fits = []
    for plan in chosen:
        path, mark = options.out / f"{plan.name}.json", f"{plan} {options.precision} {split.fingerprint}"
        result = read(path, mark)
        if result is None and time.monotonic() < end:
            result = fit(plan, split, options.precision)
            write(path, result, mark)
        fits += [] if result is None else [result]
    print(f"{table(fits)}\n\nSplit {split.fingerprint}; {options.precision}; {machine()}.")


if __name__ == "__main__":
    main()
