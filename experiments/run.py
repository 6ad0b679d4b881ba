"""Run an experiment: fit and judge each of its models, each in a process of its own.

    python experiments/run.py ml1m_strong [MODEL …] [--data-dir DIR] [--out DIR] [--on valid] [--dry-run [SCALE]]

An experiment is a folder beside this file. ``experiment.toml`` says which data, how they are divided, what must be true
of them, and what is measured; every other ``*.toml`` is a model, one row of the table; ``of`` names the rows that a
blend mixes. A model that is finished is not run again unless its settings have changed, so an interrupted experiment
goes on where it stopped. ``--dry-run`` goes the same way on made-up data of the same form and size, or a share of it,
with one epoch of training.
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
    """Run what was asked for and print the table."""
    known = sorted(path.parent.name for path in HERE.glob("*/experiment.toml"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("experiment", choices=known)
    parser.add_argument("models", nargs="*", help="names of .toml files of the experiment; all by default")
    parser.add_argument("--data-dir", help="where the data lie; else they are downloaded")
    parser.add_argument("--out", type=Path, help="models and numbers go here (default: results/ of the experiment)")
    parser.add_argument("--on", choices=["test", "valid"], default="test", help="which users the table is about")
    parser.add_argument("--no-track", action="store_true", help="do not log to MLflow")
    parser.add_argument(
        "--dry-run", type=float, nargs="?", const=1.0, metavar="SCALE", help="on made-up data: all of them, or a share"
    )
    arguments = parser.parse_intermixed_args(words)
    folder = HERE / arguments.experiment
    models = {path.stem: path for path in sorted(folder.glob("*.toml")) if path.stem != "experiment"}
    unknown = [name for name in arguments.models if name not in models]
    if unknown:
        parser.error(f"{arguments.experiment} has no model {unknown[0]!r}; known: {', '.join(models)}")
    chosen = {name: models[name] for name in arguments.models or models}
    plan = tomllib.loads((folder / "experiment.toml").read_text(encoding="utf-8"))
    if arguments.dry_run is None:
        out = arguments.out or folder / "results"
        run(Experiment(plan, out, arguments.data_dir, track=not arguments.no_track), chosen, arguments.on)
        return
    if "dry_run" not in plan or not 0 < arguments.dry_run <= 1:
        parser.error(f"--dry-run needs a [dry_run] in {arguments.experiment}/experiment.toml, and a share from 0 to 1")
    with tempfile.TemporaryDirectory(prefix="dry-run-") as made:
        started = time.perf_counter()
        plan = rehearse(plan, arguments.dry_run, Path(made))
        print(f"data made in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        out = arguments.out or Path(made) / "results"
        run(Experiment(plan, out, made, track=False, short=True), chosen, arguments.on)


def run(experiment: "Experiment", models: Mapping[str, Path], on: str) -> None:
    """Check the data, fit and judge the models, and print the table."""
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
            # A rehearsal tells of all that fails; one reason is a matrix that is too large for this machine.
            failed.append(f"{name}: {error}")
    print(f"\n{machine()}; {on} users\n")
    print(table(rows, experiment.metrics, experiment.plan.get("baseline")))
    if failed:
        raise SystemExit("\n".join(failed))


class Experiment:
    """Data, division and measures that all models of a folder share."""

    def __init__(
        self, plan: dict[str, Any], out: Path, data_dir: str | None, *, track: bool, short: bool = False
    ) -> None:
        self.plan, self.out, self.short = plan, out, short
        self.metrics: list[str] = plan["metrics"]
        self.data_dir = Path(data_dir) if data_dir else None
        self.where = ["--data-dir", data_dir] if data_dir else []
        self.track = "--track" if track else "--no-track"

    def check(self) -> None:
        """Refuse to train on data that are not those of the papers: numbers would mean nothing."""
        expected: dict[str, Any] = self.plan.get("check", {})
        if not expected:
            return
        options = {name.replace("-", "_"): value for name, value in self.plan["options"].items()}
        prepared = DataRecipe.from_options({**options, "data_dir": self.data_dir}).read(cache=True)
        steps, split = prepared.data.steps, prepared.split()
        kinds = ("interactions read", "users read", "items read")
        found = {
            **dict(zip(kinds, steps[0].before if steps else prepared.data.counts, strict=True)),
            "train users": split.train.shape[0],
            "items": split.train.shape[1],
            "train interactions": split.train.nnz,
            **_counts("validation", split.valid),
            **_counts("test", split.test),
            "fingerprint": split.fingerprint,
        }
        wrong = [
            f"{name}: {value!r} expected, {found.get(name)!r} found"
            for name, value in expected.items()
            if found.get(name) != value
        ]
        if wrong:
            raise SystemExit("these are not the data of the experiment: " + "; ".join(wrong))

    def row(self, name: str, path: Path, on: str) -> dict[str, Any]:
        """Return a model's numbers, measured now or before."""
        mark = self._mark(path)
        finished = self.out / f"{name}.{on}.json"
        done = read(finished, mark)
        if done is None:
            folder, measured = self._fit(name, path, mark, on)
            done = {"model": name, **measured, **self._judge(folder, name, on)}
            write(finished, done, mark)
        return done

    def _mark(self, path: Path) -> str:
        """Return what changes with the settings of a model, or of those that it mixes."""
        text = path.read_text(encoding="utf-8")
        others = [self._mark(path.with_stem(one)) for one in tomllib.loads(text).get("of", [])]
        settings = json.dumps([self.plan, self.short, *others], sort_keys=True)
        return hashlib.sha256((text + settings).encode()).hexdigest()[:16]

    def _fit(self, name: str, path: Path, mark: str, on: str) -> tuple[Path, dict[str, Any]]:
        """Return a fitted model: where the protocol asks for that, it has learnt from the validation part, too.

        How long to train is chosen before, on the validation part; a model without epochs has nothing to choose.
        """
        options, again = self.plan["options"], self.plan.get("refit")
        config = tomllib.loads(path.read_text(encoding="utf-8"))
        if "of" in config:
            return self.out / name, self._blend(name, path, config, mark)
        model = config["model"]
        known = {hyper.name for hyper in describe(spec_class(model))}
        words = [str(model), "--config", str(path)]
        if self.short:
            words += [word for name in ("epochs", "iterations") if name in known for word in (f"--{name}", "1")]
        if not again:
            return self.out / name, self._fit_once(name, words, options, mark)
        first: dict[str, Any] = {}
        if on == "valid" or "epochs" in known:
            first = self._fit_once(f"{name}.chosen", words, options, mark)
        if on == "valid":
            return self.out / f"{name}.chosen", first
        kept = ["--epochs", str(first["best epoch"])] if first.get("best epoch") else []
        measured = self._fit_once(name, [*words, *kept], options | again, mark)
        return self.out / name, measured | {"validation": first.get("validation", {})}

    def _fit_once(self, name: str, words: list[str], options: Mapping[str, Any], mark: str) -> dict[str, Any]:
        """Fit a model by the command line; return what the fit took."""
        command = ["recsys-ae", "fit", *words, *self._data(options), self.track, "--quiet"]
        return self._made(name, command, mark)

    def _blend(self, name: str, path: Path, config: Mapping[str, Any], mark: str) -> dict[str, Any]:
        """Mix other models of the experiment, which are fitted first if they are not there."""
        if self.plan.get("refit"):
            raise SystemExit(f"{name}: the weights of a blend cannot be chosen on what its models have learnt from")
        of = {one: path.with_stem(one) for one in config["of"]}
        folders = [str(self._fit(one, place, self._mark(place), "test")[0]) for one, place in of.items()]
        return self._made(name, ["recsys-ae", "blend", *folders, "--scale", config["scale"]], mark)

    def _made(self, name: str, command: list[str], mark: str) -> dict[str, Any]:
        """Make a model by a command, unless it is there; return what that took."""
        folder, measured = self.out / name, self.out / f"{name}.fit.json"
        done = read(measured, mark)
        if done is not None and (folder / "config.json").exists():
            return done
        _, seconds, peak = watched([*command, *self.where, "--overwrite", "--out", str(folder)])
        saved = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        history = History.replayed(saved["history"], build(spec_class(saved["model"]), saved["spec"]).monitor)
        best = {} if history.best is None else history[history.best.epoch - 1]
        timed = sorted(epoch["seconds"] for epoch in history if "seconds" in epoch)
        values = {key.removeprefix("valid/"): value for key, value in best.items() if key.startswith("valid/")}
        done = {
            "seconds per epoch": timed[len(timed) // 2] if timed else None,
            "epochs": len(timed),
            "best epoch": None if history.best is None else history.best.epoch,
            "fit seconds": saved["facts"]["seconds"],
            "command seconds": seconds,
            "peak MiB": peak,
            "validation": values,
        }
        write(measured, done, mark)
        return done

    def _judge(self, folder: Path, name: str, on: str) -> dict[str, Any]:
        values = self.out / f"{name}.{on}.parquet"
        command = ["recsys-ae", "evaluate", str(folder), "--json", "--metrics", ",".join(self.metrics)]
        command += ["--on", on, "--per-user", str(values), "--overwrite", self.track, *self.where]
        text, _, _ = watched(command)
        return {"report": json.loads(text), "values": str(values)}

    @staticmethod
    def _data(options: Mapping[str, Any]) -> list[str]:
        return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def _counts(name: str, part: Holdout | None) -> dict[str, int]:
    return {} if part is None else {f"{name} users": len(part.users), f"{name} targets": part.targets.nnz}


def watched(command: list[str]) -> tuple[str, float, float]:
    """Run a command; return what it printed, the seconds it took and the most memory it held, in MiB."""
    print(" ".join(command), file=sys.stderr, flush=True)
    found = Path(sys.executable).parent / command[0]
    command = [str(found) if found.exists() else command[0], *command[1:]]
    # BLAS threads beside implicit's own slow it down, and it says so.
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
