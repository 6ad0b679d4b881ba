"""Contract tests of learning and of hyper-parameters."""

import json
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import ConfigError, DataError, UnsupportedError
from recsys_ae.evaluation import evaluate
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import build, describe, flatten
from recsys_ae.testing.blocks import BLOCKS, block_of, unknown_users
from recsys_ae.testing.fits import Fits, fit_to
from recsys_ae.testing.ranges import check_range


class Learning(Fits):
    """A model learns the blocks, fits data of any size, and has documented hyper-parameters with bounds."""

    personal: ClassVar[bool] = True
    """True if different users get different recommendations."""

    def test_every_hyper_parameter_has_a_help_text_and_bounds_that_hold(self) -> None:
        """The command line, the documentation and tuners use them."""
        cls = type(self.spec)
        assert build(cls, json.loads(json.dumps(flatten(self.spec)))) == self.spec
        for hyper in describe(cls):
            assert len(hyper.help) > 10, f"{hyper.name} needs a help text of a few words"
            check_range(hyper, [other.name for other in describe(cls)])
            wrong: list[Any] = [object(), *(bound for bound in _out_of_bounds(hyper.low, hyper.high))]
            for value in wrong:
                with pytest.raises(ConfigError, match=hyper.name):
                    build(cls, {hyper.name: (value,) if isinstance(hyper.default, tuple) else value})
        with pytest.raises(ConfigError, match="has no hyper-parameter 'no_such_name'"):
            build(cls, {"no_such_name": 1})

    def test_learns_the_blocks(self) -> None:
        """The first four recommendations to an unknown user are the other four items of their block."""
        if not self.personal:
            pytest.skip("recommends the same to everybody")
        items, _ = self.fitted().recommend(self.held_out().histories, k=4)
        assert (block_of(self.data())[items] == np.arange(BLOCKS)[:, None]).mean() >= 0.9

    def test_item_vectors_have_a_row_for_each_item(self) -> None:
        """The most similar items are mostly of the same block."""
        if not self.personal:
            pytest.skip("recommends the same to everybody")
        try:
            vectors = self.fitted().network.item_vectors()
        except UnsupportedError:
            pytest.skip("the model has no item vectors")
        assert vectors.ndim == 2
        assert len(vectors) == self.data().shape[1]
        blocks, (items, scores) = block_of(self.data()), self.fitted().similar(np.arange(32), k=7)
        assert (blocks[items] == blocks[:, None]).mean() >= 0.6  # by chance 7 of 31 would be
        assert not (items == np.arange(32)[:, None]).any()
        assert (np.diff(scores, axis=1) <= 0).all()

    def test_the_best_epoch_is_kept(self) -> None:
        """The history has the same value for the selected epoch as an evaluation of the model."""
        model, monitor = self.fitted(), self.spec.monitor
        assert all(np.isfinite(value) for measured in model.history for value in measured.values())
        assert model.history.best is not None
        report = evaluate(model, self.held_out(), [monitor], n_resamples=10)
        assert report.mean[monitor] == pytest.approx(model.history.best.value, abs=1e-12)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1)])
    def test_the_smallest_data_are_enough(self, shape: tuple[int, int]) -> None:
        """A fit to one user or one item works."""
        user, item = (index.ravel() for index in np.indices(shape))
        frame = pd.DataFrame({"user": user, "item": item, "rating": 1 + user + item})
        data = Interactions.from_frame(frame, rating="rating" if self.rated() else None)
        if self.rated() and shape == (1, 1):
            with pytest.raises(DataError, match="all 1 ratings are 1, so there is nothing to predict"):
                fit_to(self.spec, data)
            return
        model = fit_to(self.with_values(epochs=2), data, run=Run(device="cpu"))
        items, _ = model.recommend(data.matrix, k=2, exclude_seen=False)
        assert items.shape == (shape[0], min(2, shape[1]))
        assert np.isfinite(model.score(data.matrix)).all()

    @pytest.mark.parametrize("factor", [0.01, 100])
    def test_scores_are_finite_for_ratings_of_any_size(self, factor: float) -> None:
        """Counts and ratings may have any scale."""
        data = self.data()
        scaled = Interactions((data.matrix * factor).astype(np.float32), data.users, data.items)
        model = fit_to(self.with_values(epochs=3), scaled, run=Run(device="cpu"))
        assert np.isfinite(model.score(unknown_users())).all()

    def test_nothing_dense_of_the_size_users_by_items_is_made(self) -> None:
        """Memory grows with the interactions and with batch size times items, but not with users times items."""
        data = _sparse_data(8_000, 300, rated=self.rated())
        limit = data.shape[0] * data.shape[1]
        with _Watch() as watch, pytest.MonkeyPatch.context() as patch:
            patch.setattr(csr_matrix, "toarray", _guarded(csr_matrix.toarray, limit))
            fit_to(self.with_values(epochs=1, batch_size=64), data, run=Run(device="cpu"))
        assert watch.largest < limit, f"a tensor of {watch.largest:,} numbers for {data.shape} users and items"


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Recorder of the size of the largest dense tensor, in values."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and record the sizes of the tensors that it returns."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided and tensor.device.type != "meta":
                self.largest = max(self.largest, tensor.untyped_storage().nbytes() // max(1, tensor.itemsize))
        return result


def _guarded(to_array: Callable[..., Any], limit: int) -> Callable[..., Any]:
    def guarded(matrix: csr_matrix, *args: Any, **kwargs: Any) -> Any:
        assert np.prod(matrix.shape) < limit, f"a sparse matrix {matrix.shape} was made dense"
        return to_array(matrix, *args, **kwargs)

    return guarded


def _sparse_data(n_users: int, n_items: int, *, rated: bool) -> Interactions:
    rng = np.random.default_rng(0)
    user, item = np.repeat(np.arange(n_users), 5), rng.integers(0, n_items, 5 * n_users)
    frame = pd.DataFrame({"user": user, "item": item, "rating": rng.integers(1, 6, len(user))})
    return Interactions.from_frame(frame, rating="rating" if rated else None, duplicates="last")


def _out_of_bounds(low: float | None, high: float | None) -> list[float]:
    return [*([] if low is None else [low - 1]), *([] if high is None else [high + 1])]
