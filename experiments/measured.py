"""Results of experiments: JSON files, so that nothing is measured twice, and Markdown tables."""

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
    """Return the saved result, or None if there is none with the same settings, for which ``mark`` stands."""
    if not path.exists():
        return None
    saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return saved if saved.pop("mark") == mark else None


def write(path: Path, measurement: Mapping[str, Any], mark: str) -> None:
    """Save a result atomically, together with the mark of its settings."""
    write_text(path, json.dumps({**measurement, "mark": mark}, indent=2))


def processor() -> str:
    """Return the name of the processor and its number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} cores)" if names else platform.processor()


def table(rows: Iterable[dict[str, Any]], metrics: list[str], baseline: str | None) -> str:
    """Format results as a Markdown table, sorted by the first metric, with its paired difference from the baseline."""
    rows = sorted(rows, key=lambda row: -row["report"]["metrics"][metrics[0]]["mean"])
    reference = next((row for row in rows if row["model"] == baseline), None)
    names = [*metrics, *([f"Δ {metrics[0]} vs {baseline}"] if reference else []), f"validation {metrics[0]}"]
    names += ["seconds/epoch", "fit seconds", "peak MiB"]
    lines = [f"| model | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        estimates = [row["report"]["metrics"][name] for name in metrics]
        cells = [f"{estimate['mean']:.4f} ± {estimate['standard_error']:.4f}" for estimate in estimates]
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
    values, baseline = (pd.read_parquet(entry["values"]).set_index("user")[metric] for entry in (row, reference))
    differences = (values - baseline).to_numpy()
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{signed(differences.mean())} ± {error:.4f}"


def signed(number: float) -> str:
    """Format a difference with four decimals and a plus or a minus sign."""
    return f"{number:+.4f}".replace("-", "−")


def machine() -> str:
    """Return the processor, the number of threads and the version of PyTorch in words."""
    return f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def candidates(measurements: dict[str, dict[str, Any]]) -> str:
    """Format validation errors of candidates as a Markdown table."""
    lines = ["| candidate | best validation RMSE | best epoch | RMSE of the last epoch | fit seconds |"]
    lines.append("|---|---|---|---|---|")
    for name, measurement in measurements.items():
        errors = [epoch["valid/rmse"] for epoch in measurement["history"]]
        best = min(errors)
        cells = [name, f"{best:.4f}", f"{errors.index(best) + 1}", f"{errors[-1]:.4f}", f"{measurement['seconds']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
