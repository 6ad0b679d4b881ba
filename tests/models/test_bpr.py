"""BPR: threads, seeds, values, saved state, penalty, and errors; tests/fidelity checks its formula."""

import sys

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import MissingPackageError, TrainingError
from recsys_ae.models.bpr import BPR
from recsys_ae.nn.runtime import Progress, Run
from recsys_ae.recommender.recommender import Recommender
from tests.models.blocks import holdout, training_data

SPEC = BPR(latent=4, lr=0.1, iterations=10)


def fitted(spec: BPR = SPEC, data: Interactions | None = None, **run: int) -> Recommender:
    return Recommender(spec).fit(data or training_data(), run=Run(device="cpu", **run))  # type: ignore[arg-type]


def test_threads_do_not_change_a_bit() -> None:
    """Several threads would race, so the model always uses one."""
    single, double = (fitted(threads=threads).network.state_dict() for threads in (1, 2))
    assert all(torch.equal(single[name], double[name]) for name in single)


def test_f17_another_seed_gives_other_factors() -> None:
    assert not torch.equal(fitted(seed=0).network.item_vectors(), fitted(seed=1).network.item_vectors())


def test_how_often_something_happened_does_not_matter() -> None:
    data = training_data()
    often = Interactions(data.matrix * 7, data.users, data.items)
    once, repeated, histories = fitted(), fitted(data=often), holdout(data).histories
    np.testing.assert_array_equal(repeated.score(histories), once.score(histories))
    np.testing.assert_array_equal(once.score(csr_matrix(histories * 7)), once.score(histories))


def test_stored_zeros_are_no_interactions() -> None:
    data = training_data()
    rows, columns = (np.r_[old, new] for old, new in zip(data.matrix.nonzero(), ([0, 5], [31, 0]), strict=True))
    values = np.r_[np.ones(data.nnz), 0, 0].astype(np.float32)
    with_zeros = csr_matrix((values, (rows, columns)), shape=data.shape)
    with_zeros.sum_duplicates()
    model = fitted(data=Interactions(with_zeros, data.users, data.items))
    assert torch.equal(model.network.item_vectors(), fitted().network.item_vectors())


def test_the_state_holds_the_items_and_nothing_of_the_users() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in fitted().network.state_dict().items()}
    assert shapes == {"item_factors": (32, 4), "item_bias": (32,)}
    model, data = fitted(), training_data()
    np.testing.assert_array_equal(model.score(data.matrix, users=data.users), model.score(data.matrix))


def test_a_larger_penalty_on_users_brings_lists_nearer_to_each_other() -> None:
    histories = holdout(training_data()).histories
    spread = [fitted(BPR(latent=4, lr=0.1, user_l2=user_l2)).score(histories).std(axis=0).mean()
              for user_l2 in (0.01, 0.1, 1.0, 100.0)]  # fmt: skip
    assert (np.diff(spread) < 0).all()
    assert spread[-1] < 0.1 * spread[0]


def test_an_item_without_users_gets_no_factors() -> None:
    dense = training_data().matrix.toarray()
    dense[:, 3] = 0
    data = Interactions(csr_matrix(dense), training_data().users, training_data().items)
    model = fitted(data=data)
    assert (model.network.item_vectors()[3] == 0).all()
    assert np.isfinite(model.score(holdout(training_data()).histories)).all()


def test_a_learning_rate_that_is_too_high_is_named() -> None:
    with pytest.raises(TrainingError, match=r"the factors are not finite; lower lr = 1000000\.0"):
        fitted(BPR(latent=4, lr=1e6))


def test_each_iteration_is_reported() -> None:
    seen: list[Progress] = []
    Recommender(SPEC).fit(training_data(), run=Run(device="cpu", progress=seen.append))
    assert [(progress.epoch, progress.epochs, progress.rows) for progress in seen] == [
        (i, 10, 60) for i in range(1, 11)
    ]


def test_without_implicit_an_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit.cpu.bpr", None)
    with pytest.raises(MissingPackageError, match="bpr needs the package implicit; install it"):
        fitted()


@pytest.mark.parametrize(("lr", "iterations"), [(1.0, 10), (1.0, 50), (2.0, 3), (5.0, 3)])
def test_without_weight_decay_factors_that_grow_too_large_end_the_fit(lr: float, iterations: int) -> None:
    with pytest.raises(TrainingError, match=rf"too large .* higher l2 = 0\.0 or a lower lr = {lr}"):
        fitted(BPR(latent=4, l2=0, lr=lr, iterations=iterations))


@pytest.mark.parametrize("factor", [1e4, 1e18, 1e36])
def test_factors_for_which_the_search_would_not_end_are_refused(factor: float) -> None:
    model = fitted()
    network = model.network
    network.item_factors = network.get_buffer("item_factors") * factor
    with pytest.raises(TrainingError, match="too large to fit the vector of a user; fit again with a higher l2"):
        model.score(holdout(training_data()).histories)
