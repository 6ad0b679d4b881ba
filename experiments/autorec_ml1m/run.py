"""Fit AutoRec to 90 % of the ratings of ML-1M and measure the error on the other 10 %, for three splits.

    python experiments/autorec_ml1m/run.py [--data-dir DIR] [--out DIR] [--no-track] [RUN …]

A run is ``item-0`` or ``user-2``: the orientation, and the seed of the split and of the training. The hyper-parameters
were chosen by the runs of ``--select``: on validation ratings of seed 0, where no test rating is looked at. A run whose
JSON is in the output folder is not made again.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from recsys_ae import Interactions, Recommender, Run, evaluate, load_dataset
from recsys_ae.data.splits.split import split_ratings
from recsys_ae.models import AutoRec
from recsys_ae.spec.hyper import flatten
from recsys_ae.storage.atomic import write_text
from recsys_ae.tracking import MLflowTracker, NoTracker, Tracker

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from measured import candidates, machine  # noqa: E402  beside this folder

SEEDS = (0, 1, 2)
PAPER = {"item": ".831", "user": ".874"}
CHOSEN: dict[str, dict[str, Any]] = {
    "item": {"orientation": "item", "l2": 300.0, "epochs": 50},
    "user": {"orientation": "user", "l2": 300.0, "epochs": 30},
}
CANDIDATES: dict[str, dict[str, Any]] = {
    f"{name}-l2-{l2}": {**CHOSEN[name], "l2": float(l2)} for name in CHOSEN for l2 in (100, 200, 300, 400)
}


def main() -> None:
    """Make the runs that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", help="names of runs, or of candidates after --select; all by default")
    parser.add_argument("--select", action="store_true", help="compare candidates on the validation ratings of seed 0")
    parser.add_argument("--data-dir", help="folder with ml-1m.zip; else it is downloaded")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="a JSON for each run goes here")
    parser.add_argument("--no-track", action="store_true", help="write nothing to MLflow")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    runs = {f"{name}-{seed}": (chosen, seed) for name, chosen in CHOSEN.items() for seed in SEEDS}
    if arguments.select:
        runs = {name: (chosen, 0) for name, chosen in CANDIDATES.items()}
    data = load_dataset("ml-1m", data_dir=arguments.data_dir).interactions
    done = {}
    for name in arguments.runs or runs:
        file = arguments.out / f"{name}.json"
        if not file.exists():
            made: Tracker = NoTracker() if arguments.no_track else MLflowTracker(experiment=HERE.name, run_name=name)
            with made as tracker:
                measured = fit(data, *runs[name], tracker, select=arguments.select)
            write_text(file, json.dumps({**measured, "machine": machine()}, indent=2))
        done[name] = json.loads(file.read_text())
    print(f"\n{machine()}\n\n{candidates(done) if arguments.select else table(done)}")


def fit(data: Interactions, chosen: dict[str, Any], seed: int, tracker: Tracker, *, select: bool) -> dict[str, Any]:
    """Fit one model; measure it on validation ratings to select, else on the test ratings, which are the same then."""
    split = split_ratings(data, test=0.1, valid=0.1 if select else 0, seed=seed)
    spec = AutoRec(**chosen)
    model = Recommender(spec).fit(split.train, valid=split.valid, run=Run(seed=seed, device="cpu", tracker=tracker))
    found: dict[str, Any] = {"spec": flatten(spec), "seed": seed, "split": split.fingerprint}
    found |= {"seconds": model.metadata["seconds"], "threads": model.metadata["threads"], "history": model.history}
    if not select:
        report = evaluate(model, split.test, ["rmse", "mae"])
        tracker.metrics({f"test/{name}": value for name, value in report.mean.items()})
        found["report"] = report.as_dict()
    return found


def table(done: dict[str, dict[str, Any]]) -> str:
    """Format the test errors as Markdown: each split, then the mean with its standard error over the splits."""
    lines = ["| model | split | RMSE ± SE over users | MAE | fit s | fingerprint |", "|---|---|---|---|---|---|"]
    for name, one in done.items():
        rmse, mae = (one["report"]["metrics"][metric] for metric in ("rmse", "mae"))
        error = f"{rmse['mean']:.4f} ± {rmse['standard_error']:.4f}"
        cells = [name, str(one["seed"]), error, f"{mae['mean']:.4f}", f"{one['seconds']:.0f}", f"`{one['split']}`"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| model | RMSE, mean ± SE over splits | paper |", "|---|---|---|"]
    for orientation, paper in PAPER.items():
        found = [
            one["report"]["metrics"]["rmse"]["mean"]
            for one in done.values()
            if one["spec"]["orientation"] == orientation
        ]
        if len(found) > 1:
            error = statistics.stdev(found) / len(found) ** 0.5
            lines.append(f"| {orientation} | {statistics.mean(found):.4f} ± {error:.4f} | {paper} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
