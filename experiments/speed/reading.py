"""Time and memory of reading CSV and Parquet in the shape of ML-20M, parsed and from the cache.

    python experiments/speed/reading.py [--folder DIR] [--files NAME...]

Each file is read in a separate process. The time of its imports is reported separately from the time of reading.
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
    """Write the same synthetic ratings with numbers and with names as ids; a third end in a half, as in ML-20M."""
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import csv, parquet  # noqa: PLC0415

    from recsys_ae.data.synthetic.generate import synthesize  # noqa: PLC0415

    data = synthesize(USERS, ITEMS, INTERACTIONS).interactions
    order = np.argsort(data.order)
    half = np.random.default_rng(0).random(data.nnz) < 1 / 3
    ids = [data.users.to_numpy()[data.rows[order]], data.items.to_numpy()[data.matrix.indices[order]]]
    ratings, times = data.matrix.data[order].astype(np.float64) - 0.5 * half, data.timestamps[order]
    for form in ("numbers", "names"):
        id_columns = [pa.array(numbers) for numbers in ids]
        if form == "names":
            names = pa.array([f"{number * 0x9E3779B1:016x}" for number in range(USERS + 1)])
            id_columns = [names.take(numbers) for numbers in id_columns]
        columns = [*id_columns, pa.array(ratings), pa.array(times)]
        table = pa.table(columns, names=["userId", "movieId", "rating", "timestamp"])
        csv.write_csv(table, folder / f"{form}.csv", csv.WriteOptions(quoting_style="none"))
        parquet.write_table(table, folder / f"{form}.parquet")


def measure(path: Path, *, cache: bool) -> dict[str, float]:
    """Read a file in a separate process; return seconds of the process, its imports and the reading, and peak MiB."""
    command = [sys.executable, "-c", CHILD, str(path), "cache" if cache else "plain"]
    start = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"process": time.perf_counter() - start, **json.loads(process.stdout)}


def measured(path: Path) -> list[dict[str, str | float]]:
    """Measure a file parsed, parsed and cached, and read from the cache; several runs give the one of median time."""
    rows = []
    for step, cache, times in (("parsed", False, 1), ("first start", True, 1), ("second start", True, RUNS)):
        ordered = sorted((measure(path, cache=cache) for _ in range(times)), key=lambda run: run["reading"])
        rows.append({"file": path.name, "MB": path.stat().st_size / 1e6, "what": step, **ordered[times // 2]})
    shutil.rmtree(path.parent / ".recsys_ae_cache", ignore_errors=True)
    return rows


def main() -> None:
    """Write missing files, measure, print a table and save it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, help="folder of the files; missing files are written; default: temporary"
    )
    parser.add_argument("--files", nargs="+", choices=FORMS, default=FORMS, help="files to read; default: all")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not all((folder / form).exists() for form in FORMS):
            with get_context("spawn").Pool(1) as pool:  # its peak would otherwise count for the measured processes
                pool.apply(make, (folder,))
        rows = [row for form in arguments.files for row in measured(folder / form)]
    heading = "| file | MB | step | process seconds | imports seconds | reading seconds | peak MiB |"
    print(f"{heading}\n|---|---:|---|---:|---:|---:|---:|")
    for row in rows:
        seconds = " | ".join(f"{row[name]:.2f}" for name in ("process", "imports", "reading"))
        print(f"| {row['file']} | {row['MB']:.0f} | {row['what']} | {seconds} | {row['MiB']:.0f} |")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    measurement = {"cores": os.cpu_count(), "platform": platform.platform(), "rows": rows}
    write_text(results / "reading.json", json.dumps(measurement, indent=2))


if __name__ == "__main__":
    main()
