"""Machines with a GPU on which the same tests run: the pretended one, and a real one where there is one."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from recsys_ae.features import models as autoencoders
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.model import Identity
from recsys_ae.nn.runtime import Precision, Run
from recsys_ae.nn.training.trainable import TrainingSpec
from recsys_ae.testing.resuming import Interrupter
from tests.pretended.machine import pretended_gpu
from tests.pretended.record import Record

CHANGES = ("recurrent", "convolutional", "masked")
"""Models whose fits add floats in an order that changes from run to run, as `Run` says, unless they are deterministic.

So do all with ``sampled_items``.
"""

CHANGES_LARGE = ("bspm", "edlae")
"""Models whose fits do so on large data only; `edlae` does with a low rank."""

CHANGES_SCORES = ("item_knn", "content_knn")
"""Models whose scores are added in an order that changes."""


@dataclass(frozen=True)
class Machine:
    """A machine with a GPU, and the bytes of its memory in the tests of too little memory."""

    is_real: bool
    memory: int

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Record]:
        """Use the machine inside the context; the record of a real one is empty."""
        if not self.is_real:
            with pretended_gpu() as record:
                yield record
            return
        yield Record()
        torch.cuda.empty_cache()

    @contextlib.contextmanager
    def little_memory(self, record: Record) -> Iterator[None]:
        """Let the GPU have only ``memory`` bytes more than are in use."""
        if not self.is_real:
            record.largest = self.memory
            yield
            record.largest = None
            return
        torch.cuda.empty_cache()
        limit = torch.cuda.memory_reserved() + self.memory
        torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)


PRETENDED, REAL = Machine(False, 2**18), Machine(True, 2**26)
_REAL = pytest.param(REAL, id="gpu", marks=pytest.mark.gpu)
on_every_machine = pytest.mark.parametrize("machine", [pytest.param(PRETENDED, id="pretended"), _REAL])
on_every_machine_nightly = pytest.mark.parametrize(
    "machine", [pytest.param(PRETENDED, id="pretended", marks=pytest.mark.nightly), _REAL]
)
"""The pretended machine runs these tests at night only; a real one is faster."""


def run_on_gpu(spec: Identity, precision: Precision = "auto") -> Run:
    """Return run settings by which two fits on a GPU are equal to the bit."""
    changes = spec.name() in CHANGES or bool(getattr(spec, "sampled_items", None))
    return Run(device="cuda", precision=precision, deterministic=changes)


def trained_features() -> list[str]:
    """Return the autoencoders of features that are trained step by step."""
    from recsys_ae.features.nn.contract import TrainableFeatureSpec

    names = autoencoders.names()
    return [name for name in names if issubclass(autoencoders.spec_class(name), TrainableFeatureSpec)]


def check_resumed(fitted: Callable[..., Any], model: Any, precision: Precision, folder: Path) -> None:
    """Interrupt the fit of a model and go on, to the same weights; models that are not trained in epochs do not.

    ``fitted`` returns the fitted model of a spec, with a precision or run settings, and a checkpoint.
    """
    if not isinstance(model.spec, TrainingSpec):
        return
    checkpoint = Checkpoint(path=folder, minutes=0)
    run = dataclasses.replace(run_on_gpu(model.spec, precision), progress=Interrupter(2))
    with pytest.raises(KeyboardInterrupt):
        fitted(model.spec, run=run, checkpoint=checkpoint)
    resumed = fitted(model.spec, precision, checkpoint=checkpoint)
    for key, tensor in model.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[key].cpu(), tensor.cpu()), key
