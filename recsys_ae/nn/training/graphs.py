"""CUDA graphs of the parts of a loss that have the same shapes for each batch: one launch instead of many.

With small batches a GPU waits for launches. The sparse input of each batch has another size, but what follows it has
not: hidden layers, the sample of a code, its KL term.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

Part: TypeAlias = Callable[..., tuple[Tensor, ...]]

SMALL = 2**22
"""Numbers in the largest input of a part for which a graph is made; of a larger one, kernels take longer than launches.

A GPU reads and writes 16 MiB in about 8 µs, as long as PyTorch takes to launch a kernel.
"""
TOLERANCE = 0.02
"""Largest relative difference, in Euclidean norm, of a replay and the plain form; rounding to bf16 stays far below."""


class Graphs:
    """CUDA graphs of the parts of a network's loss, at most one for each part.

    A graph is made when two batches in a row have the same shapes, and compared with the plain form once. Batches of
    other shapes, such as the last one of an epoch, are computed in the plain form. If a graph cannot be made, or its
    results differ, all batches are, and a warning says so.

    A graph reads weights at the addresses that they had when it was made. Loading weights copies into the same memory,
    and averages that are exchanged for the weights are exchanged back before the next update. A graph is not used if a
    weight lies elsewhere all the same.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._latest: dict[Part, Any] = {}
        self._graphs: dict[Part, _Graph | None] = {}
        self._used: set[Part] = set()

    def begin(self) -> None:
        """Begin a loss. The results of the graphs of the last loss are not needed any more."""
        self._used.clear()

    def run(self, part: Part, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ``part(*inputs)``, as a graph where there is one; see `Step.run`."""
        shapes = _shapes(inputs)
        if part not in self._graphs:
            if self._latest.get(part) == shapes and _is_small(inputs):
                self._graphs[part] = self._made(part, inputs)
            self._latest[part] = shapes
        graph = self._graphs.get(part)
        # A graph has memory for one result. If a loss uses a part twice, the second use is computed in the plain form.
        if graph is None or graph.shapes != shapes or part in self._used:
            return part(*inputs)
        if not graph.is_valid():
            self._give_up(part, "its weights were moved to other memory")
            return part(*inputs)
        self._used.add(part)
        # The log keeps scalars, and the next replay overwrites them.
        return tuple(output.clone() if output.ndim == 0 else output for output in graph.replay(*inputs))

    def _made(self, part: Part, inputs: Sequence[Tensor]) -> "_Graph | None":
        """Return a graph that gives the results of the plain form, or None."""
        device = inputs[0].device.type
        mixed, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
        try:
            # A graph cannot use weights that autocast converted before.
            with torch.autocast(device, dtype=dtype, enabled=mixed, cache_enabled=False):
                graph = _Graph(self.network, part, inputs)
                if graph.agrees_with(part, inputs):
                    return graph
            reason = "its results differ from those without it"
        except (RuntimeError, AssertionError) as error:
            reason = str(error).partition("\n")[0]
        self._give_up(part, reason)
        return None

    def _give_up(self, part: Part, reason: str) -> None:
        self._graphs[part] = None
        warnings.warn(
            f"the training continues without a CUDA graph, which is slower: {reason}", UserWarning, stacklevel=4
        )


class _Graph:
    """A part that was captured for inputs of some shapes."""

    def __init__(self, network: nn.Module, part: Part, inputs: Sequence[Tensor]) -> None:
        self.shapes = _shapes(inputs)
        named = dict(network.named_parameters())
        self.weights = list(named.values())
        self.places = self._places()
        # Zeros, so that a comparison notices if a replay does not read its inputs.
        samples = [torch.zeros_like(one).requires_grad_(one.requires_grad) for one in inputs]
        # The same memory in other tensors: nodes of autograd that add gradients to weights are those of other streams.
        samples += [weight.detach().requires_grad_(weight.requires_grad) for weight in self.weights]
        module, names = _AsModule(network, part), [f"network.{name}" for name in named]

        def captured(*tensors: Tensor) -> tuple[Tensor, ...]:
            weights = dict(zip(names, tensors[len(inputs) :], strict=True))
            results: tuple[Tensor, ...] = torch.func.functional_call(module, weights, tensors[: len(inputs)])
            return results

        graphed = torch.cuda.make_graphed_callables(captured, tuple(samples), allow_unused_input=True)
        self._graphed: Any = graphed

    def replay(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the results for inputs of these shapes, in memory that the next replay overwrites."""
        results: tuple[Tensor, ...] = self._graphed(*inputs, *self.weights)
        return results

    def is_valid(self) -> bool:
        """Return whether all weights lie where the graph reads them, and are trained as when it was made."""
        return self.places == self._places()

    def agrees_with(self, part: Part, inputs: Sequence[Tensor]) -> bool:
        """Compare outputs and gradients of a replay with those of the plain form; waits for the GPU."""
        pairs = zip(self._results(self.replay, inputs), self._results(part, inputs), strict=True)
        return all(
            replayed is plain if replayed is None or plain is None else _is_close(replayed, plain)
            for replayed, plain in pairs
        )

    def _results(self, function: Part, inputs: Sequence[Tensor]) -> list[Tensor | None]:
        """Return copies of the outputs of a function, and the gradients of their weighted sum."""
        leaves = [one.detach().requires_grad_(one.requires_grad) for one in inputs]
        outputs = function(*leaves)
        trained = [one for one in (*leaves, *self.weights) if one.requires_grad]
        differentiable = [output for output in outputs if output.requires_grad]
        slopes = [_slope(one) for one in differentiable]
        gradients = torch.autograd.grad(differentiable, trained, slopes, allow_unused=True)
        return [None if one is None else one.detach().clone() for one in (*outputs, *gradients)]

    def _places(self) -> list[tuple[int, bool]]:
        return [(weight.data_ptr(), weight.requires_grad) for weight in self.weights]


class _AsModule(nn.Module):
    """A part as a module, so that it can be computed with other tensors in place of the network's weights."""

    def __init__(self, network: nn.Module, part: Part) -> None:
        super().__init__()
        self.network, self.part = network, part

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.part(*inputs)


def _shapes(inputs: Sequence[Tensor]) -> list[tuple[torch.Size, torch.dtype, bool]]:
    return [(one.shape, one.dtype, one.requires_grad) for one in inputs]


def _is_small(inputs: Sequence[Tensor]) -> bool:
    return max(one.numel() for one in inputs) <= SMALL


def _slope(output: Tensor) -> Tensor:
    """Return different numbers of the shape of an output, without drawing any."""
    return torch.linspace(0.5, 1, output.numel(), device=output.device).view(output.shape).to(output.dtype)


def _is_close(replayed: Tensor, plain: Tensor) -> bool:
    """Return whether the difference is small; it is not if a number is NaN."""
    difference: Tensor = (replayed.double() - plain.double()).norm()
    return bool(difference <= TOLERANCE * plain.double().norm())
