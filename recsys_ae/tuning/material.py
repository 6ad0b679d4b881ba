"""Data of a search."""

from dataclasses import dataclass

from recsys_ae.data.splits.split import Split
from recsys_ae.features.data.features import Features
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run


@dataclass(frozen=True)
class Material:
    """Data of a search: the split, the item features, the metric and the run settings of all trials."""

    split: Split
    item_features: Features | None
    metric: str
    run: Run

    @property
    def shape(self) -> Shape:
        """Size of the training data."""
        width = 0 if self.item_features is None else self.item_features.width
        return Shape(*self.split.train.shape, width)
