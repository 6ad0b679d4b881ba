"""The circumstances of a run: they change how fast and where, never which model it is."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from recsys_ae.errors import Argument, ConfigError
from recsys_ae.nn.threads import cpu_threads
from recsys_ae.tracking.tracker import NoTracker, Tracker

Precision: TypeAlias = Literal["auto", "fp32", "tf32", "bf16", "fp16"]
_DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Progress:
    """How far training is: rows of the running epoch, and the numbers of the last finished one."""

    epoch: int
    epochs: int
    rows: int
    n_rows: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where and how a model is fitted.

    Attributes
    ----------
    seed
        Same seed, same device, same number of threads: the same model, to the bit.
    device
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, …
    precision
        ``auto`` is bf16 on a GPU that has it and fp32 elsewhere. Weights stay fp32. ``tf32`` is fp32 whose products a
        GPU rounds to 10 bits of mantissa; on a CPU it is fp32.
    threads
        CPU threads while fitting; None leaves the setting alone. A process forked after this module was imported
        uses one: PyTorch's threads do not survive a fork.
    tracker, progress
        Told of every epoch, and of every batch.
    """

    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    threads: int | None = None
    tracker: Tracker = dataclasses.field(default_factory=NoTracker)
    progress: Callable[[Progress], None] | None = None

    def __post_init__(self) -> None:
        if self.precision not in ("auto", *_DTYPES):
            raise ConfigError(Argument("precision", self.precision), f" is not one of auto, {', '.join(_DTYPES)}")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(Argument("threads", self.threads), " must be at least 1")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(Argument("seed", self.seed), " must lie between 0 and 2^63 - 1")

    @property
    def torch_device(self) -> torch.device:
        """The device that is meant."""
        return resolve(self.device)

    @property
    def dtype(self) -> torch.dtype:
        """The type that matrix products are computed in."""
        if self.precision != "auto":
            return _DTYPES[self.precision]
        fast = self.torch_device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if fast else torch.float32

    def autocast(self) -> AbstractContextManager[object]:
        """Return a context in which matrix products run in `dtype`."""
        if self.dtype is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.torch_device.type, dtype=self.dtype)

    @contextlib.contextmanager
    def settings(self) -> Iterator[None]:
        """Have its threads, its seed and the rounding of fp32 products inside the context."""
        before = torch.get_float32_matmul_precision()
        if self.precision == "tf32" and self.torch_device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        try:
            with cpu_threads(self.threads), seeded(self.seed):
                yield
        finally:
            torch.set_float32_matmul_precision(before)

    def generator(self) -> torch.Generator:
        """Return a fresh source of randomness on the device."""
        return torch.Generator(self.torch_device).manual_seed(self.seed)


def free_memory(device: torch.device) -> int | None:
    """Return how many bytes may still be claimed on a device; None where that cannot be told."""
    if device.type == "cuda":
        # What PyTorch has claimed and does not use is there for whoever asks PyTorch.
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    free = []
    with contextlib.suppress(OSError, ValueError, KeyError):
        free.append(_table(Path("/proc/meminfo"))["MemAvailable:"] * 1024)
    with contextlib.suppress(OSError, ValueError, KeyError):  # a container may be allowed less; "max" is no number
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        # What files were read stays in memory as long as nobody needs the room.
        free.append(limit - used + _table(group / "memory.stat")["inactive_file"])
    return min(free, default=None)


def _table(path: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    lines = path.read_text(encoding="ascii").splitlines()
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) > 1}


def resolve(device: str) -> torch.device:
    """Turn a device's name into the device, and refuse one that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    wanted = None
    with contextlib.suppress(RuntimeError):
        wanted = torch.device(device)
    if wanted is None or wanted.type not in ("cpu", "cuda"):
        raise ConfigError(Argument("device", device), " is not supported; use auto, cpu, cuda or cuda:N")
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            Argument("device", device), f", but PyTorch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    return wanted


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch's CPU generator inside the context and give it back untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
