"""Loss of the defaults: each model with its defaults, its paper's settings and tuned settings, on eight data sets.

    python experiments/defaults/run.py [MODEL …] [--data-sets NAME …] [--data-dir DIR] [--out DIR] [--test]

Each cell is written when it is finished, and is not measured again. A search that was interrupted goes on. Everything
is measured on the validation users. With ``--test`` the test users are looked at, once, after all defaults are chosen.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from defaults.data_sets import NAMES, RATED, split_of  # noqa: E402  in this folder
from measured import machine, read, write  # noqa: E402  in the parent folder

from recsys_ae import Recommender, Run  # noqa: E402
from recsys_ae.data.splits.split import Split  # noqa: E402
from recsys_ae.metrics import smaller_is_better  # noqa: E402
from recsys_ae.models import spec_class  # noqa: E402
from recsys_ae.nn.model import PAPER, Spec  # noqa: E402
from recsys_ae.tuning import tune  # noqa: E402
from recsys_ae.tuning.measuring import measured  # noqa: E402

MODELS = (
    "ease", "edlae", "elsa", "bspm", "als", "bpr", "item_knn", "cdae", "mult_dae", "mult_vae", "recvae", "autorec",
)  # fmt: skip
BUDGET, TRIALS = "2m", 60
"""End of the search for the tuned settings of a model."""
SEED = 0
KINDS = ("default", "paper", "tuned")


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cells that the command line names, and print the table of all that are measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", help=f"models, of {', '.join(MODELS)}; default: all")
    parser.add_argument("--data-sets", nargs="+", choices=NAMES, default=NAMES, help="data sets; default: all")
    parser.add_argument("--data-dir", type=Path, help="folder of the data; default: the data are downloaded")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the results")
    parser.add_argument("--budget", default=BUDGET, help="budget of each search; default: %(default)s")
    parser.add_argument("--test", action="store_true", help="also look at the test users")
    arguments = parser.parse_args(words)
    for model in arguments.models:
        if model not in MODELS:
            parser.error(f"there is no model {model!r} in this experiment; available: {', '.join(MODELS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.data_sets:
        for model in arguments.models or MODELS:
            if name in RATED or metric_of(model) != "rmse":
                cells = Cells(name, model, arguments.out, arguments.budget)
                cells.measure(arguments.data_dir, on_test=arguments.test)
    print(table(arguments.out))
    if arguments.test:
        print(f"\n{test_losses(arguments.out)}")
    print(f"\n{machine()}")


def metric_of(model: str) -> str:
    """Return the metric that a model is judged by."""
    return "rmse" if spec_class(model).feedback == "explicit" else "ndcg@100"


class Cells:
    """The settings of a model on a data set: defaults, the paper's, and tuned."""

    def __init__(self, name: str, model: str, out: Path, budget: str) -> None:
        self.name, self.model, self.out, self.budget = name, model, out, budget
        self.metric = metric_of(model)
        self.run = Run(device="cpu", seed=SEED)

    def measure(self, data_dir: Path | None, *, on_test: bool) -> None:
        """Measure what was not measured yet."""
        split: Split | None = None
        for kind in KINDS:
            for users in ("valid", *(["test"] if on_test else [])):
                path, mark = self.path(kind, users), self._mark(kind)
                if read(path, mark) is not None:
                    continue
                split = split or split_of(self.name, data_dir, rated=self.metric == "rmse")
                found = self._measured(kind, users, split)
                write(path, {**found, "split": split.fingerprint, "machine": machine()}, mark)
                print(f"{self.name} {self.model} {kind} {users}: {found['mean']:.4f}", file=sys.stderr, flush=True)

    def path(self, kind: str, users: str) -> Path:
        """Return the file of a cell."""
        return self.out / f"{self.name}-{self.model}-{kind}-{users}.json"

    def _mark(self, kind: str) -> str:
        """Return what a cell depends on, so that it is measured again if that changes."""
        spec = spec_class(self.model)
        settings = {"default": spec(), "paper": spec.preset(PAPER), "tuned": spec()}[kind].stored()
        return json.dumps([settings, *([self.budget, TRIALS] if kind == "tuned" else []), SEED], sort_keys=True)

    def _measured(self, kind: str, users: str, split: Split) -> dict[str, Any]:
        spec, search = self._spec(kind, split)
        started = time.perf_counter()
        model = Recommender(spec).fit(split.train, valid=split.valid, run=self.run)
        fitted = time.perf_counter() - started
        held_out = split if users == "valid" else dataclasses.replace(split, valid=split.test)
        values = measured(model, held_out, self.metric)
        values = values[~np.isnan(values)]
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        return {
            "mean": float(values.mean()),
            "standard error": error,
            "values": values.tolist(),
            "spec": model.spec.stored(),
            "fit seconds": fitted,
            **search,
        }

    def _spec(self, kind: str, split: Split) -> tuple[Spec, dict[str, float]]:
        """Return the settings, and the seconds and the trials of the search for them."""
        spec = spec_class(self.model)
        if kind != "tuned":
            return (spec.preset(PAPER) if kind == "paper" else spec()), {}
        folder = self.out / "searches" / f"{self.name}-{self.model}"
        started = time.perf_counter()
        result = tune(
            dataclasses.replace(split, test=None),
            models=(self.model,),
            metric=self.metric,
            budget=self.budget,
            trials=TRIALS,
            run=self.run,
            out=folder,
        )
        sign = -1 if smaller_is_better(self.metric) else 1
        best = max(result.trials, key=lambda trial: -np.inf if trial.value is None else sign * trial.value)
        seconds = time.perf_counter() - started
        return best.proposal.spec(self.metric), {"search seconds": seconds, "trials": len(result.trials)}


def table(out: Path) -> str:
    """Return the table of the validation users, as Markdown."""
    names = ["data set", "model", "tuned", "trials", "default", "paper", "default loses", "fit seconds"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for name, model, cells in _measured(out, "valid"):
        tuned, default, paper = (
            f"{cells[kind]['mean']:.4f} ± {cells[kind]['standard error']:.4f}" for kind in ("tuned", "default", "paper")
        )
        loss, error = loss_of(cells, metric_of(model))
        lines.append(
            f"| {name} | {model} | {tuned} | {cells['tuned']['trials']} | {default} | {paper} "
            f"| {_percent(loss)} ± {_percent(error)} % | {cells['default']['fit seconds']:.1f} |"
        )
    return "\n".join(lines)


def test_losses(out: Path) -> str:
    """Return the losses of the defaults on the test users, as Markdown: a row for each model."""
    cells = {}
    for name, model, measurements in _measured(out, "test"):
        loss, error = loss_of(measurements, metric_of(model))
        cells[name, model] = f"{_percent(loss)} ± {_percent(error)}"
    names = [name for name in NAMES if any(name == of for of, _ in cells)]
    lines = [f"| default loses, %, test users | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for model in MODELS:
        if any(model == of for _, of in cells):
            lines.append(f"| {model} | {' | '.join(cells.get((name, model), '') for name in names)} |")
    return "\n".join(lines)


def loss_of(cells: Mapping[str, Mapping[str, Any]], metric: str) -> tuple[float, float]:
    """Return by which part of the tuned value the default is worse, and the standard error, paired by user."""
    tuned, default = (np.array(cells[kind]["values"]) for kind in ("tuned", "default"))
    sign = -1 if smaller_is_better(metric) else 1
    losses = sign * (tuned - default) / tuned.mean()
    return float(losses.mean()), float(losses.std(ddof=1) / np.sqrt(len(losses)))


def _percent(share: float) -> str:
    """Return a share in percent with one digit; what rounds to zero has no sign."""
    return f"{round(100 * share, 1) + 0.0:.1f}".replace("-", "\N{MINUS SIGN}")


def _measured(out: Path, users: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in NAMES:
        for model in MODELS:
            paths = {kind: Cells(name, model, out, BUDGET).path(kind, users) for kind in KINDS}
            if all(path.exists() for path in paths.values()):
                yield name, model, {kind: json.loads(path.read_text("utf-8")) for kind, path in paths.items()}


if __name__ == "__main__":
    main()
