"""Plot of losses and validation metrics over the epochs of a fit."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys_ae.errors import DataError, MissingPackageError

VALIDATION = "valid/"
NO_LOSSES = frozenset({"seconds", "rows_per_second", "beta"})
"""Numbers of an epoch that are no losses; ``beta`` is the weight of a loss."""

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe and Ito: for color-blind eyes
_MARK = "#555555"


def loss_curve(history: Sequence[Mapping[str, float]], path: Path, *, best: tuple[int, str] | None = None) -> None:
    """Plot losses and validation metrics over the epochs, and save the plot as a PNG file.

    Parameters
    ----------
    history
        One mapping per epoch: losses by name, and validation metrics as ``valid/<metric>``. Values that are missing or
        not finite are left out.
    path
        PNG file to write.
    best
        Epoch to mark, counted from 1, and the metric that selected it.

    Raises
    ------
    DataError
        If no epoch has a loss or a validation metric.
    MissingPackageError
        If matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError("drawing the loss curve needs the package matplotlib; install it") from error
    names = list(dict.fromkeys(name for epoch in history for name in epoch if name not in NO_LOSSES))
    metrics = [name for name in names if name.startswith(VALIDATION)]
    losses = [name for name in names if name not in metrics]
    panels = [panel for panel in (losses, metrics) if panel]
    if not panels:
        raise DataError("there is no epoch with a loss or a validation metric to draw; give the history of a fit")
    figure = Figure(figsize=(8, 1.2 + 2.9 * len(panels)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0].tolist()
    for panel, ax in zip(panels, axes, strict=True):
        _draw(ax, history, panel, "validation metric" if panel is metrics else "loss per row")
    axes[-1].set_xlabel("epoch")
    if best is not None:
        _mark_best(axes, history, *best)
    figure.savefig(path, format="png")


def _values(history: Sequence[Mapping[str, float]], name: str) -> list[float]:
    values = [float(epoch.get(name, math.nan)) for epoch in history]
    return [value if math.isfinite(value) else math.nan for value in values]


def _draw(ax: Any, history: Sequence[Mapping[str, float]], names: Sequence[str], label: str) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    epochs = range(1, len(history) + 1)
    few = "o" if len(history) <= 30 else None  # a line through a single epoch would be invisible
    for i, name in enumerate(names):
        colour = _COLOURS[i % len(_COLOURS)]
        style = ("-", "--", ":")[i // len(_COLOURS) % 3]
        shown = name.removeprefix(VALIDATION)
        ax.plot(epochs, _values(history, name), style, color=colour, marker=few, markersize=3, lw=1.6, label=shown)
    margin = min(0.9, 0.03 * len(history))  # no tick at an epoch 0
    ax.set_xlim(1 - margin, len(history) + margin)
    ax.set_ylabel(label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(visible=True, color="#dddddd", lw=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _mark_best(axes: Sequence[Any], history: Sequence[Mapping[str, float]], epoch: int, monitor: str) -> None:
    """Draw a line through all panels at the best epoch, and write its value above them."""
    value = history[epoch - 1][f"{VALIDATION}{monitor}"]
    for ax in axes:
        ax.axvline(epoch, color=_MARK, lw=1, ls=(0, (4, 3)), zorder=1)
    axes[-1].plot([epoch], [value], "o", ms=9, mfc="none", mec=_MARK, mew=1.4, zorder=4)
    title = f"best epoch {epoch} of {len(history)}: {monitor} = {value:.4f}"
    axes[0].set_title(title, loc="left", fontsize=10, color=_MARK)
