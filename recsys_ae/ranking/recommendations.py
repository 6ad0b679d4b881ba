"""Lists of items, as arrays and as tables."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_ae.data.interactions import Ids


class Recommendations(NamedTuple):
    """Lists of items, best first.

    Attributes
    ----------
    items
        ``(n, k)`` int64 positions in the model's items, and behind them in those of ``cold_items``; −1 where nothing is
        left to recommend.
    scores
        ``(n, k)`` float32; −inf where there is no item.
    """

    items: np.ndarray
    scores: np.ndarray


def to_frame(found: Recommendations, items: Ids, rows: Ids, row: str) -> pd.DataFrame:
    """Turn lists into a table ``row, rank, item, score`` with raw ids, without the places that stayed empty."""
    n, k = found.items.shape
    filled = (found.items >= 0).ravel()
    columns = {
        row: rows.repeat(k)[filled],
        "rank": np.tile(np.arange(1, k + 1), n)[filled],
        "item": items[found.items.ravel()[filled]],
        "score": found.scores.ravel()[filled],
    }
    return pd.DataFrame(columns)
