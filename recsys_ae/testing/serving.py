"""Contract tests of recommendations and scores."""

import numpy as np
import pytest
import torch

from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.nn.rows import Rows
from recsys_ae.testing.blocks import no_histories, unknown_users
from recsys_ae.testing.fits import Fits


class Serving(Fits):
    """Unknown users and empty rows get recommendations, and a row's scores do not depend on other rows."""

    def test_unknown_users_get_every_item_that_they_have_not_seen(self) -> None:
        """No item of the history is recommended, and every score is finite."""
        histories = unknown_users()
        items, scores = self.fitted().recommend(histories, k=40)
        assert items.shape == scores.shape == (6, 32)
        for row, history in enumerate(histories.toarray()):
            listed = items[row][items[row] >= 0]
            assert sorted(listed) == np.flatnonzero(history == 0).tolist()
            assert np.isfinite(scores[row, : len(listed)]).all()

    def test_lists_are_sorted_scores(self) -> None:
        """Recommendations are the sorted scores of `score`."""
        model, histories = self.fitted(), unknown_users()
        items, scores = model.recommend(histories, k=32, exclude_seen=False)
        table = model.score(histories)
        np.testing.assert_allclose(scores, np.take_along_axis(table, items, axis=1), rtol=1e-5, atol=1e-6)
        assert (np.diff(scores, axis=1) <= 0).all()

    def test_an_empty_row_gets_the_order_of_popularity(self) -> None:
        """A user without a history also gets recommendations."""
        counts = self.data().matrix.getnnz(axis=0)
        nobody = no_histories(2)
        items, _ = self.fitted().recommend(nobody, k=32)
        assert (items == np.argsort(-counts, kind="stable")).all()
        assert (self.fitted().score(nobody) == counts).all()

    def test_a_row_alone_is_scored_like_the_row_in_a_batch(self) -> None:
        """Scores do not depend on the other rows or their order."""
        model, histories = self.fitted(), unknown_users()
        together = model.score(histories)
        assert together.dtype == np.float32
        assert together.shape == (6, 32)
        alone = np.vstack([model.score(histories[row]) for row in range(6)])
        np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
        backwards = model.score(histories[::-1])[::-1]
        np.testing.assert_allclose(backwards, together, rtol=1e-5, atol=1e-6)

    def test_scores_are_equal_from_call_to_call(self) -> None:
        """A network in training mode has equal scores."""
        model = self.fitted()
        first = model.score(unknown_users())
        model.recommend(unknown_users(), k=3)
        model.network.train()
        np.testing.assert_array_equal(model.score(unknown_users()), first)

    @pytest.mark.parametrize("n", [1, 3])
    def test_scores_are_the_callers_to_overwrite(self, n: int) -> None:
        """The output of ``decode`` shares no memory with the weights."""
        model, rows = self.fit(), unknown_users()[:n]
        before = model.score(rows)
        network = model.network
        with torch.inference_mode():
            codes = network.encode(Rows.from_matrix(canonical(rows), torch.device("cpu"), np.full(n, -1)))
            network.decode(codes).float().contiguous().fill_(torch.nan)
        np.testing.assert_array_equal(model.score(rows), before)

    def test_no_rows_get_no_lists(self) -> None:
        """An empty batch gives empty arrays."""
        nobody = no_histories(0)
        assert self.fitted().recommend(nobody, k=3).items.shape == (0, 3)
        assert self.fitted().score(nobody).shape == (0, 32)

    @pytest.mark.parametrize("k", [0, -1])
    def test_a_list_of_no_items_is_refused(self, k: int) -> None:
        """A list has at least one item."""
        with pytest.raises(ConfigError, match=f"k = {k} must be at least 1"):
            self.fitted().recommend(unknown_users(), k=k)

    @pytest.mark.parametrize("width", [0, 31, 33])
    def test_histories_of_another_width_are_refused(self, width: int) -> None:
        """Histories have a column for each item of the model."""
        wrong = no_histories(2, width)
        for use in (self.fitted().recommend, self.fitted().score):
            with pytest.raises(DataError, match=f"histories have {width} columns, but the model knows 32 items"):
                use(wrong)
