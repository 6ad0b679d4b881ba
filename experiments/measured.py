"""What experiments measured: kept in files, so that it is measured once, and shown as a table."""

import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from recsys_ae.storage.atomic import write_text


def read(path: Path, mark: str) -> dict[str, Any] | None:
    """Return what was measured before under the same settings."""
    if not path.exists():
        return None
    done: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return done if done.pop("mark") == mark else None


def write(path: Path, done: Mapping[str, Any], mark: str) -> None:
    """Write down what was measured; all of it or nothing."""
    write_text(path, json.dumps({**done, "mark": mark}, indent=2))


def processor() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} cores)" if names else platform.processor()


def table(rows: Iterable[dict[str, Any]], metrics: list[str], baseline: str | None) -> str:
    """Format the rows as Markdown: best first, with the paired difference from the baseline in the first metric."""
    rows = sorted(rows, key=lambda row: -row["report"]["metrics"][metrics[0]]["mean"])
    reference = next((row for row in rows if row["model"] == baseline), None)
    names = [*metrics, *([f"Δ {metrics[0]} to {baseline}"] if reference else []), f"validation {metrics[0]}"]
    names += ["s/epoch", "fit s", "peak MiB"]
    lines = [f"| model | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        found = [row["report"]["metrics"][name] for name in metrics]
        cells = [f"{one['mean']:.4f} ± {one['standard_error']:.4f}" for one in found]
        if reference:
            cells.append(_difference(row, reference, metrics[0]))
        chosen, per_epoch = row["validation"].get(metrics[0]), row["seconds per epoch"]
        cells += [f"{chosen:.4f}" if chosen else "–", f"{per_epoch:.2f}" if per_epoch else "–"]
        cells += [f"{row['fit seconds']:.1f}", f"{row['peak MiB']:.0f}"]
        lines.append(f"| {row['model']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(row: dict[str, Any], reference: dict[str, Any], metric: str) -> str:
    if row is reference:
        return "–"
    own, other = (pd.read_parquet(one["values"]).set_index("user")[metric] for one in (row, reference))
    difference = (own - other).to_numpy()
    return f"{difference.mean():+.4f} ± {difference.std(ddof=1) / np.sqrt(len(difference)):.4f}"


def machine() -> str:
    """Name the processor, the threads and the version of PyTorch."""
    return f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def candidates(done: dict[str, dict[str, Any]]) -> str:
    """Format the validation errors as Markdown."""
    lines = ["| candidate | best validation RMSE | in epoch | of the last | fit s |", "|---|---|---|---|---|"]
    for name, one in done.items():
        errors = [epoch["valid/rmse"] for epoch in one["history"]]
        best = min(errors)
        cells = [name, f"{best:.4f}", f"{errors.index(best) + 1}", f"{errors[-1]:.4f}", f"{one['seconds']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
