"""Top-N lists as arrays and as tables."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_ae.data.interactions import Ids


class Recommendations(NamedTuple):
    """Top-N lists, best item first.

    Attributes
    ----------
    items
        ``(n, k)`` int64 positions: first those of the model's items, then those of ``cold_items``; −1 if no item is
        left to recommend.
    scores
        ``(n, k)`` float32; −inf if there is no item.
    """

    items: np.ndarray
    scores: np.ndarray


def to_frame(recommendations: Recommendations, items: Ids, rows: Ids, row: str) -> pd.DataFrame:
    """Return top-N lists as a table ``row, rank, item, score`` with raw ids, without empty positions."""
    n, k = recommendations.items.shape
    filled = (recommendations.items >= 0).ravel()
    columns = {
        row: rows.repeat(k)[filled],
        "rank": np.tile(np.arange(1, k + 1), n)[filled],
        "item": items[recommendations.items.ravel()[filled]],
        "score": recommendations.scores.ravel()[filled],
    }
    return pd.DataFrame(columns)
