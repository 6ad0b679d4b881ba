"""Linear output layer with one row of weights per item."""

from abc import abstractmethod

from torch import Tensor

from recsys_ae.nn.layers import affine_with_bias, columns, with_bias
from recsys_ae.nn.model import ALL, Model
from recsys_ae.nn.rows import Rows


class LinearHead(Model):
    """Model whose scores are V h + b, with a row of V and b per item, and h computed from the code.

    A subclass defines `head` and `hidden`; scores, weights of cold items and item vectors follow.
    """

    @abstractmethod
    def head(self) -> tuple[Tensor, Tensor | None]:
        """Return V, ``(n_items, d)``, and b, ``(n_items,)``, or None if the model has no b."""

    def hidden(self, z: Tensor) -> Tensor:
        """Return h, ``(n, d)``, of codes; by default the codes."""
        return z

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        """Return V h + b for the items of the slice."""
        weight, bias = self.head()
        return columns(weight, bias, self.hidden(z), items)

    def item_weights(self) -> Tensor:
        """Return V and b side by side, ``(n_items, d + 1)``, or only V."""
        weight, bias = self.head()
        return weight if bias is None else with_bias(weight, bias)

    def score_new(self, x: Rows, z: Tensor, weights: Tensor) -> Tensor:
        """Return V h + b of cold items with these weights."""
        if self.head()[1] is None:
            return self.hidden(z) @ weights.T
        return affine_with_bias(self.hidden(z), weights)

    def item_vectors(self) -> Tensor:
        """Return V, ``(n_items, d)``."""
        return self.head()[0]
