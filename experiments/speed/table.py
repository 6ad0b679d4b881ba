"""Markdown table of the benchmark's rows."""

from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = (
    "seconds/epoch", "rows/s", "time / yardstick", "share of bound", "fit seconds", "peak MiB", "top-100 users/s",
    "share of bound", "time / implicit", "evaluated users/s", "added by metrics",
)  # fmt: skip


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Format the rows, and below them the reasons of refused ones."""
    lines = [f"| shape | model | device | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 3) + "|"]
    refused = []
    for row in rows:
        device = f"{row['device']} {row['precision']}".removesuffix(" own")
        source = " (synthetic)" if row["shape"] == "ml-1m" and row.get("source") == "generated" else ""
        if "refused" in row:
            refused.append(f"- {row['shape']} {row['model']} {device}: {row['refused']}")
        lines.append(f"| {row['shape']}{source} | {row['model']} | {device} | {' | '.join(_cells(row))} |")
    return "\n".join([*lines, *([""] if refused else []), *refused])


def _cells(row: Mapping[str, Any]) -> list[str]:
    dense, bound, top, evaluation = (row.get(name, {}) for name in ("yardstick", "bound", "top_n", "evaluation"))
    fit = _number(row.get("fit_seconds"))
    return [
        _number(row.get("seconds_per_epoch")),
        _number(row.get("rows_per_second")),
        # The yardstick of als is implicit's fit.
        _number(dense.get("ratio") or row.get("implicit", {}).get("ratio")),
        _share(bound.get("fraction")),
        f"≈ {fit}" if row.get("fit_extrapolated") else fit,
        _number(row.get("peak_mib")) + (f" ({_number(dense['peak_mib'])})" if "peak_mib" in dense else ""),
        _number(top.get("users_per_second")),
        _share(top.get("fraction")),
        _number(top.get("implicit", {}).get("ratio")),
        _number(evaluation.get("users_per_second")),
        _share(evaluation.get("beside_ranking")),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
