"""How fast and how large each model is, beside implicit, a dense yardstick and what the hardware allows.

    python experiments/speed/run.py [--shapes ml-1m,ml-20m,netflix,million] [--models MODEL …] [--devices cpu,cuda]
        [--precisions fp32,bf16] [--data-dir DIR] [--seconds N] [--threads N] [--out FILE] [--fresh] [--profile]
        [--other NAME=PYTHON]

A model is a name, or a name with settings: ``"mult-vae:latent=100,hidden=300/100"``. A row is a model on a shape, a
device and a precision, measured in processes of its own; one that stands in the JSON is not measured again without
--fresh.
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
import others  # noqa: E402  beside this file, as all but measured
import shapes  # noqa: E402
from measured import machine  # noqa: E402  beside this folder
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
    """Measure the rows that are missing, and print the table."""
    parser, arguments = _arguments(words)
    if arguments.row:
        print(json.dumps(_answer(**json.loads(arguments.row))))
        return
    rows = _rows(parser, arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    if arguments.profile:
        for row in rows:
            _provide(row)
            found = _child(row, "profile")
            print(f"\n{_title(row)}\n{found.get('profile') or found['refused']}")
        return
    done: dict[str, Any] = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    for title, identity, work in _plan(rows, arguments):
        if title in done and not arguments.fresh:
            continue
        print(title, file=sys.stderr, flush=True)
        done[title] = identity | work()
        write_text(arguments.out, json.dumps(done, indent=2))
    shown = [one for one in done.values() if one["shape"] in arguments.shapes]
    print(f"\n{machine()}\n\n{table(shown)}")


def _arguments(words: list[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=SHAPES, help=f"with commas between: {', '.join(shapes.SHAPES)}")
    parser.add_argument("--models", nargs="+", default=MODELS, help="names, with settings: mult-vae:latent=100,hidden=")
    parser.add_argument("--devices", default=DEVICES, help="cpu,cuda")
    parser.add_argument("--precisions", default=PRECISIONS, help=f"{','.join(KNOWN['precisions'])}; tf32 on cuda only")
    parser.add_argument("--data-dir", type=Path, help="folder with ml-1m.zip; else $RECSYS_AE_DATA, or made up")
    parser.add_argument(
        "--seconds", type=float, default=20, help="for the training of a row; all of it takes about thrice"
    )
    parser.add_argument("--threads", type=int, help="CPU threads; else what PyTorch takes")
    parser.add_argument("--out", type=Path, default=HERE / "results/results.json", help="the data are kept beside it")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    parser.add_argument("--profile", action="store_true", help="print where the time of an update goes, instead")
    parser.add_argument("--other", action="append", default=[], metavar="NAME=PYTHON", help="lenskit or cornac")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    for name in ("shapes", "devices", "precisions"):
        setattr(arguments, name, getattr(arguments, name).split(","))
        for one in getattr(arguments, name):
            if one not in KNOWN.get(name, (one,)):
                parser.error(f"--{name}: there is no {one!r}; known: {', '.join(KNOWN[name])}")
    return parser, arguments


def _rows(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> list[Row]:
    """Return the rows that were asked for; refuse what is unknown, and a device that is not there."""
    rows: dict[str, Row] = {}
    rest = (arguments.seconds, arguments.threads, arguments.data_dir and str(arguments.data_dir.absolute()))
    try:
        on = [(name, one) for name in arguments.devices for one in arguments.precisions]
        on = [(name, one) for name, one in on if resolve(name).type == "cuda" or one != "tf32"]
        for shape in arguments.shapes:
            file = str(arguments.out.absolute().parent / f"{shape}.npz")
            for model in arguments.models:
                for device, precision in on:
                    row = Row(shape, model, device, precision, file, *rest)
                    if not isinstance(row.spec, TrainableSpec):  # it computes in a precision of its own
                        row = dataclasses.replace(row, precision="own")
                    rows[_title(row)] = row
    except ConfigError as error:
        parser.error(str(error))
    if not rows:
        parser.error("--precisions tf32 is for cuda only")
    return list(rows.values())


def _title(row: Row) -> str:
    return f"{row.shape} {row.model} {row.device} {row.precision}"


def _plan(
    rows: list[Row], arguments: argparse.Namespace
) -> Iterator[tuple[str, dict[str, str], Callable[[], dict[str, Any]]]]:
    """Yield the title of each row, what it is, and what measures it; shape by shape."""
    packages = [others.parse(text) for text in arguments.other]
    for shape in arguments.shapes:
        own = [row for row in rows if row.shape == shape]
        for row in own:
            names = ("shape", "model", "device", "precision")
            yield _title(row), {name: getattr(row, name) for name in names}, partial(_measured, row)
        for package, interpreter in packages:
            for model in others.KNOWN[package]:
                identity = {"shape": shape, "model": f"{package} {model}", "device": "cpu", "precision": "own"}
                place = (package, model, interpreter, Path(own[0].file), arguments.threads)
                yield " ".join(identity.values()), identity, partial(others.measure, *place)


def _provide(row: Row) -> None:
    """Make the data of a row, in a process that then gives its memory back."""
    if not shapes.ready(row.shape, Path(row.file), row.data_dir and Path(row.data_dir)):
        failed = _child(row, "data")
        if failed:
            raise SystemExit(f"{row.shape}: no data: {failed['refused']}")


def _measured(row: Row) -> dict[str, Any]:
    """Measure memory first: where all rows are too many, the library says so."""
    _provide(row)
    found = _child(row, "memory")
    if "refused" not in found:
        found |= _child(row, "times")
    if "yardstick" in found:
        found["yardstick"] |= _child(row, "yardstick")
    return found


def _child(row: Row, what: str) -> dict[str, Any]:
    """Let a process of its own measure something of a row; a process that fails has refused."""
    asked = json.dumps({"what": what, **dataclasses.asdict(row)})
    command = [sys.executable, str(HERE / "run.py"), "--row", asked]
    threads = {} if row.threads is None else {"OMP_NUM_THREADS": str(row.threads)}
    # BLAS threads beside implicit's own slow it down, and it says so.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **threads}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode < 0:
        return {"refused": f"ended by signal {-done.returncode}; 9 mostly means that the memory was full"}
    if done.returncode:
        return {"refused": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _answer(what: str, **fields: Any) -> dict[str, Any]:
    """Do what a parent process asks for."""
    row = Row(**fields)
    try:
        if what == "data":
            shapes.make(row.shape, Path(row.file), row.data_dir and Path(row.data_dir))
            return {}
        return measure(row, what)
    except RecsysError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    main()
