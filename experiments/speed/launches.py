"""Launches of kernels, and waits of the CPU for a GPU, in an update: counted by PyTorch's profiler."""

import re
from collections import Counter
from typing import Any

import fits
from timing import Laps

from recsys_ae import Interactions, Run
from recsys_ae.nn.training.model import TrainableSpec

KINDS = {
    "launches": re.compile(r"cu(da)?LaunchKernel|cudaGraphLaunch"),
    "waits": re.compile(r"cuda(Stream|Device|Event)Synchronize$|cudaMemcpy$"),
    "operations": re.compile(r"aten::"),
}
"""Names of events of each kind; without a GPU there are operations only."""
UPDATES = 2, 6
"""Numbers of updates of two passes; their difference has no share of the beginning and the end of a pass."""


def per_update(spec: TrainableSpec, train: Interactions, run: Run) -> dict[str, float]:
    """Return how many events of each kind an update has, as the difference of two passes over the number of updates."""
    few, many = UPDATES
    if train.shape[0] < many * spec.batch_size:
        return {}
    counts = [_counted(spec, fits.sample(train, n * spec.batch_size), run) for n in UPDATES]
    kinds = KINDS if run.torch_device.type == "cuda" else ["operations"]
    return {kind: round((counts[1][kind] - counts[0][kind]) / (many - few), 2) for kind in kinds}


def _counted(spec: TrainableSpec, train: Interactions, run: Run) -> Counter[str]:
    """Return the number of events of the second of two passes; the first one warms up."""
    from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415  slow to import

    cuda = run.torch_device.type == "cuda"
    profiler: Any = profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])])
    turns = iter((profiler.start, profiler.stop))

    def turn() -> None:
        next(turns)()

    fits.passes(spec, 2, train, run, Laps(run.torch_device, between=turn))
    counts: Counter[str] = Counter()
    for event in profiler.events():
        counts.update(kind for kind, names in KINDS.items() if names.match(event.name))
    return counts
