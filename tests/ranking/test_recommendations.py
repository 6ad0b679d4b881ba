"""Top-N lists as tables."""

import numpy as np
import pandas as pd

from recsys_ae.ranking.recommendations import Recommendations, to_frame

ITEMS = pd.Index(["a", "b", "c", "d"])


def test_a_table_has_one_line_per_recommended_item_best_first() -> None:
    lists = Recommendations(np.array([[2, 0, 3], [1, 3, 0]]), np.array([[3, 2, 1], [9, 8, 7]], np.float32))
    frame = to_frame(lists, ITEMS, pd.Index([70, 50]), "user")
    pd.testing.assert_frame_equal(
        frame,
        pd.DataFrame(
            {
                "user": [70, 70, 70, 50, 50, 50],
                "rank": [1, 2, 3, 1, 2, 3],
                "item": ["c", "a", "d", "b", "d", "a"],
                "score": np.array([3, 2, 1, 9, 8, 7], np.float32),
            }
        ).astype({"item": frame["item"].dtype}),
    )


def test_empty_positions_have_no_line() -> None:
    scores = np.array([[4, -np.inf], [-np.inf, -np.inf], [2, 1]], np.float32)
    frame = to_frame(Recommendations(np.array([[0, -1], [-1, -1], [3, 0]]), scores), ITEMS, pd.Index([7, 8, 9]), "row")
    assert frame.to_dict("list") == {"row": [7, 9, 9], "rank": [1, 1, 2], "item": ["a", "d", "a"], "score": [4, 2, 1]}
    assert to_frame(Recommendations(np.empty((0, 2), int), np.empty((0, 2))), ITEMS, ITEMS[:0], "row").empty
