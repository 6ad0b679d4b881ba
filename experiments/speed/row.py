"""Measurement of one row of the benchmark: a model on a shape, a device and a precision."""

import contextlib
import dataclasses
import statistics
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import fits
import numpy as np
import roofline
import shapes
import torch
from timing import EnoughError, Laps, after_updates, peak_mib

from recsys_ae import Interactions, Recommender, Run
from recsys_ae.models import spec_class
from recsys_ae.nn.model import PAPER, Spec
from recsys_ae.nn.runtime import free_memory
from recsys_ae.nn.training.model import TrainableSpec
from recsys_ae.spec.text import read

WIDTH, BATCH = 200, 500  # of the products whose rate is measured, for models without width or batch size


@dataclass(frozen=True)
class Row:
    """Identity and limits of a row; ``model`` is a name, with settings after a colon, separated by commas."""

    shape: str
    model: str
    device: str
    precision: str
    file: str
    seconds: float
    threads: int | None = None
    data_dir: str | None = None

    @property
    def spec(self) -> Spec:
        """Hyper-parameters of the model."""
        name, _, settings = self.model.partition(":")
        cls = spec_class(name)
        return read(cls, settings.replace(",", " "), cls.presets.get(PAPER))

    @property
    def run(self) -> Run:
        """Run settings of the fits."""
        precision: Any = "bf16" if self.precision == "bf16" else "fp32"
        return Run(seed=fits.SEED, device=self.device, precision=precision, threads=self.threads)


def measure(row: Row, quantity: str) -> dict[str, Any]:
    """Measure the ``times`` of a row, the ``memory`` of its fit or of its ``yardstick``, or its ``profile``."""
    torch.set_num_threads(row.threads or torch.get_num_threads())
    torch.set_float32_matmul_precision("high" if row.precision == "tf32" else "highest")
    if row.run.torch_device.type == "cpu":
        _refuse_more_than(free_memory(row.run.torch_device))
    data = shapes.load(Path(row.file))
    measures = {"times": _times, "memory": _memory, "yardstick": _yardstick_memory, "profile": _profile}
    return measures[quantity](row, data)


def _refuse_more_than(free: int | None) -> None:
    """Make an allocation beyond the free memory fail, before the system kills a process."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415  not on every system

        if free is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (free, free))


def _memory(row: Row, data: shapes.Data) -> dict[str, Any]:
    """Fit to all rows until the peak of memory: for three updates, one iteration, or a complete closed form."""
    loaded, spec = peak_mib(), row.spec
    enough = after_updates(3 if isinstance(spec, TrainableSpec) else 1)
    with contextlib.suppress(EnoughError):
        Recommender(spec).fit(data.train, run=dataclasses.replace(row.run, progress=enough))
    return {"loaded_mib": loaded, **_peak(row)}


def _yardstick_memory(row: Row, data: shapes.Data) -> dict[str, Any]:
    yardstick = fits.yardstick(row.spec, data.train.matrix, row.run.torch_device)
    if yardstick is None:
        return {}
    for rows in np.array_split(np.arange(3 * yardstick.batch_size) % data.train.shape[0], 3):
        yardstick.update(rows)
    return _peak(row)


def _peak(row: Row) -> dict[str, float]:
    device, held = row.run.torch_device, {"peak_mib": peak_mib()}
    if device.type == "cuda":
        held["device_peak_mib"] = torch.cuda.max_memory_allocated(device) / 2**20
    return held


def _times(row: Row, data: shapes.Data) -> dict[str, Any]:
    import lists  # noqa: PLC0415  its imports must not count as memory of a fit

    spec, train, run = row.spec, data.train, row.run
    rows = roofline.Rows(train.shape[0], train.shape[1], train.nnz / train.shape[0])
    batch = getattr(spec, "batch_size", BATCH)
    least = roofline.work(spec, rows, _distinct(train, batch))
    width = least.width if least else 0
    # A closed form has its own precision.
    precision = "fp64" if getattr(spec, "dtype", "") == "float64" else row.precision
    rate = partial(roofline.rates, run.torch_device, precision, batch, width or WIDTH, rows.width, row.seconds / 40)
    rates = rate()
    measured: dict[str, Any] = {"source": data.source, "users": rows.n, "items": rows.width, "rates": rates}
    measured |= {"interactions": train.nnz, "threads": torch.get_num_threads(), "spec": repr(spec)}
    bound = least.bound(rates) if least else 0.0
    if isinstance(spec, TrainableSpec):
        model, timings = fits.by_gradient(spec, train, run, row.seconds)
    elif not hasattr(spec, "iterations") and bound > fits.PATIENCE * row.seconds:
        least_budget = f"--seconds {bound / fits.PATIENCE:,.0f} or more"
        return {**measured, "refused": f"takes {bound:,.0f} s at least; to start it, set {least_budget}"}
    else:
        model, timings = fits.whole(spec, train, run, row.seconds)
    measured |= timings
    # The rates before and after the fit, the better of both: other work on the machine only makes them slower.
    rates |= {name: max(rates[name], again) for name, again in rate().items()}
    if least:
        seconds = timings.get("seconds_per_epoch", timings["fit_seconds"])
        measured["bound"] = roofline.as_dict(least, rates, seconds)
    measured["top_n"] = lists.top_n(model, data, run, row.seconds, width)
    if width:
        reached = 2 * width * rows.width * measured["top_n"]["users_per_second"]
        measured["top_n"]["fraction"] = reached / rates["gemm"]
    measured["evaluation"] = lists.evaluation(model, data, run, measured["top_n"]["users"])
    return measured


def _distinct(train: Interactions, batch: int) -> int:
    """Return the number of different columns in a batch of rows, the median of five batches."""
    batches = (fits.sample(train, batch, seed).matrix.indices for seed in range(5))
    return int(statistics.median(len(np.unique(columns)) for columns in batches))


def _profile(row: Row, data: shapes.Data) -> dict[str, Any]:
    """Return the 15 slowest operations of a pass of four updates, after a pass that warms up."""
    from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415  slow to import

    spec, cuda = row.spec, row.run.torch_device.type == "cuda"
    if not isinstance(spec, TrainableSpec):
        return {"profile": f"{spec.name()} has no updates"}
    profiler = profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])])
    turns = iter((profiler.start, profiler.stop))

    def turn() -> None:
        next(turns)()

    laps = Laps(row.run.torch_device, between=turn)
    fits.passes(spec, 2, fits.sample(data.train, 4 * spec.batch_size), row.run, laps)
    key = "self_device_time_total" if cuda else "self_cpu_time_total"
    return {"profile": profiler.key_averages().table(sort_by=key, row_limit=15, max_name_column_width=40)}
