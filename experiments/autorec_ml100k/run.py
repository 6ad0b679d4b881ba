"""AutoRec on the published folds u1 to u5 of ML-100K: fits, and errors on the test ratings.

    python experiments/autorec_ml100k/run.py [--data-dir DIR] [--out DIR] [--no-track] [RUN …]

A run is named by orientation and fold, such as ``item-u1`` or ``user-u5``. The hyper-parameters were chosen by the runs
of ``--select``: on validation ratings from u1.base, without any test rating. A run whose JSON is in the output folder
is not repeated.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from recsys_ae import Interactions, Recommender, Run, evaluate, load_dataset
from recsys_ae.data.splits.holdout import Holdout, given_test
from recsys_ae.data.splits.split import split_given
from recsys_ae.models import AutoRec
from recsys_ae.spec.hyper import flatten
from recsys_ae.storage.atomic import write_text
from recsys_ae.tracking import MLflowTracker, NoTracker, Tracker

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from measured import candidates, machine  # noqa: E402  in the parent folder

FOLDS = ("u1", "u2", "u3", "u4", "u5")
CHOSEN: dict[str, dict[str, Any]] = {
    "item": {"orientation": "item", "l2": 200.0, "batch_size": 64},
    "user": {"orientation": "user", "l2": 200.0, "batch_size": 64},
}
CANDIDATES: dict[str, dict[str, Any]] = {
    f"{name}-l2-{l2}": {**CHOSEN[name], "l2": float(l2)} for name in CHOSEN for l2 in (100, 200, 300)
}


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", help="names of runs, or of candidates with --select; default: all")
    parser.add_argument("--select", action="store_true", help="compare candidates on validation ratings of u1.base")
    parser.add_argument("--data-dir", help="folder with ml-100k.zip; default: the archive is downloaded")
    parser.add_argument(
        "--out", type=Path, default=HERE / "results", help="folder of the results; default: %(default)s"
    )
    parser.add_argument("--no-track", action="store_true", help="turn off logging to MLflow")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    runs = {f"{name}-{fold}": (chosen, fold) for name, chosen in CHOSEN.items() for fold in FOLDS}
    if arguments.select:
        runs = {name: (chosen, FOLDS[0]) for name, chosen in CANDIDATES.items()}
    measurements = {}
    for name in arguments.runs or runs:
        file = arguments.out / f"{name}.json"
        if not file.exists():
            opened: Tracker = NoTracker() if arguments.no_track else MLflowTracker(experiment=HERE.name, run_name=name)
            with opened as tracker:
                measured = fit(arguments.data_dir, *runs[name], tracker, select=arguments.select)
            write_text(file, json.dumps({**measured, "machine": machine()}, indent=2))
        measurements[name] = json.loads(file.read_text())
    print(f"\n{machine()}\n\n{candidates(measurements) if arguments.select else table(measurements)}")


def fit(data_dir: str | None, chosen: dict[str, Any], fold: str, tracker: Tracker, *, select: bool) -> dict[str, Any]:
    """Fit one model; evaluate it on validation ratings with ``select``, otherwise on the test ratings."""
    spec, run = AutoRec.paper(**chosen), Run(seed=0, device="cpu", tracker=tracker)
    measured: dict[str, Any] = {"spec": flatten(spec), "fold": fold}
    if select:
        base, test = published(data_dir, fold)
        split = split_given(base, test, valid=0.1)
        model = Recommender(spec).fit(split.train, valid=split.valid, run=run)
        measured["split"] = split.fingerprint
    else:
        base, holdout = aligned(*published(data_dir, fold))
        model = Recommender(spec).fit(base, run=run)
        report = evaluate(model, holdout, ["rmse", "mae"])
        tracker.metrics({f"test/{name}": value for name, value in report.mean.items()})
        measured |= {"split": model.metadata["train_fingerprint"], "report": report.as_dict()}
    return measured | {"seconds": model.metadata["seconds"], "history": model.history}


def published(data_dir: str | None, fold: str) -> tuple[Interactions, Interactions]:
    """Return the training and the test ratings of a fold."""
    train_and_test = load_dataset("ml-100k", data_dir=data_dir, fold=fold).given
    if train_and_test is None:
        raise SystemExit(f"ml-100k was read without its fold {fold}; use the archive of the publisher")
    return train_and_test


def aligned(base: Interactions, test: Interactions) -> tuple[Interactions, Holdout]:
    """Return both parts over the items of either: all 20,000 test ratings count, also of unrated items."""
    base = base.onto(base.items.union(test.items))
    return base, given_test(base, test)


def table(measurements: dict[str, dict[str, Any]]) -> str:
    """Format the test errors as Markdown."""
    lines = [
        "| model | RMSE ± SE over users | MAE | ratings | fit seconds | training part |",
        "|---|---|---|---|---|---|",
    ]
    for name, measured in measurements.items():
        rmse, mae = (measured["report"]["metrics"][metric] for metric in ("rmse", "mae"))
        cells = [name, f"{rmse['mean']:.4f} ± {rmse['standard_error']:.4f}", f"{mae['mean']:.4f}"]
        cells += [f"{measured['report']['ratings']:,}", f"{measured['seconds']:.1f}", f"`{measured['split']}`"]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for orientation in CHOSEN:
        errors = [
            measured["report"]["metrics"]["rmse"]["mean"]
            for measured in measurements.values()
            if measured["spec"]["orientation"] == orientation
        ]
        if len(errors) > 1:
            standard_error = statistics.stdev(errors) / len(errors) ** 0.5
            lines.append(
                f"{orientation}: {statistics.mean(errors):.4f} ± {standard_error:.4f} over {len(errors)} folds"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
