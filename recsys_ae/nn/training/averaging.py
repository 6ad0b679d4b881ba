"""Exponential moving average (EMA) of weights, in which the noise of single updates cancels out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class RunningAverage:
    """Exponential moving average of a network's weights over its updates (Polyak & Juditsky 1992).

    A ``decay`` of 0 turns it off. Early on, when there is little to average, the decay is smaller:
    min(decay, (1 + t) / (10 + t)) at update t.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights: list[Tensor] = list(network.parameters()) if decay else []
        self.averages: list[Tensor] = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def update(self, n_updates: int) -> None:
        """Add the weights after update number ``n_updates``, counted from 1, to the average."""
        if self.weights:
            share = 1 - min(self.decay, (1 + n_updates) / (10 + n_updates))
            torch._foreach_lerp_(self.averages, self.weights, share)

    def exchange(self) -> None:
        """Swap the network's weights with the average; a second call swaps them back."""
        for position, weight in enumerate(self.weights):
            weight.data, self.averages[position] = self.averages[position], weight.data

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Use the average as the network's weights inside the context."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()
