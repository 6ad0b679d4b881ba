"""Fit and evaluate every model on the strong-generalisation split of ML-1M, each in a process of its own.

    python experiments/ml1m_strong/run.py [--data-dir DIR] [--out DIR] [MODEL …]

Each ``*.toml`` beside this file is one row of the table. ALS of `implicit` runs before and after them, so that seconds
can be read as ratios taken on the same machine in the same hour.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import torch

HERE = Path(__file__).parent
SPLIT = ["--data", "ml-1m", "--min-rating", "4", "--min-user-items", "5", "--split", "strong"]
SPLIT += ["--split-recipe", "liang2018", "--split-seed", "98765", "--valid-users", "603", "--test-users", "603"]
COLUMNS = ["ndcg@100", "recall@20", "recall@50"]


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="names of the .toml files; all by default")
    parser.add_argument("--data-dir", help="folder with ml-1m.zip; else it is downloaded")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="models and numbers go here")
    arguments = parser.parse_args()
    where = ["--data-dir", arguments.data_dir] if arguments.data_dir else []
    arguments.out.mkdir(parents=True, exist_ok=True)
    wanted = arguments.models or sorted(path.stem for path in HERE.glob("*.toml"))
    rows = [baseline(where)]
    for name in wanted:
        rows.append(fit_and_evaluate(name, where, arguments.out))
        (arguments.out / f"{name}.json").write_text(json.dumps(rows[-1], indent=2))
    rows.append(baseline(where))
    print(f"\n{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print(table(rows))


def fit_and_evaluate(name: str, where: list[str], out: Path) -> dict[str, object]:
    """Fit one model by the command line, then look at the test users once."""
    config = tomllib.loads((HERE / f"{name}.toml").read_text())
    command = ["recsys-ae", "fit", str(config["model"]), "--config", str(HERE / f"{name}.toml"), *SPLIT, *where]
    folder = out / name
    _, peak = watched([*command, "--out", str(folder), "--overwrite", "--no-track", "--quiet"])
    report, _ = watched(["recsys-ae", "evaluate", str(folder), "--json", *where])
    saved = json.loads((folder / "config.json").read_text())
    seconds = [epoch["seconds"] for epoch in saved["history"] if "seconds" in epoch]
    return {
        "model": name,
        "report": json.loads(report),
        "seconds per epoch": sorted(seconds)[len(seconds) // 2] if seconds else None,
        "fit seconds": saved["facts"]["seconds"],
        "peak MiB": peak,
        "epochs": len(seconds),
    }


def baseline(where: list[str]) -> dict[str, object]:
    """Fit ALS in a process of its own."""
    output, peak = watched([sys.executable, str(HERE / "als.py"), *where], {"OPENBLAS_NUM_THREADS": "1"})
    return {**json.loads(output), "peak MiB": peak}


def watched(command: list[str], environment: dict[str, str] | None = None) -> tuple[str, float]:
    """Run a command; return what it printed and the most memory it held, in MiB."""
    print(" ".join(command), file=sys.stderr, flush=True)
    found = Path(sys.executable).parent / command[0]
    command = [str(found) if found.exists() else command[0], *command[1:]]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed after {time.perf_counter() - started:.0f} s: {' '.join(command)}")
    return output, usage.ru_maxrss / 1024


def processor() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0]} ({len(names)} cores)" if names else platform.processor()


def table(rows: list[dict[str, object]]) -> str:
    """Format the rows as Markdown."""
    lines = ["| model | NDCG@100 | R@20 | R@50 | s/epoch | fit s | peak MiB |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        report = row["report"]
        assert isinstance(report, dict)
        found = [report["metrics"][name] for name in COLUMNS]
        cells = [f"{one['mean']:.4f} ± {one['standard_error']:.4f}" for one in found]
        per_epoch = row["seconds per epoch"]
        cells += [f"{per_epoch:.3f}" if per_epoch else "–", f"{row['fit seconds']:.1f}", f"{row['peak MiB']:.0f}"]
        lines.append(f"| {row['model']} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
