"""How long reading takes, and how much memory: CSV and Parquet in the shape of ML-20M, parsed and from the cache.

    python experiments/speed/reading.py [--folder DIR] [--files NAME...]

Each reading happens in a process of its own; what its imports take is told apart from the reading itself.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from recsys_ae.storage.atomic import write_text

USERS, ITEMS, INTERACTIONS, RUNS = 138_493, 26_744, 20_000_263, 3
FORMS = ("numbers.csv", "names.csv", "numbers.parquet", "names.parquet")
CHILD = """
import json, resource, sys, time
start = time.perf_counter()
from recsys_ae.data.readers.read import read_interactions
ready = time.perf_counter()
data = read_interactions(sys.argv[1], duplicates="last", cache=sys.argv[2] == "cache")
done = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
print(json.dumps({"imports": ready - start, "reading": done - ready, "MiB": peak, "nnz": data.nnz}))
"""


def make(folder: Path) -> None:
    """Write the same made-up ratings with numbers and with names for ids; a third of them end in a half, as there."""
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import csv, parquet  # noqa: PLC0415

    from recsys_ae.data.synthetic.generate import synthesize  # noqa: PLC0415

    data = synthesize(USERS, ITEMS, INTERACTIONS).interactions
    place = np.argsort(data.order)
    half = np.random.default_rng(0).random(data.nnz) < 1 / 3
    ids = [data.users.to_numpy()[data.rows[place]], data.items.to_numpy()[data.matrix.indices[place]]]
    rest = [pa.array(data.matrix.data[place].astype(np.float64) - 0.5 * half), pa.array(data.timestamps[place])]
    for form in ("numbers", "names"):
        written = [pa.array(one) for one in ids]
        if form == "names":
            known = pa.array([f"{number * 0x9E3779B1:016x}" for number in range(USERS + 1)])
            written = [known.take(one) for one in written]
        table = pa.table([*written, *rest], names=["userId", "movieId", "rating", "timestamp"])
        csv.write_csv(table, folder / f"{form}.csv", csv.WriteOptions(quoting_style="none"))
        parquet.write_table(table, folder / f"{form}.parquet")


def measure(path: Path, *, cache: bool) -> dict[str, float]:
    """Read a file in a process of its own: seconds of the whole process, of its imports and of the reading; MiB."""
    command = [sys.executable, "-c", CHILD, str(path), "cache" if cache else "plain"]
    start = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"process": time.perf_counter() - start, **json.loads(process.stdout)}


def measured(path: Path) -> list[dict[str, str | float]]:
    """Measure a file parsed, parsed and kept, and read again; of several runs the one with the median of seconds."""
    found = []
    for what, cache, times in (("parsed", False, 1), ("first start", True, 1), ("second start", True, RUNS)):
        ordered = sorted((measure(path, cache=cache) for _ in range(times)), key=lambda one: one["reading"])
        found.append({"file": path.name, "MB": path.stat().st_size / 1e6, "what": what, **ordered[times // 2]})
    shutil.rmtree(path.parent / ".recsys_ae_cache", ignore_errors=True)
    return found


def main() -> None:
    """Make the data where they are not there, measure, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the data are, or are made and kept; else they go again")
    parser.add_argument("--files", nargs="+", choices=FORMS, default=FORMS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not all((folder / form).exists() for form in FORMS):
            with get_context("spawn").Pool(1) as pool:  # the peak of this process would count for those it starts
                pool.apply(make, (folder,))
        found = [row for form in given.files for row in measured(folder / form)]
    print("| file | MB | | process s | imports s | reading s | peak MiB |\n|---|---:|---|---:|---:|---:|---:|")
    for row in found:
        seconds = " | ".join(f"{row[name]:.2f}" for name in ("process", "imports", "reading"))
        print(f"| {row['file']} | {row['MB']:.0f} | {row['what']} | {seconds} | {row['MiB']:.0f} |")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    done = {"cores": os.cpu_count(), "platform": platform.platform(), "rows": found}
    write_text(results / "reading.json", json.dumps(done, indent=2))


if __name__ == "__main__":
    main()
