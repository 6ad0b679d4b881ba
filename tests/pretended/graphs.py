"""CUDA graphs of the pretended GPU: a stand-in for ``torch.cuda.make_graphed_callables`` that keeps its contract."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tests.pretended.record import DeviceFaultError, Record
from tests.pretended.tensors import OnGpu

FORBIDDEN = "wait", "copy", "draw"
"""Events that end a capture: what depends on the CPU or on its memory cannot be repeated without it."""


class Capture:
    """A captured function, and fixed memory for its inputs, outputs and gradients."""

    def __init__(self, record: Record, function: Any, samples: tuple[OnGpu, ...], *, unused: bool) -> None:
        if not all(isinstance(sample, OnGpu) and sample.is_leaf for sample in samples):
            raise DeviceFaultError("a capture needs leaf tensors of the GPU")
        self.record, self.function, self.samples, self.unused = record, function, samples, unused
        self.autocast = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
        before = [record.count(kind) for kind in FORBIDDEN]
        with self._running():
            self.latest = function(*samples)
            self.outputs = tuple(output.detach().clone() for output in self.latest)
            self.slopes = [torch.empty_like(output) if output.requires_grad else None for output in self.latest]
            self.gradients = [None if one is None else one.clone() for one in self._gradients()]
        if [record.count(kind) for kind in FORBIDDEN] != before:
            raise RuntimeError("operation not permitted when stream is capturing\nand further lines")

    def replay(self, *inputs: OnGpu) -> tuple[torch.Tensor, ...]:
        """Copy the inputs that lie elsewhere, compute, and overwrite the outputs."""
        for sample, given in zip(self.samples, inputs, strict=True):
            if (sample.shape, sample.dtype) != (given.shape, given.dtype):
                raise DeviceFaultError("a replay with inputs of other shapes or dtypes than the capture")
            if sample.data_ptr() != given.data_ptr():
                sample.numbers.copy_(given.numbers)
                self.record.launched()
        with self._running():
            self.latest = self.function(*self.samples)
        for static, output in zip(self.outputs, self.latest, strict=True):
            static.numbers.copy_(output.numbers.detach())
        return tuple(static.detach() for static in self.outputs)

    def replay_backward(self, *slopes: OnGpu) -> tuple[torch.Tensor | None, ...]:
        """Overwrite the gradients with those of the latest replay."""
        for static, given in zip(self.slopes, slopes, strict=True):
            if static is not None:
                static.numbers.copy_(given.numbers)
                self.record.launched()
        with self._running():
            found = self._gradients()
        for gradient, new in zip(self.gradients, found, strict=True):
            if gradient is not None and new is not None:
                gradient.numbers.copy_(new.numbers)
        return tuple(None if gradient is None else gradient.detach() for gradient in self.gradients)

    def _gradients(self) -> list[OnGpu | None]:
        trained = [sample for sample in self.samples if sample.requires_grad]
        outputs = [output for output in self.latest if output.requires_grad]
        slopes = [slope for slope in self.slopes if slope is not None]
        found: Iterator[Any] = iter(torch.autograd.grad(outputs, trained, slopes, allow_unused=self.unused))
        return [next(found) if sample.requires_grad else None for sample in self.samples]

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Run the kernels as they were captured, in one launch."""
        mixed, dtype = self.autocast
        cast = torch.autocast("cuda", dtype=dtype, enabled=mixed, cache_enabled=False)
        with self.record.one_launch(), torch.enable_grad(), cast:
            yield


def graphed(record: Record) -> Callable[..., Any]:
    """Return the stand-in."""

    def make_graphed_callables(
        function: Any, samples: tuple[OnGpu, ...], num_warmup_iters: int = 3, allow_unused_input: bool = False
    ) -> Any:
        if torch.is_autocast_enabled("cuda") and torch.is_autocast_cache_enabled():
            raise RuntimeError("make_graphed_callables does not support the autocast caching")
        capture = Capture(record, function, samples, unused=allow_unused_input)
        record.graphs += 1

        class Graphed(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *inputs: Any) -> tuple[torch.Tensor, ...]:
                return capture.replay(*inputs)

            @staticmethod
            def backward(ctx: Any, *slopes: Any) -> tuple[torch.Tensor | None, ...]:
                return capture.replay_backward(*slopes)

        return Graphed.apply

    return make_graphed_callables
