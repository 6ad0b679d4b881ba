"""Run settings of a fit, which are not hyper-parameters: seed, device, precision, determinism, reports, checkpoints."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.nn.history import History
from recsys_ae.nn.threads import cpu_threads
from recsys_ae.tracking.tracker import NoTracker, Tracker

Precision: TypeAlias = Literal["auto", "fp32", "tf32", "bf16", "fp16"]
_DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Progress:
    """Progress of training: rows done in the current epoch, and metrics of the last complete epoch."""

    epoch: int
    epochs: int
    rows: int
    n_rows: int
    metrics: Mapping[str, float]


class Resumable(Protocol):
    """A training whose state can be saved between two updates."""

    def state(self) -> dict[str, Any]:
        """Return the complete state, as tensors, numbers and texts in dicts and lists."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""

    def result(self) -> dict[str, Any]:
        """Return the weights and the history of the finished training, in the same form."""

    def restore_result(self, state: Mapping[str, Any]) -> None:
        """Take over the result of a finished training."""


class NoCheckpoints:
    """No checkpoints: trainings run from beginning to end, and signals have their usual effect."""

    seconds = 0.0
    """Duration of the fit before it was interrupted."""

    def __enter__(self) -> "NoCheckpoints":
        """Begin a fit."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End a fit."""

    @contextlib.contextmanager
    def training(self, training: Resumable) -> Iterator[bool]:
        """Context of one of the trainings of the fit; yields True if it was finished before the interruption."""
        yield False

    def update_done(self) -> None:
        """Do what waits until an update is complete: write a checkpoint that is due, and obey a signal."""

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a context in which a signal has its effect at once; nothing in it may change the training's state."""
        return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Run:
    """Run settings of a fit.

    Attributes
    ----------
    seed
        Random seed. On a CPU the same seed and number of threads give the same model, bit for bit. So they do on one
        kind of GPU, but for sums of floats in an order that changes. There the last digits may differ: with sampled
        items, in large batches of long histories, in the autoencoders ``recurrent``, ``convolutional`` and ``masked``,
        where interactions have weights that are no whole numbers, in ``bspm`` and low-rank ``edlae``, and in scores of
        closed forms and of ``item_knn`` and ``content_knn``.
    device
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, …
    precision
        Precision of matrix products; weights stay fp32. ``auto`` is bf16 on a GPU that supports it and fp32 elsewhere.
        ``tf32`` is fp32 with products that a GPU rounds to 10 bits of mantissa; on a CPU it is fp32.
    deterministic
        True: fit on a GPU with a fixed order of all sums, so that the same seed gives the same model on the same kind
        of GPU, bit for bit; it is slower. It needs a setting of cuBLAS, which is made for the rest of the process, and
        refused if the process has used the GPU before. A CPU does so anyway. Scores are computed after the fit, so
        they are equal to the bit, too, only inside ``torch.use_deterministic_algorithms``.
    threads
        Number of CPU threads of the fit; None leaves PyTorch's setting. A process forked after this module was imported
        uses one thread, because PyTorch's threads do not survive a fork.
    tracker, progress
        Receivers of the metrics of every epoch, and of the progress after every batch.
    validated
        Receiver of each validation metric of a recommender, for each validation user, ``(n_users,)``: of a list NaN
        without targets, of rmse and mae the error of the user's ratings.
    stop
        Function that gets the history of the complete epochs after every update, and returns True to end the training,
        which then ends as by early stopping. The epoch that is running does not count, unless it is the first one or
        there are no validation users.
    last_epochs
        Last epoch of the training, counted from 1; for a blend one of each member, None for a member without epochs.
        The training ends after it although the model plans more ``epochs``, by which its schedules still go. By default
        all epochs are trained.
    checkpoints
        Checkpoints of the fit; ``fit`` sets them by its argument ``checkpoint``.
    """

    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    deterministic: bool = False
    threads: int | None = None
    tracker: Tracker = dataclasses.field(default_factory=NoTracker)
    progress: Callable[[Progress], None] | None = None
    validated: Callable[[Mapping[str, NDArray[np.float64]]], None] | None = None
    stop: Callable[[History], bool] | None = None
    last_epochs: tuple[int | None, ...] = ()
    checkpoints: NoCheckpoints = dataclasses.field(default_factory=NoCheckpoints)

    def __post_init__(self) -> None:
        if self.precision not in ("auto", *_DTYPES):
            raise ConfigError(Argument("precision", self.precision), f" is not one of auto, {', '.join(_DTYPES)}")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(Argument("threads", self.threads), " must be at least 1")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(Argument("seed", self.seed), " must lie between 0 and 2^63 - 1")
        if any(epoch is not None and epoch < 1 for epoch in self.last_epochs):
            raise ConfigError(Argument("last_epochs", self.last_epochs), " must be at least 1 each")

    def epochs_of(self, planned: int) -> int:
        """Return the number of epochs of a training that plans this many."""
        last = self.last_epochs[0] if self.last_epochs else None
        return planned if last is None else min(planned, last)

    def of_member(self, position: int) -> "Run":
        """Return the run settings of a member of a blend, without the tracker: its epochs are not the blend's."""
        return dataclasses.replace(self, tracker=NoTracker(), last_epochs=self.last_epochs[position : position + 1])

    @cached_property
    def torch_device(self) -> torch.device:
        """PyTorch device that ``device`` names."""
        device = resolve(self.device)
        if self.deterministic and device.type == "cuda":
            from recsys_ae.nn.arithmetic import fix_workspace  # noqa: PLC0415

            fix_workspace()  # before the GPU is asked for anything
        return device

    @cached_property
    def dtype(self) -> torch.dtype:
        """Dtype of matrix products."""
        if self.precision != "auto":
            return _DTYPES[self.precision]
        fast = self.torch_device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if fast else torch.float32

    def autocast(self) -> AbstractContextManager[object]:
        """Return a context in which matrix products run in `dtype`.

        On a GPU the copies of weights in that dtype are not kept, because a CUDA graph cannot keep them. Gradients of a
        weight that a loss uses twice are then added in float32, with and without a graph.
        """
        if self.dtype is torch.float32:
            return nullcontext()
        device = self.torch_device.type
        return torch.autocast(device, dtype=self.dtype, cache_enabled=device == "cpu")

    @contextlib.contextmanager
    def settings(self, model: str = "the model") -> Iterator[None]:
        """Apply threads, seed, rounding and order of sums inside the context; errors name the ``model``."""
        device = self.torch_device
        with contextlib.ExitStack() as stack:
            stack.enter_context(cpu_threads(self.threads))
            stack.enter_context(seeded(self.seed, device))
            if device.type == "cuda":
                from recsys_ae.nn import arithmetic  # noqa: PLC0415

                if self.precision in ("fp32", "tf32"):
                    is_exact = self.precision == "fp32"
                    stack.enter_context(arithmetic.without_tf32() if is_exact else arithmetic.with_tf32())
                if self.deterministic:
                    stack.enter_context(arithmetic.deterministic(model))
            yield

    def generator(self) -> torch.Generator:
        """Return a new random generator on the device, with the seed of the run."""
        return torch.Generator(self.torch_device).manual_seed(self.seed)


def free_memory(device: torch.device) -> int | None:
    """Return the number of bytes that are free on a device; None if it is unknown."""
    if device.type == "cuda":
        # PyTorch reuses memory that it has reserved and does not use.
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    from recsys_ae.storage.free_memory import free_host_memory  # noqa: PLC0415

    return free_host_memory()


def resolve(device: str) -> torch.device:
    """Return the PyTorch device of this name; raise `ConfigError` if it is not available."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    resolved = None
    with contextlib.suppress(RuntimeError):
        resolved = torch.device(device)
    if resolved is None or resolved.type not in ("cpu", "cuda"):
        raise ConfigError(Argument("device", device), " is not supported; use auto, cpu, cuda or cuda:N")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            Argument("device", device), f", but PyTorch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    return resolved


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed PyTorch's generators of the CPU and of a GPU inside the context, and restore their states afterwards."""
    gpus = [] if device is None or device.type != "cuda" else [device]
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            torch.cuda.set_rng_state(torch.Generator(gpu).manual_seed(seed).get_state(), gpu)
        yield


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the state of the generator of the CPU, and of that of ``device``."""
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Set what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
