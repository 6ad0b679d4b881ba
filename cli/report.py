"""What `fit` tells about the data, the split and the outcome."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import memory
from .display import Display
from .model_commands import typed_name

if TYPE_CHECKING:
    from recsys_ae.data.prepared import Prepared
    from recsys_ae.data.splits.split import Split
    from recsys_ae.nn.runtime import Run
    from recsys_ae.recommender.recommender import Recommender


def show_data(display: Display, prepared: "Prepared", split: "Split") -> None:
    """Print what each step left of the data, and the parts of the split."""
    from recsys_ae.data.prepared import has_ratings  # noqa: PLC0415

    data, recipe = prepared.data, prepared.recipe
    steps = data.steps
    rows: list[Sequence[Any]] = [(f"read from {recipe.title}", *(steps[0].before if steps else data.counts))]
    rows += [(step.name, *step.after) for step in steps]
    display.table(("data", ">interactions", ">users", ">items"), rows)
    if recipe.threshold is None:
        what = "all ratings keep their values" if has_ratings(data, recipe) else "every interaction counts as 1"
        display.line(f"No rating threshold: {what}.")
    display.line()
    rows = [("train", split.train.shape[0], split.train.nnz, "")]
    for name, part in (("validation", split.valid), ("test (not used)", split.test)):
        if part is not None:
            rows.append((name, len(part.users), part.histories.nnz, part.targets.nnz))
    display.table((f"{recipe.split_kind} split", ">users", ">history", ">targets"), rows)
    unknown = sum(part.unknown for part in (split.valid, split.test) if part is not None)
    if unknown:
        display.line(f"{unknown:,} targets are skipped, because their items have no training interactions.")
    restored = 0 if split.test is None else prepared.restored(split.test)
    if restored:
        display.line(f"{restored:,} test users keep their histories, although the filters remove them from training.")
    display.line(f"Split fingerprint {split.fingerprint}")


def show_memory(display: Display, parts: Mapping[str, int], run: "Run", *, whole: bool) -> None:
    """Print how much memory a fit needs at least, by what it is for if the whole is asked for, and how much is free."""
    from recsys_ae.nn.runtime import free_memory  # noqa: PLC0415

    free = free_memory(run.torch_device)
    available = "" if free is None else f"; {free / 2**20:,.0f} MiB are free"
    display.line(f"\nMemory: the fit needs {sum(parts.values()) / 2**20:,.0f} MiB{available}")
    if whole and parts:
        display.table(("purpose", ">MiB"), [(what, f"{size / 2**20:,.1f}") for what, size in parts.items()])


def show_fit(display: Display, model: "Recommender", out: Path) -> None:
    """Print how well, how fast and in how much memory a model was fitted, where it is, and what to do next."""
    from recsys_ae.models.blend import BlendNetwork  # noqa: PLC0415

    rows: list[tuple[str, Any]] = []
    kept = _kept(model)
    if kept is not None:
        epoch, measured = kept
        numbers = [f"{name[6:]:<9} {value:.4f}" for name, value in measured.items() if name.startswith("valid/")]
        rows += [("" if place else "validation", number) for place, number in enumerate(numbers)]
        if "seconds" in measured:
            rows.append(("selected", f"epoch {epoch} of {len(model.history)}"))
    network = model.network
    if isinstance(network, BlendNetwork):
        parts = zip(network.weights.tolist(), network.spec.members, strict=True)
        rows += [("weight", f"{weight:.2f}  {member}") for weight, member in parts]
    seconds = [measured["seconds"] for measured in model.history if "seconds" in measured]
    each = f", {sum(seconds) / len(seconds):.3f} s per epoch" if seconds else ""
    rows.append(("time", f"{model.metadata['seconds']:.1f} s{each}"))
    peak = memory.peak()
    if peak is not None:
        rows.append(("memory", f"{peak / 2**20:,.0f} MiB at its peak"))
    rows.append(("saved", out))
    rows.append(("repeat", model.notes["command"]))
    display.line()
    display.pairs(rows)
    display.line("\nNext:")
    folder = shlex.quote(str(out))
    display.line(f"  recsys-ae evaluate {folder}")
    display.line(f"  recsys-ae recommend {folder} --out top10.csv")


def shown_name(model: "Recommender") -> str:
    """Return the model's name as it is typed."""
    return typed_name(model.spec.name())


def _kept(model: "Recommender") -> tuple[int, Mapping[str, float]] | None:
    """Return the epoch whose weights were kept and what was measured in it."""
    best = model.history.best
    return None if best is None else (best.epoch, model.history[best.epoch - 1])
