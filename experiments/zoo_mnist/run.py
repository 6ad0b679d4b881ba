"""Fit every autoencoder of features to MNIST at the same sizes of the code, and compare what comes back to PCA.

    python experiments/zoo_mnist/run.py [--data-dir DIR] [--out DIR] [--threads N] [--valid-only] [NAME-SIZE …]

A run is a model and a size of its code, such as ``deep-32``. Settings and epochs are chosen on validation images, which
are training images that no model has learnt from: with ``--valid-only`` no test image is read. Fitted models are kept,
and what has been measured is not measured again unless the settings of the run have changed.
"""

import argparse
import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.data.dataset_info import default_data_dir
from recsys_ae.features import models as autoencoders
from recsys_ae.features.data.images import read_named_images
from recsys_ae.spec.hyper import build, describe, flatten

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from measured import machine, read, write  # noqa: E402  beside this folder

SEED = 0


@dataclass(frozen=True)
class Plan:
    """What is fitted to which images."""

    train: int
    valid: int
    runs: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, path: Path) -> "Plan":
        """Read the settings of every model, and repeat them for every size."""
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        names = [f"{model}-{size}" for size in told["sizes"] for model in told["models"]] + told["more"]
        return cls(told["train"], told["valid"], {name: _settings(told, name) for name in names})


def _settings(told: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the hyper-parameters of a run: its model's own before the shared ones."""
    model, size = name.rsplit("-", 1)
    known = {one.name for one in describe(autoencoders.spec_class(model))}
    shared = {key: value for key, value in told["shared"].items() if key in known}
    return {**shared, **told["models"][model], "latent": int(size)}


def main() -> None:
    """Make the runs that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", metavar="NAME-SIZE", help="which runs; all by default")
    parser.add_argument("--plan", type=Path, default=HERE / "models.toml", help="the settings of the models")
    parser.add_argument("--data-dir", type=Path, help="folder with mnist/; the default is $RECSYS_AE_DATA")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="models and a JSON for each run go here")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--valid-only", action="store_true", help="do not look at the test images")
    asked = parser.parse_args()
    plan, folder = Plan.of(asked.plan), asked.data_dir or default_data_dir()
    unknown = set(asked.runs) - set(plan.runs)
    if unknown:
        raise SystemExit(f"there is no run {', '.join(sorted(unknown))}; there are: {', '.join(plan.runs)}")
    asked.out.mkdir(parents=True, exist_ok=True)
    runs = {name: plan.runs[name] for name in asked.runs or plan.runs}
    done = fitted(runs, plan, folder, asked.out, asked.threads)
    if not asked.valid_only:
        judged(done, folder, asked.out)
    print(f"\n{machine()}\n\n{table(done)}")


def fitted(
    runs: dict[str, dict[str, Any]], plan: Plan, folder: Path, out: Path, threads: int
) -> dict[str, dict[str, Any]]:
    """Fit what has not been fitted with these settings; return what is known of each run."""
    images, done = read_named_images("mnist", folder), {}
    parts = images.take(np.arange(plan.train)), images.take(np.arange(len(images) - plan.valid, len(images)))
    for name, settings in runs.items():
        mark = mark_of(settings, plan)
        found = read(out / f"{name}.json", mark)
        if found is None:
            print(f"{name} …", flush=True)
            model = name.rsplit("-", 1)[0]
            train, valid = (rows_for(model, part) for part in parts)
            encoder = FeatureEncoder(build(autoencoders.spec_class(model), settings))
            encoder.fit(train, valid=valid, run=Run(seed=SEED, device="cpu", threads=threads))
            encoder.save(out / name, overwrite=True)
            found = {
                "spec": flatten(encoder.spec),
                "validation": encoder.error(valid),
                "seconds": encoder.metadata["seconds"],
                "history": encoder.history,
                "machine": machine(),
            }
            write(out / f"{name}.json", found, mark)
            print(f"{name}: validation {found['validation']:.4f}, {found['seconds']:.0f} s", flush=True)
        done[name] = {**found, "mark": mark}
    return done


def judged(done: dict[str, dict[str, Any]], folder: Path, out: Path) -> None:
    """Measure the error on the test images of the models that have not been measured, and write it down."""
    test = read_named_images("mnist", folder, "test")
    for name, one in done.items():
        if "test" not in one:
            encoder = FeatureEncoder.load(out / name, device="cpu")
            one["test"] = encoder.error(rows_for(encoder.spec.name(), test))
            write(out / f"{name}.json", {key: value for key, value in one.items() if key != "mark"}, one["mark"])


def mark_of(settings: dict[str, Any], plan: Plan) -> str:
    """Return what makes two runs the same."""
    return json.dumps({**settings, "train": plan.train, "valid": plan.valid, "seed": SEED}, sort_keys=True)


def rows_for(model: str, images: Features) -> Features:
    """Return images as a model reads them: to the recurrent one each is a sequence of its rows."""
    if model != "recurrent":
        return images
    _, height, width = images.form
    return Features(images.matrix, images.ids, images.columns, (height, width), np.full(len(images), height))


def table(done: dict[str, dict[str, Any]]) -> str:
    """Format errors as Markdown, beside those of PCA with as many numbers."""
    lines = ["| code | model | validation RMSE | test RMSE | beside PCA | fit s |", "|---|---|---|---|---|---|"]
    for name, one in sorted(done.items(), key=lambda pair: (pair[1]["spec"]["latent"], _error(pair[1]))):
        model, size = name.rsplit("-", 1)
        linear = done.get(f"pca-{size}")
        beside = "–" if linear is None or one is linear else f"{_error(one) / _error(linear):.2f}"
        test = f"{one['test']:.4f}" if "test" in one else "–"
        lines.append(f"| {size} | {model} | {one['validation']:.4f} | {test} | {beside} | {one['seconds']:.0f} |")
    return "\n".join(lines)


def _error(one: dict[str, Any]) -> float:
    return float(one.get("test", one["validation"]))


if __name__ == "__main__":
    main()
