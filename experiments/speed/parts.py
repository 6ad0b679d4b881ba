"""Time and peak memory of data in parts: reading a folder instead of a file, and lists of many users into a folder.

    python experiments/speed/parts.py read                                     # 20 million rows, 200 parts
    python experiments/speed/parts.py lists --users 1000000 2000000 --models ease mult-vae

Run it alone. Each measurement is a process of its own, whose peak of resident memory the operating system reports. Data
are generated once and kept in ``--out``.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from measured import machine  # noqa: E402  in the parent folder

from recsys_ae.storage.atomic import write_text  # noqa: E402

N_ITEMS, PER_USER, SEED = 20_000, 20, 0
READ = 'import sys; from recsys_ae.data.readers.read import *; read_interactions(sys.argv[1], duplicates="last")'
PROGRAM = [sys.executable, "-c", "import sys; from recsys_ae_cli.main import main; sys.exit(main(sys.argv[1:]))"]
SHORT = {"ease": ["--l2", "100"], "mult-vae": ["--epochs", "1", "--patience", "0"]}
"""Options of the fits, whose quality does not matter here."""


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the rows and write them to a JSON file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["read", "lists"])
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows that are read; default: %(default)s")
    parser.add_argument("--parts", type=int, default=200, help="number of parts; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of reading, in turn; default: %(default)s")
    parser.add_argument("--users", type=int, nargs="+", default=[1_000_000, 2_000_000], help="users who get lists")
    parser.add_argument("--fit-users", type=int, default=200_000, help="users of the fits; default: %(default)s")
    parser.add_argument("--models", nargs="+", choices=list(SHORT), default=list(SHORT), help="models of the lists")
    parser.add_argument("--k", type=int, default=100, help="length of the lists; default: %(default)s")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "parts", help="folder of data and results")
    arguments = parser.parse_args(words)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = read_rows(arguments) if arguments.what == "read" else list_rows(arguments)
    write_text(arguments.out / f"{arguments.what}.json", json.dumps({"machine": machine(), "rows": rows}, indent=2))
    for row in rows:
        print(row)
    print(machine())


def measured(command: Sequence[str]) -> dict[str, float]:
    """Run a command; return its seconds and its peak of resident memory in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return {"seconds": round(time.perf_counter() - started, 1), "MiB": usage.ru_maxrss // 1024}


def read_rows(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Read the same rows from one file and from parts, in turn."""
    rng, n = np.random.default_rng(SEED), arguments.rows
    table = pa.table(
        {
            "user": np.sort(rng.integers(0, n // PER_USER, n)),
            "item": (N_ITEMS * rng.random(n) ** 3).astype(np.int64),
            "rating": rng.integers(1, 6, n).astype(np.float32),
            "timestamp": rng.integers(1_500_000_000, 1_600_000_000, n),
        }
    )
    rows = []
    for suffix, write in (("parquet", pq.write_table), ("csv", pc.write_csv)):
        one, folder = arguments.out / f"one.{suffix}", arguments.out / suffix
        if not one.exists():
            folder.mkdir(exist_ok=True)
            for part, begin in enumerate(range(0, n, -(-n // arguments.parts))):
                write(table.slice(begin, -(-n // arguments.parts)), folder / f"part-{part:05}.{suffix}")
            write(table, one)
    del table
    for number in range(arguments.rounds):
        for suffix in ("parquet", "csv"):
            for place in (f"one.{suffix}", suffix):
                found = measured([sys.executable, "-c", READ, str(arguments.out / place)])
                rows.append({"round": number, "place": place, **found})
    return rows


def list_rows(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Write lists for many users into a folder, and for the users of the fit at once, too."""
    small = _histories(arguments.out, arguments.fit_users)
    rows = []
    for name in arguments.models:
        model = arguments.out / f"{name}.model"
        if not model.exists():
            fit = ["fit", name, "--data", str(small), "--min-user-items", "1", "--no-track", "--quiet", *SHORT[name]]
            measured([*PROGRAM, *fit, "--out", str(model)])
        size = sum(path.stat().st_size for path in model.iterdir()) >> 20
        write = [*PROGRAM, "recommend", str(model), "--k", str(arguments.k), "--overwrite", "--histories"]
        of_parts = ((n, "parts") for n in (arguments.fit_users, *arguments.users))
        for n_users, kind in ((arguments.fit_users, "at once"), *of_parts):
            out = arguments.out / ("lists.parquet" if kind == "at once" else "lists")
            found = measured([*write, str(_histories(arguments.out, n_users)), "--out", str(out)])
            rows.append({"model": name, "users": n_users, "lists": kind, **found, "model MiB": size})
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _histories(home: Path, n_users: int) -> Path:
    """Return a folder with the histories of users, sorted by user; it is written if it is not there."""
    folder, n_parts = home / f"histories-{n_users}", 50
    if folder.exists():
        return folder
    folder.mkdir()
    rng, size = np.random.default_rng(SEED), -(-n_users // n_parts)
    for part in range(n_parts):
        users = np.arange(part * size, min(n_users, (part + 1) * size)).repeat(PER_USER)
        items = (N_ITEMS * rng.random(len(users)) ** 2).astype(np.int64)
        keys = np.unique(users * N_ITEMS + items)
        columns = {"user": keys // N_ITEMS, "item": keys % N_ITEMS}
        pq.write_table(pa.table(columns), folder / f"part-{part:05}.parquet")
    return folder


if __name__ == "__main__":
    main()
