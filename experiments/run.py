"""Run an experiment: fit and evaluate each of its models in a separate process, and print the table.

    python experiments/run.py ml1m_strong [MODEL …] [--data-dir DIR] [--out DIR] [--on valid] [--dry-run [SCALE]]

An experiment is a folder next to this file. ``experiment.toml`` names the data, their split, the counts to check, and
the metrics. Every other ``*.toml`` is a model, one row of the table; ``of`` lists the rows that a blend mixes. A
finished model is not run again unless its settings have changed, so an interrupted experiment resumes. ``--dry-run``
runs the same steps with one epoch of training, on synthetic data of the same format and size or a share of it.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dry_run import rehearse
from measured import machine, read, table, write

from recsys_ae import Holdout
from recsys_ae.data.recipe import DataRecipe
from recsys_ae.models import spec_class
from recsys_ae.nn.history import History
from recsys_ae.spec.hyper import build, describe

HERE = Path(__file__).parent


def main(words: Sequence[str] | None = None) -> None:
    """Run the experiment that the command line names."""
    experiments = sorted(path.parent.name for path in HERE.glob("*/experiment.toml"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("experiment", choices=experiments, help="name of the experiment's folder")
    parser.add_argument("models", nargs="*", help="names of .toml files of the experiment; default: all")
    parser.add_argument("--data-dir", help="folder of the data; default: the data are downloaded")
    parser.add_argument("--out", type=Path, help="folder of models and results; default: results/ of the experiment")
    parser.add_argument(
        "--on", choices=["test", "valid"], default="test", help="users to evaluate on; default: %(default)s"
    )
    parser.add_argument("--no-track", action="store_true", help="turn off logging to MLflow")
    parser.add_argument(
        "--dry-run",
        type=float,
        nargs="?",
        const=1.0,
        metavar="SCALE",
        help="rehearse on synthetic data, with this share of the users; default of SCALE: %(const)s",
    )
    arguments = parser.parse_intermixed_args(words)
    folder = HERE / arguments.experiment
    models = {path.stem: path for path in sorted(folder.glob("*.toml")) if path.stem != "experiment"}
    unknown = [name for name in arguments.models if name not in models]
    if unknown:
        parser.error(f"{arguments.experiment} has no model {unknown[0]!r}; available: {', '.join(models)}")
    chosen = {name: models[name] for name in arguments.models or models}
    plan = tomllib.loads((folder / "experiment.toml").read_text(encoding="utf-8"))
    if arguments.dry_run is None:
        out = arguments.out or folder / "results"
        run(Experiment(plan, out, arguments.data_dir, track=not arguments.no_track), chosen, arguments.on)
        return
    if "dry_run" not in plan or not 0 < arguments.dry_run <= 1:
        parser.error(f"--dry-run needs a [dry_run] in {arguments.experiment}/experiment.toml, and a share from 0 to 1")
    with tempfile.TemporaryDirectory(prefix="dry-run-") as folder_name:
        started = time.perf_counter()
        plan = rehearse(plan, arguments.dry_run, Path(folder_name))
        print(f"synthetic data written in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        out = arguments.out or Path(folder_name) / "results"
        run(Experiment(plan, out, folder_name, track=False, short=True), chosen, arguments.on)


def run(experiment: "Experiment", models: Mapping[str, Path], on: str) -> None:
    """Check the data, fit and evaluate the models, and print the table."""
    experiment.out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    experiment.check()
    print(f"data checked in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    rows, failed = [], []
    for name, path in models.items():
        try:
            rows.append(experiment.row(name, path, on))
        except SystemExit as error:
            if not experiment.short:
                raise
            # A dry run reports all failures at its end; one reason is a matrix too large for this machine.
            failed.append(f"{name}: {error}")
    print(f"\n{machine()}; {on} users\n")
    print(table(rows, experiment.metrics, experiment.plan.get("baseline")))
    if failed:
        raise SystemExit("\n".join(failed))


class Experiment:
    """Data, split and metrics that all models of a folder share."""

    def __init__(
        self, plan: dict[str, Any], out: Path, data_dir: str | None, *, track: bool, short: bool = False
    ) -> None:
        self.plan, self.out, self.short = plan, out, short
        self.metrics: list[str] = plan["metrics"]
        self.data_dir = Path(data_dir) if data_dir else None
        self.where = ["--data-dir", data_dir] if data_dir else []
        self.track = "--track" if track else "--no-track"

    def check(self) -> None:
        """Refuse data whose counts differ from the papers', because results on them could not be compared."""
        expected: dict[str, Any] = self.plan.get("check", {})
        if not expected:
            return
        options = {name.replace("-", "_"): value for name, value in self.plan["options"].items()}
        prepared = DataRecipe.from_options({**options, "data_dir": self.data_dir}).read(cache=True)
        steps, split = prepared.data.steps, prepared.split()
        kinds = ("interactions read", "users read", "items read")
        counts = {
            **dict(zip(kinds, steps[0].before if steps else prepared.data.counts, strict=True)),
            "train users": split.train.shape[0],
            "items": split.train.shape[1],
            "train interactions": split.train.nnz,
            **_counts("validation", split.valid),
            **_counts("test", split.test),
            "fingerprint": split.fingerprint,
        }
        wrong = [
            f"{name}: {value!r} expected, {counts.get(name)!r} found"
            for name, value in expected.items()
            if counts.get(name) != value
        ]
        if wrong:
            raise SystemExit("the data are not those of the experiment: " + "; ".join(wrong))

    def row(self, name: str, path: Path, on: str) -> dict[str, Any]:
        """Return the results of a model: saved ones, or those of a new run."""
        mark = self._mark(path)
        file = self.out / f"{name}.{on}.json"
        row = read(file, mark)
        if row is None:
            folder, measured = self._fit(name, path, mark, on)
            row = {"model": name, **measured, **self._evaluate(folder, name, on)}
            write(file, row, mark)
        return row

    def _mark(self, path: Path) -> str:
        """Return a hash of the settings of a model and of the models that it mixes."""
        text = path.read_text(encoding="utf-8")
        member_marks = [self._mark(path.with_stem(member)) for member in tomllib.loads(text).get("of", [])]
        settings = json.dumps([self.plan, self.short, *member_marks], sort_keys=True)
        return hashlib.sha256((text + settings).encode()).hexdigest()[:16]

    def _fit(self, name: str, path: Path, mark: str, on: str) -> tuple[Path, dict[str, Any]]:
        """Fit a model; return its folder and the measurements of the fit.

        Where the protocol has a ``refit``, the model is fitted to the validation part, too. The number of epochs is
        selected on the validation part before; a model without epochs skips that fit.
        """
        options, refit = self.plan["options"], self.plan.get("refit")
        config = tomllib.loads(path.read_text(encoding="utf-8"))
        if "of" in config:
            return self.out / name, self._blend(name, path, config, mark)
        model = config["model"]
        hyper_names = {hyper.name for hyper in describe(spec_class(model))}
        words = [str(model), "--config", str(path)]
        if self.short:
            lengths = [length for length in ("epochs", "iterations") if length in hyper_names]
            words += [word for length in lengths for word in (f"--{length}", "1")]
        if not refit:
            return self.out / name, self._fit_once(name, words, options, mark)
        selection: dict[str, Any] = {}
        if on == "valid" or "epochs" in hyper_names:
            selection = self._fit_once(f"{name}.chosen", words, options, mark)
        if on == "valid":
            return self.out / f"{name}.chosen", selection
        epochs = ["--epochs", str(selection["best epoch"])] if selection.get("best epoch") else []
        measured = self._fit_once(name, [*words, *epochs], options | refit, mark)
        return self.out / name, measured | {"validation": selection.get("validation", {})}

    def _fit_once(self, name: str, words: list[str], options: Mapping[str, Any], mark: str) -> dict[str, Any]:
        """Fit a model by the command line; return its time, memory and validation metrics."""
        command = ["recsys-ae", "fit", *words, *self._data(options), self.track, "--quiet"]
        return self._saved(name, command, mark)

    def _blend(self, name: str, path: Path, config: Mapping[str, Any], mark: str) -> dict[str, Any]:
        """Mix other models of the experiment; fit those that are missing."""
        if self.plan.get("refit"):
            raise SystemExit(
                f"{name}: the weights of a blend cannot be chosen on data that its models were fitted to; "
                "blends need an experiment without [refit]"
            )
        members = {member: path.with_stem(member) for member in config["of"]}
        folders = [str(self._fit(member, file, self._mark(file), "test")[0]) for member, file in members.items()]
        return self._saved(name, ["recsys-ae", "blend", *folders, "--scale", config["scale"]], mark)

    def _saved(self, name: str, command: list[str], mark: str) -> dict[str, Any]:
        """Run the command that saves a model, unless the model is saved; return its time, memory and metrics."""
        folder, file = self.out / name, self.out / f"{name}.fit.json"
        measured = read(file, mark)
        if measured is not None and (folder / "config.json").exists():
            return measured
        _, seconds, peak = watched([*command, *self.where, "--overwrite", "--out", str(folder)])
        saved = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        history = History.replayed(saved["history"], build(spec_class(saved["model"]), saved["spec"]).monitor)
        best = {} if history.best is None else history[history.best.epoch - 1]
        timed = sorted(epoch["seconds"] for epoch in history if "seconds" in epoch)
        values = {key.removeprefix("valid/"): value for key, value in best.items() if key.startswith("valid/")}
        measured = {
            "seconds per epoch": timed[len(timed) // 2] if timed else None,
            "epochs": len(timed),
            "best epoch": None if history.best is None else history.best.epoch,
            "fit seconds": saved["facts"]["seconds"],
            "command seconds": seconds,
            "peak MiB": peak,
            "validation": values,
        }
        write(file, measured, mark)
        return measured

    def _evaluate(self, folder: Path, name: str, on: str) -> dict[str, Any]:
        values = self.out / f"{name}.{on}.parquet"
        command = ["recsys-ae", "evaluate", str(folder), "--json", "--metrics", ",".join(self.metrics)]
        command += ["--on", on, "--per-user", str(values), "--overwrite", self.track, *self.where]
        text, _, _ = watched(command)
        return {"report": json.loads(text), "values": str(values)}

    @staticmethod
    def _data(options: Mapping[str, Any]) -> list[str]:
        return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def _counts(name: str, holdout: Holdout | None) -> dict[str, int]:
    return {} if holdout is None else {f"{name} users": len(holdout.users), f"{name} targets": holdout.targets.nnz}


def watched(command: list[str]) -> tuple[str, float, float]:
    """Run a command; return its output, its wall-clock seconds and its peak memory in MiB."""
    print(" ".join(command), file=sys.stderr, flush=True)
    program = Path(sys.executable).parent / command[0]
    command = [str(program) if program.exists() else command[0], *command[1:]]
    # BLAS threads in addition to implicit's own slow it down, and implicit warns of them.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"failed after {seconds:.0f} s: {' '.join(command)}")
    return output, seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
