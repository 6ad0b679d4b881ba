"""Output of `fit`: tables of the data and the split, the memory, and the summary of the fit."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import memory
from .display import Display, note
from .model_commands import typed_name

if TYPE_CHECKING:
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.splits.split import Split
    from recsys_ae.nn.runtime import Run
    from recsys_ae.recommender.recommender import Recommender


def show_data(display: Display, prepared: "Prepared", split: "Split") -> None:
    """Print the size of the data after each step, and the parts of the split."""
    from recsys_ae.data.prepared import has_ratings  # noqa: PLC0415

    data, recipe = prepared.data, prepared.recipe
    steps = data.steps
    rows: list[Sequence[Any]] = [(f"read from {recipe.title}", *(steps[0].before if steps else data.counts))]
    rows += [(step.name, *step.after) for step in steps]
    display.table(("data", ">interactions", ">users", ">items"), rows)
    if recipe.threshold is None:
        effect = "all ratings keep their values" if has_ratings(data, recipe) else "every interaction counts as 1"
        display.line(f"No rating threshold: {effect}.")
    display.line()
    rows = [("train", split.train.shape[0], split.train.nnz, "")]
    for name, holdout in (("validation", split.valid), ("test, not looked at", split.test)):
        if holdout is not None:
            rows.append((name, len(holdout.users), holdout.histories.nnz, holdout.targets.nnz))
    display.table((f"{recipe.split_kind} split", ">users", ">history", ">targets"), rows)
    unknown = sum(holdout.unknown for holdout in (split.valid, split.test) if holdout is not None)
    if unknown:
        display.line(f"{unknown:,} targets are skipped, because their items have no training interactions.")
    for remark in () if split.test is None else split.test.remarks:
        note(f"Note: {remark}")
    restored = 0 if split.test is None else prepared.restored(split.test)
    if restored:
        display.line(f"{restored:,} test users keep their histories, although the filters remove them from training.")
    display.line(f"Split fingerprint {split.fingerprint}")


def show_memory(display: Display, sizes: Mapping[str, int], run: "Run", *, table: bool) -> None:
    """Print the memory that a fit needs at least and the free memory; ``table`` adds a table by purpose."""
    from recsys_ae.nn.runtime import free_memory  # noqa: PLC0415

    free = free_memory(run.torch_device)
    available = "" if free is None else f"; {free / 2**20:,.0f} MiB are free"
    display.line(f"\nMemory: the fit needs {sum(sizes.values()) / 2**20:,.0f} MiB{available}")
    if table and sizes:
        display.table(("purpose", ">MiB"), [(purpose, f"{size / 2**20:,.1f}") for purpose, size in sizes.items()])


def show_fit(display: Display, model: "Recommender", out: Path) -> None:
    """Print the validation metrics, time, memory and folder of a fit, and the next commands."""
    rows: list[tuple[str, Any]] = []
    selected = _kept(model)
    if selected is not None:
        epoch, measured = selected
        numbers = [f"{name[6:]:<9} {value:.4f}" for name, value in measured.items() if name.startswith("valid/")]
        rows += [("" if row else "validation", number) for row, number in enumerate(numbers)]
        if "seconds" in measured:
            rows.append(("selected", f"epoch {epoch} of {len(model.history)}"))
    show_costs(display, model, out, rows)
    display.line("\nNext:")
    folder = shlex.quote(str(out))
    display.line(f"  recsys-ae evaluate {folder}")
    display.line(f"  recsys-ae recommend {folder} --out top10.csv")


def show_costs(display: Display, model: "Recommender", out: Path, rows: list[tuple[str, Any]]) -> None:
    """Print the rows, then the weights of a blend, and the time, memory, folder and command of a fit."""
    from recsys_ae.models.blend import BlendNetwork  # noqa: PLC0415

    network = model.network
    if isinstance(network, BlendNetwork):
        members = zip(network.weights.tolist(), network.spec.members, strict=True)
        rows = [*rows, *(("weight", f"{weight:.2f}  {member}") for weight, member in members)]
    seconds = [measured["seconds"] for measured in model.history if "seconds" in measured]
    per_epoch = f", {sum(seconds) / len(seconds):.3f} s per epoch" if seconds else ""
    rows = [*rows, ("time", f"{model.metadata['seconds']:.1f} s{per_epoch}")]
    peak = memory.peak()
    if peak is not None:
        rows.append(("memory", f"{peak / 2**20:,.0f} MiB at its peak"))
    rows += [("saved", out), ("repeat", model.notes["command"])]
    display.line()
    display.pairs(rows)


def shown_name(model: "Recommender") -> str:
    """Return the name of the model as users type it."""
    return typed_name(model.spec.name())


def _kept(model: "Recommender") -> tuple[int, Mapping[str, float]] | None:
    """Return the selected epoch and its metrics; None if there is none."""
    best = model.history.best
    return None if best is None else (best.epoch, model.history[best.epoch - 1])
