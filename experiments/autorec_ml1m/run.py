"""AutoRec on three random splits of ML-1M: fits to 90 % of the ratings, and errors on the other 10 %.

    python experiments/autorec_ml1m/run.py [--data-dir DIR] [--out DIR] [--no-track] [RUN …]

A run is named by orientation and seed, such as ``item-0`` or ``user-2``; the seed is that of split and training. The
hyper-parameters were chosen by the runs of ``--select``: on validation ratings of seed 0, without any test rating. A
run whose JSON is in the output folder is not repeated.
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
from measured import candidates, machine  # noqa: E402  in the parent folder

SEEDS = (0, 1, 2)
PAPER = {"item": "0.831", "user": "0.874"}
CHOSEN: dict[str, dict[str, Any]] = {
    "item": {"orientation": "item", "l2": 300.0, "epochs": 50},
    "user": {"orientation": "user", "l2": 300.0, "epochs": 30},
}
CANDIDATES: dict[str, dict[str, Any]] = {
    f"{name}-l2-{l2}": {**CHOSEN[name], "l2": float(l2)} for name in CHOSEN for l2 in (100, 200, 300, 400)
}


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", help="names of runs, or of candidates with --select; default: all")
    parser.add_argument("--select", action="store_true", help="compare candidates on the validation ratings of seed 0")
    parser.add_argument("--data-dir", help="folder with ml-1m.zip; default: the archive is downloaded")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results", help="folder of the results; default: %(default)s"
    )
    parser.add_argument("--no-track", action="store_true", help="turn off logging to MLflow")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    runs = {f"{name}-{seed}": (chosen, seed) for name, chosen in CHOSEN.items() for seed in SEEDS}
    if arguments.select:
        runs = {name: (chosen, 0) for name, chosen in CANDIDATES.items()}
    data = load_dataset("ml-1m", data_dir=arguments.data_dir).interactions
    measurements = {}
    for name in arguments.runs or runs:
        file = arguments.out / f"{name}.json"
        if not file.exists():
            opened: Tracker = NoTracker() if arguments.no_track else MLflowTracker(experiment=HERE.name, run_name=name)
            with opened as tracker:
                measured = fit(data, *runs[name], tracker, select=arguments.select)
            write_text(file, json.dumps({**measured, "machine": machine()}, indent=2))
        measurements[name] = json.loads(file.read_text())
    print(f"\n{machine()}\n\n{candidates(measurements) if arguments.select else table(measurements)}")


def fit(data: Interactions, chosen: dict[str, Any], seed: int, tracker: Tracker, *, select: bool) -> dict[str, Any]:
    """Fit one model; evaluate it on validation ratings with ``select``, otherwise on the test ratings of the seed."""
    split = split_ratings(data, test=0.1, valid=0.1 if select else 0, seed=seed)
    spec = AutoRec.paper(**chosen)
    model = Recommender(spec).fit(split.train, valid=split.valid, run=Run(seed=seed, device="cpu", tracker=tracker))
    measured: dict[str, Any] = {"spec": flatten(spec), "seed": seed, "split": split.fingerprint}
    measured |= {"seconds": model.metadata["seconds"], "threads": model.metadata["threads"], "history": model.history}
    if not select:
        report = evaluate(model, split.test, ["rmse", "mae"])
        tracker.metrics({f"test/{name}": value for name, value in report.mean.items()})
        measured["report"] = report.as_dict()
    return measured


def table(measurements: dict[str, dict[str, Any]]) -> str:
    """Format the test errors as Markdown: a row per run, then means with standard errors over the splits."""
    lines = ["| model | split | RMSE ± SE over users | MAE | fit seconds | fingerprint |", "|---|---|---|---|---|---|"]
    for name, measured in measurements.items():
        rmse, mae = (measured["report"]["metrics"][metric] for metric in ("rmse", "mae"))
        error = f"{rmse['mean']:.4f} ± {rmse['standard_error']:.4f}"
        cells = [name, str(measured["seed"]), error, f"{mae['mean']:.4f}"]
        cells += [f"{measured['seconds']:.0f}", f"`{measured['split']}`"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| model | RMSE, mean ± SE over splits | paper (95 % ± 0.003) |", "|---|---|---|"]
    for orientation, paper in PAPER.items():
        errors = [
            measured["report"]["metrics"]["rmse"]["mean"]
            for measured in measurements.values()
            if measured["spec"]["orientation"] == orientation
        ]
        if len(errors) > 1:
            standard_error = statistics.stdev(errors) / len(errors) ** 0.5
            mean = f"{statistics.mean(errors):.4f} ± {standard_error:.4f}"
            lines.append(f"| {orientation[0].upper()}-AutoRec | {mean} | {paper} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
