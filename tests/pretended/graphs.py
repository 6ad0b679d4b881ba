"""CUDA graphs of the pretended GPU: a stand-in for ``torch.cuda.make_graphed_callables`` that keeps its contract."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from tests.pretended.record import DeviceFaultError, Record
from tests.pretended.tensors import OnGpu

FORBIDDEN = "wait", "copy", "draw"
"""Events that end a capture: what depends on the CPU or on its memory cannot be repeated without it."""


class Capture:
    """A captured function: fixed memory for its inputs, outputs and gradients, and the addresses of the weights."""

    def __init__(self, record: Record, module: nn.Module, samples: tuple[OnGpu, ...], *, unused: bool) -> None:
        self.record, self.function, self.samples, self.unused = record, module.forward, samples, unused
        self.weights = tuple(module.parameters())
        self.surface = (*samples, *self.weights)
        self.autocast = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
        self.places = self._places()
        before = [record.count(kind) for kind in FORBIDDEN]
        with self._running():
            outputs = self.function(*samples)
            if not isinstance(outputs, tuple):
                raise DeviceFaultError("a part must return a tuple")
            self.outputs = tuple(output.detach().clone() for output in outputs)
            self.slopes = [torch.empty_like(output) if output.requires_grad else None for output in outputs]
            self.latest = outputs
            self.gradients = [None if one is None else one.clone() for one in self._gradients()]
        if [record.count(kind) for kind in FORBIDDEN] != before:
            raise RuntimeError("operation not permitted when stream is capturing\nand further lines")

    def replay(self, inputs: tuple[OnGpu, ...]) -> tuple[torch.Tensor, ...]:
        """Copy the inputs, compute, and overwrite the outputs."""
        for sample, given in zip(self.samples, inputs, strict=True):
            if (sample.shape, sample.dtype) != (given.shape, given.dtype):
                raise DeviceFaultError("a replay with inputs of other shapes or dtypes than the capture")
            sample.numbers.copy_(given.numbers)
        with self._running():
            self.latest = self.function(*self.samples)
        for static, output in zip(self.outputs, self.latest, strict=True):
            static.numbers.copy_(output.numbers.detach())
        return tuple(static.detach() for static in self.outputs)

    def replay_backward(self, slopes: tuple[OnGpu, ...]) -> tuple[torch.Tensor | None, ...]:
        """Overwrite the gradients with those of the latest replay."""
        for static, given in zip(self.slopes, slopes, strict=True):
            if static is not None:
                static.numbers.copy_(given.numbers)
        with self._running():
            found = self._gradients()
        for gradient, new in zip(self.gradients, found, strict=True):
            if gradient is not None:
                gradient.numbers.copy_(new.numbers)
        return tuple(None if gradient is None else gradient.detach() for gradient in self.gradients)

    def _gradients(self) -> list[OnGpu | None]:
        trained = [one for one in self.surface if one.requires_grad]
        outputs = [output for output in self.latest if output.requires_grad]
        slopes = [slope for slope in self.slopes if slope is not None]
        found = iter(torch.autograd.grad(outputs, trained, slopes, allow_unused=self.unused))
        return [next(found) if one.requires_grad else None for one in self.surface]

    def _places(self) -> list[int]:
        return [weight.data_ptr() for weight in self.weights]

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Run the kernels as they were captured, in one launch."""
        if self._places() != self.places:
            raise DeviceFaultError("a replay reads weights where they are no longer")
        mixed, dtype = self.autocast
        with (
            self.record.one_launch(),
            torch.enable_grad(),
            torch.autocast("cuda", dtype=dtype, enabled=mixed, cache_enabled=False),
        ):
            yield


def graphed(record: Record) -> Any:
    """Return the stand-in."""

    def make_graphed_callables(
        module: nn.Module, samples: tuple[OnGpu, ...], num_warmup_iters: int = 3, allow_unused_input: bool = False
    ) -> nn.Module:
        if torch.is_autocast_enabled("cuda") and torch.is_autocast_cache_enabled():
            raise RuntimeError("make_graphed_callables does not support the autocast caching")
        capture = Capture(record, module, samples, unused=allow_unused_input)
        record.graphs += 1

        class Graphed(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *inputs: OnGpu) -> tuple[torch.Tensor, ...]:
                return capture.replay(inputs[: len(samples)])

            @staticmethod
            def backward(ctx: Any, *slopes: OnGpu) -> tuple[torch.Tensor | None, ...]:
                return capture.replay_backward(slopes)

        def forward(*inputs: torch.Tensor) -> Any:
            return Graphed.apply(*inputs, *capture.weights)  # type: ignore[no-untyped-call]

        module.forward = forward  # type: ignore[method-assign]
        return module

    return make_graphed_callables
