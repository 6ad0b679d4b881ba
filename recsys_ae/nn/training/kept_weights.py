"""Weights that are kept besides the current ones: a moving average, and those of the best epoch."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from recsys_ae.nn.layers import flatten_recurrent


class RunningAverage:
    """Exponential moving average of a network's weights over its updates (Polyak & Juditsky 1992).

    A ``decay`` of 0 turns it off. Early on, when there is little to average, the decay is smaller:
    min(decay, (1 + t) / (10 + t)) at update t.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay = network, decay
        self.weights: list[Tensor] = list(network.parameters()) if decay else []
        self.averages: list[Tensor] = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def update(self, n_updates: int) -> None:
        """Add the weights after update number ``n_updates``, counted from 1, to the average."""
        if self.weights:
            share = 1 - min(self.decay, (1 + n_updates) / (10 + n_updates))
            torch._foreach_lerp_(self.averages, self.weights, share)

    @torch.no_grad()
    def restore(self, averages: Sequence[Tensor]) -> None:
        """Set the averages, such as those of a checkpoint."""
        for average, stored in zip(self.averages, averages, strict=True):
            average.copy_(stored)

    def exchange(self) -> None:
        """Swap the network's weights with the average; a second call swaps them back."""
        for position, weight in enumerate(self.weights):
            weight.data, self.averages[position] = self.averages[position], weight.data
        flatten_recurrent(self.network)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Use the average as the network's weights inside the context."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()


class BestWeights:
    """Copy of the weights of the best epoch so far, in memory that is allocated once."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.state: dict[str, Tensor] = {}

    def update(self) -> None:
        """Copy the network's current weights."""
        for name, tensor in self.network.state_dict().items():
            if name in self.state:
                self.state[name].copy_(tensor)
            else:
                self.state[name] = tensor.clone()

    def keep(self, state: Mapping[str, Tensor]) -> None:
        """Copy these weights instead, such as those of a checkpoint."""
        own = self.network.state_dict()
        self.state = {name: torch.empty_like(own[name]).copy_(tensor) for name, tensor in state.items()}

    def restore(self) -> None:
        """Load the copied weights into the network, if there are any."""
        if self.state:
            self.network.load_state_dict(self.state)
