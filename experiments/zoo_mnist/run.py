"""Reconstruction errors of all autoencoders on MNIST, compared with PCA with codes of the same size.

    python experiments/zoo_mnist/run.py [--data-dir DIR] [--out DIR] [--threads N] [--valid-only] [NAME-SIZE …]

A run is a model and a size of its code, such as ``deep-32``. Settings and epochs are selected on validation images,
which are training images that no model is trained on. With ``--valid-only`` no test image is read. Fitted models and
their errors are saved, and a run is repeated only if its settings have changed.
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
from measured import machine, read, write  # noqa: E402  in the parent folder

SEED = 0


@dataclass(frozen=True)
class Plan:
    """Settings of all runs, and the numbers of training and validation images."""

    train: int
    valid: int
    runs: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, path: Path) -> "Plan":
        """Read a plan from a TOML file: every model at every size."""
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        names = [f"{model}-{size}" for size in content["sizes"] for model in content["models"]] + content["more"]
        return cls(content["train"], content["valid"], {name: _settings(content, name) for name in names})


def _settings(content: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the hyper-parameters of a run: its model's settings, else the shared ones that the model has."""
    model, size = name.rsplit("-", 1)
    names = {option.name for option in describe(autoencoders.spec_class(model))}
    shared = {key: value for key, value in content["shared"].items() if key in names}
    return {**shared, **content["models"][model], "latent": int(size)}


def main() -> None:
    """Make the missing runs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", metavar="NAME-SIZE", help="runs to make, such as deep-32; default: all")
    parser.add_argument("--plan", type=Path, default=HERE / "models.toml", help="settings of the models, TOML")
    parser.add_argument("--data-dir", type=Path, help="folder that holds mnist/; default: $RECSYS_AE_DATA")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the models and results")
    parser.add_argument("--threads", type=int, default=1, help="number of CPU threads; default: 1")
    parser.add_argument("--valid-only", action="store_true", help="no evaluation on the test images")
    options = parser.parse_args()
    plan, folder = Plan.of(options.plan), options.data_dir or default_data_dir()
    unknown = set(options.runs) - set(plan.runs)
    if unknown:
        raise SystemExit(f"there is no run {', '.join(sorted(unknown))}; there are: {', '.join(plan.runs)}")
    options.out.mkdir(parents=True, exist_ok=True)
    runs = {name: plan.runs[name] for name in options.runs or plan.runs}
    results = fitted(runs, plan, folder, options.out, options.threads)
    if not options.valid_only:
        evaluate(results, folder, options.out)
    print(f"\n{machine()}\n\n{table(results)}")


def fitted(
    runs: dict[str, dict[str, Any]], plan: Plan, folder: Path, out: Path, threads: int
) -> dict[str, dict[str, Any]]:
    """Make the runs that have no saved result with these settings; return the results of all runs."""
    images, results = read_named_images("mnist", folder), {}
    subsets = images.take(np.arange(plan.train)), images.take(np.arange(len(images) - plan.valid, len(images)))
    for name, settings in runs.items():
        mark = mark_of(settings, plan)
        result = read(out / f"{name}.json", mark)
        if result is None:
            print(f"{name} …", flush=True)
            model = name.rsplit("-", 1)[0]
            train, valid = (rows_for(model, subset) for subset in subsets)
            encoder = FeatureEncoder(build(autoencoders.spec_class(model), settings))
            encoder.fit(train, valid=valid, run=Run(seed=SEED, device="cpu", threads=threads))
            encoder.save(out / name, overwrite=True)
            result = {
                "spec": flatten(encoder.spec),
                "validation": encoder.error(valid),
                "seconds": encoder.metadata["seconds"],
                "history": encoder.history,
                "machine": machine(),
            }
            write(out / f"{name}.json", result, mark)
            print(f"{name}: validation RMSE {result['validation']:.4f}, {result['seconds']:.0f} s", flush=True)
        results[name] = {**result, "mark": mark}
    return results


def evaluate(results: dict[str, dict[str, Any]], folder: Path, out: Path) -> None:
    """Add the missing errors on the test images to the results, and save them."""
    test = read_named_images("mnist", folder, "test")
    for name, result in results.items():
        if "test" not in result:
            encoder = FeatureEncoder.load(out / name, device="cpu")
            result["test"] = encoder.error(rows_for(encoder.spec.name(), test))
            write(out / f"{name}.json", {key: value for key, value in result.items() if key != "mark"}, result["mark"])


def mark_of(settings: dict[str, Any], plan: Plan) -> str:
    """Return a text that is equal for runs with equal settings."""
    return json.dumps({**settings, "train": plan.train, "valid": plan.valid, "seed": SEED}, sort_keys=True)


def rows_for(model: str, images: Features) -> Features:
    """Return images in the form that a model reads; the recurrent model reads sequences of pixel rows."""
    if model != "recurrent":
        return images
    _, height, width = images.form
    return Features(images.matrix, images.ids, images.columns, (height, width), np.full(len(images), height))


def table(results: dict[str, dict[str, Any]]) -> str:
    """Format errors as a Markdown table, with their ratio to PCA's with the same size of the code."""
    lines = [
        "| size of the code | model | validation RMSE | test RMSE | ratio to PCA | seconds per fit |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in sorted(results.items(), key=lambda pair: (pair[1]["spec"]["latent"], _error(pair[1]))):
        model, size = name.rsplit("-", 1)
        pca = results.get(f"pca-{size}")
        ratio = "–" if pca is None or result is pca else f"{_error(result) / _error(pca):.2f}"
        test = f"{result['test']:.4f}" if "test" in result else "–"
        lines.append(f"| {size} | {model} | {result['validation']:.4f} | {test} | {ratio} | {result['seconds']:.0f} |")
    return "\n".join(lines)


def _error(result: dict[str, Any]) -> float:
    return float(result.get("test", result["validation"]))


if __name__ == "__main__":
    main()
