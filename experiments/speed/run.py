"""Benchmark of time and memory of each model, compared with implicit, a dense yardstick and hardware bounds.

    python experiments/speed/run.py [--shapes ml-1m,ml-20m,netflix,million] [--models MODEL …] [--devices cpu,cuda]
        [--precisions fp32,bf16] [--data-dir DIR] [--seconds N] [--threads N] [--out FILE] [--fresh] [--profile]
        [--other NAME=PYTHON]

A model is a name, or a name with settings: ``"mult-vae:latent=100,hidden=300/100"``. A row is a model on a shape, a
device and a precision, measured in separate processes. A row in the JSON is not measured again without --fresh.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import others  # noqa: E402  next to this file, as all but measured
import shapes  # noqa: E402
from measured import machine  # noqa: E402  in the parent folder
from row import Row, measure  # noqa: E402
from table import table  # noqa: E402

from recsys_ae.errors import ConfigError, RecsysError  # noqa: E402
from recsys_ae.nn.runtime import resolve  # noqa: E402
from recsys_ae.nn.training.model import TrainableSpec  # noqa: E402
from recsys_ae.storage.atomic import write_text  # noqa: E402

SHAPES, DEVICES, PRECISIONS = "ml-1m,ml-20m,netflix,million", "cpu", "fp32"
MODELS = ("mult-vae", "mult-dae", "recvae", "ease", "als", "popularity")
KNOWN = {"shapes": tuple(shapes.SHAPES), "precisions": ("fp32", "tf32", "bf16")}


def main(words: list[str] | None = None) -> None:
    """Measure the missing rows, and print the table."""
    parser, arguments = _arguments(words)
    if arguments.row:
        print(json.dumps(_answer(**json.loads(arguments.row))))
        return
    rows = _rows(parser, arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    if arguments.profile:
        for row in rows:
            _provide(row)
            profile = _child(row, "profile")
            print(f"\n{_title(row)}\n{profile.get('profile') or profile['refused']}")
        return
    results: dict[str, Any] = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    for title, identity, work in _plan(rows, arguments):
        if title in results and not arguments.fresh:
            continue
        print(title, file=sys.stderr, flush=True)
        results[title] = identity | work()
        write_text(arguments.out, json.dumps(results, indent=2))
    shown = [measured for measured in results.values() if measured["shape"] in arguments.shapes]
    print(f"\n{machine()}\n\n{table(shown)}")


def _arguments(words: list[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "default: %(default)s"
    parser.add_argument("--shapes", default=SHAPES, help=f"any of {', '.join(shapes.SHAPES)}, with commas; {default}")
    parser.add_argument("--models", nargs="+", default=MODELS, help="models, also with settings: mult-vae:latent=100")
    parser.add_argument("--devices", default=DEVICES, help=f"any of cpu, cuda, with commas; {default}")
    precisions = "any of fp32, bf16, tf32 (on cuda only), with commas"
    parser.add_argument("--precisions", default=PRECISIONS, help=f"{precisions}; {default}")
    parser.add_argument("--data-dir", type=Path, help="folder with ml-1m.zip; default: $RECSYS_AE_DATA, or synthetic")
    parser.add_argument("--seconds", type=float, default=20, help=f"seconds of training per row; {default}")
    parser.add_argument("--threads", type=int, help="number of CPU threads; default: PyTorch's choice")
    parser.add_argument("--out", type=Path, default=HERE / "results/results.json", help=f"JSON of results; {default}")
    parser.add_argument("--fresh", action="store_true", help="measure rows again that are in the JSON")
    parser.add_argument("--profile", action="store_true", help="print the slowest operations of an update instead")
    parser.add_argument(
        "--other",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="package (lenskit or cornac) and its interpreter",
    )
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    for name in ("shapes", "devices", "precisions"):
        setattr(arguments, name, getattr(arguments, name).split(","))
        for choice in getattr(arguments, name):
            if choice not in KNOWN.get(name, (choice,)):
                parser.error(f"--{name}: there is no {choice!r}; available: {', '.join(KNOWN[name])}")
    return parser, arguments


def _rows(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> list[Row]:
    """Return the rows of the given options; refuse unknown models and missing devices."""
    rows: dict[str, Row] = {}
    limits = (arguments.seconds, arguments.threads, arguments.data_dir and str(arguments.data_dir.absolute()))
    try:
        pairs = [(device, precision) for device in arguments.devices for precision in arguments.precisions]
        pairs = [pair for pair in pairs if resolve(pair[0]).type == "cuda" or pair[1] != "tf32"]
        for shape in arguments.shapes:
            file = str(arguments.out.absolute().parent / f"{shape}.npz")
            for model in arguments.models:
                for device, precision in pairs:
                    row = Row(shape, model, device, precision, file, *limits)
                    if not isinstance(row.spec, TrainableSpec):  # it has its own precision
                        row = dataclasses.replace(row, precision="own")
                    rows[_title(row)] = row
    except ConfigError as error:
        parser.error(str(error))
    if not rows:
        parser.error("--precisions tf32 needs --devices cuda")
    return list(rows.values())


def _title(row: Row) -> str:
    return f"{row.shape} {row.model} {row.device} {row.precision}"


def _plan(
    rows: list[Row], arguments: argparse.Namespace
) -> Iterator[tuple[str, dict[str, str], Callable[[], dict[str, Any]]]]:
    """Yield title, identity and measuring function of each row, shape by shape."""
    packages = [others.parse(text) for text in arguments.other]
    for shape in arguments.shapes:
        shape_rows = [row for row in rows if row.shape == shape]
        for row in shape_rows:
            names = ("shape", "model", "device", "precision")
            yield _title(row), {name: getattr(row, name) for name in names}, partial(_measured, row)
        for package, interpreter in packages:
            for model in others.KNOWN[package]:
                identity = {"shape": shape, "model": f"{package} {model}", "device": "cpu", "precision": "own"}
                fit = (package, model, interpreter, Path(shape_rows[0].file), arguments.threads)
                yield " ".join(identity.values()), identity, partial(others.measure, *fit)


def _provide(row: Row) -> None:
    """Write the data of a row, in a separate process that frees its memory."""
    if not shapes.ready(row.shape, Path(row.file), row.data_dir and Path(row.data_dir)):
        failed = _child(row, "data")
        if failed:
            raise SystemExit(f"{row.shape}: the data could not be written: {failed['refused']}")


def _measured(row: Row) -> dict[str, Any]:
    """Measure memory, then times; the library refuses a fit to all rows that is too large for the memory."""
    _provide(row)
    measured = _child(row, "memory")
    if "refused" not in measured:
        measured |= _child(row, "times")
    if "yardstick" in measured:
        measured["yardstick"] |= _child(row, "yardstick")
    return measured


def _child(row: Row, quantity: str) -> dict[str, Any]:
    """Measure a quantity of a row in a separate process; a failure becomes the reason of a refusal."""
    request = json.dumps({"quantity": quantity, **dataclasses.asdict(row)})
    command = [sys.executable, str(HERE / "run.py"), "--row", request]
    threads = {} if row.threads is None else {"OMP_NUM_THREADS": str(row.threads)}
    # BLAS threads in addition to implicit's own slow it down, and implicit warns of them.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **threads}
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if process.returncode < 0:
        return {"refused": f"ended by signal {-process.returncode}; 9 mostly means that the memory was full"}
    if process.returncode:
        return {"refused": (process.stderr.strip().splitlines() or [f"exit code {process.returncode}"])[-1]}
    measured: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return measured


def _answer(quantity: str, **fields: Any) -> dict[str, Any]:
    """Measure a quantity of a row, or write its ``data``, for a parent process."""
    row = Row(**fields)
    try:
        if quantity == "data":
            shapes.make(row.shape, Path(row.file), row.data_dir and Path(row.data_dir))
            return {}
        return measure(row, quantity)
    except RecsysError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    main()
