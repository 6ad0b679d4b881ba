"""Quality of what `recsys-ae tune` finds in a given time.

    python experiments/tuning/run.py [RUN …] [--data-dir DIR] [--out DIR]

``runs.toml`` has the options of each search. A search is a process of its own; a finished one is not repeated, and one
that was interrupted goes on. At the end the table of all finished searches is printed.
"""

import argparse
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from measured import machine, read, write  # noqa: E402  in the parent folder

TABLE = "| search | seconds | first table | winner | validation | test | Δ ALS | Δ best default | blend |"


def main(words: Sequence[str] | None = None) -> None:
    """Carry out the searches that the command line names, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    runs = tomllib.loads((HERE / "runs.toml").read_text(encoding="utf-8"))
    parser.add_argument("runs", nargs="*", help=f"searches, of {', '.join(runs)}; default: all")
    parser.add_argument("--data-dir", help="folder of the data; default: the data are downloaded")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the searches")
    arguments = parser.parse_args(words)
    unknown = [name for name in arguments.runs if name not in runs]
    if unknown:
        parser.error(f"there is no search {unknown[0]!r}; available: {', '.join(runs)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.runs or runs:
        _search(name, options(runs, name), arguments.out, arguments.data_dir)
    print(table(arguments.out, list(runs)))
    print(machine())


def options(runs: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the options of a search, with those of the search that it is like."""
    own = dict(runs[name])
    like = own.pop("like", None)
    merged = {**(options(runs, like) if like else {}), **own}
    return {option: value for option, value in merged.items() if value != "none"}


def command(chosen: Mapping[str, Any], folder: Path, data_dir: str | None) -> list[str]:
    """Return the words of the command."""
    words = ["recsys-ae", "tune"]
    for option, value in chosen.items():
        words += [f"--{option}"] if value is True else [] if value is False else [f"--{option}", str(value)]
    words += ["--data-dir", data_dir] if data_dir else []
    return [*words, "--no-track", "--out", str(folder)]


def _search(name: str, chosen: Mapping[str, Any], out: Path, data_dir: str | None) -> None:
    path, folder = out / f"{name}.json", out / name
    mark = json.dumps(chosen, sort_keys=True)
    if read(path, mark) is not None:
        return
    started = time.perf_counter()
    first = None
    with subprocess.Popen(command(chosen, folder, data_dir), stdout=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout or ():
            if first is None and line.startswith("Defaults of the quick models"):
                first = time.perf_counter() - started
            lines.append(line)
            print(line, end="", file=sys.stderr)
    if process.returncode:
        sys.exit(f"{name}: recsys-ae tune ended with {process.returncode}")
    seconds = time.perf_counter() - started
    result = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    (out / f"{name}.log").write_text("".join(lines), encoding="utf-8")
    write(path, {"seconds": seconds, "first table": first, "result": result, "machine": machine()}, mark)


def table(out: Path, names: Sequence[str]) -> str:
    """Return the table of the finished searches in Markdown."""
    lines = [TABLE, "|---" * (TABLE.count("|") - 1) + "|"]
    for name in names:
        path = out / f"{name}.json"
        if path.exists():
            lines.append(_row(name, json.loads(path.read_text(encoding="utf-8"))))
    return "\n".join(lines)


def _row(name: str, saved: Mapping[str, Any]) -> str:
    result = saved["result"]
    metric, best = result["metric"], result["best"]
    standings = {model["name"]: model for model in result["test"]["models"]}
    winner = next(model for model in standings.values() if model["name"].endswith("(winner)"))
    blend = standings.get("blend")
    cells = [
        name,
        f"{saved['seconds']:.0f}",
        "–" if saved["first table"] is None else f"{saved['first table']:.0f} s",
        best["model"],
        _with_error(best["value"], best["standard_error"]),
        _mean(winner, metric),
        _from_baseline(winner, metric),
        _from_default(result),
        "–" if blend is None else f"{_mean(blend, metric)}, Δ ALS {_from_baseline(blend, metric)}",
    ]
    return f"| {' | '.join(cells)} |"


def _mean(model: Mapping[str, Any], metric: str) -> str:
    numbers = model["metrics"][metric]
    return _with_error(numbers["mean"], numbers["standard_error"])


def _from_baseline(model: Mapping[str, Any], metric: str) -> str:
    difference = model["differences"].get(metric)
    return "–" if difference is None else _with_error(difference["mean"], difference["standard_error"], "+")


def _from_default(result: Mapping[str, Any]) -> str:
    difference = result["gains"].get("best default")
    return "–" if difference is None else _with_error(difference["mean"], difference["standard_error"], "+")


def _with_error(mean: float, error: float, sign: str = "") -> str:
    return f"{mean:{sign}.4f} ± {error:.4f}"


if __name__ == "__main__":
    main()
