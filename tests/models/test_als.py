"""ALS: threads, seeds, saved state, values without limits, and errors; tests/fidelity checks its formula."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import MissingPackageError, TrainingError
from recsys_ae.models.als import ALS
from recsys_ae.nn.runtime import Progress, Run
from recsys_ae.recommender.recommender import Recommender
from tests.models.blocks import holdout, training_data

SPEC = ALS(latent=4, l2=3.0)


def fitted(spec: ALS = SPEC, factor: float = 1.0, **run: int) -> Recommender:
    data = training_data()
    data = Interactions(data.matrix * np.float32(factor), data.users, data.items)
    return Recommender(spec).fit(data, run=Run(device="cpu", **run))  # type: ignore[arg-type]


def test_threads_do_not_change_a_bit() -> None:
    single, double = (fitted(threads=threads).network.state_dict() for threads in (1, 2))
    assert all(torch.equal(single[name], double[name]) for name in single)


def test_f17_another_seed_gives_other_factors() -> None:
    assert not torch.equal(fitted(seed=0).network.item_vectors(), fitted(seed=1).network.item_vectors())


def test_the_state_holds_the_items_and_nothing_of_the_users() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in fitted().network.state_dict().items()}
    assert shapes == {"item_factors": (32, 4), "gram": (4, 4)}
    model, data = fitted(), training_data()
    assert len(model.users) == 0
    np.testing.assert_array_equal(model.score(data.matrix, users=data.users), model.score(data.matrix))


def test_an_item_without_users_scores_0() -> None:
    data = training_data()
    dense = data.matrix.toarray()
    dense[:, 3] = 0
    model = Recommender(SPEC).fit(Interactions(csr_matrix(dense), data.users, data.items), run=Run(device="cpu"))
    scores = model.score(holdout(data).histories)
    assert (scores[:, 3] == 0).all()
    assert (scores[:, :3] != 0).all()


def test_confidence_in_large_values_needs_no_luck() -> None:
    """Equations whose numbers differ by 14 orders of magnitude are still solved."""
    model, histories = fitted(ALS(latent=40, l2=1e-3, alpha=1.0)), holdout(training_data()).histories
    scores = model.score(csr_matrix(histories * np.float32(1e9)))
    np.testing.assert_allclose(scores[histories.toarray() > 0], 1, atol=1e-3)


def test_without_a_penalty_there_may_be_no_solution() -> None:
    with pytest.raises(TrainingError, match=r"l2 = 0\.0 is too small to solve for the factors of a user; raise it"):
        fitted(ALS(latent=40, l2=0.0))


def test_factors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(
        TrainingError, match="the factors are not finite; scale the values of the interactions down, or raise l2"
    ):
        fitted(factor=1e30)


def test_each_iteration_is_reported() -> None:
    seen: list[Progress] = []
    Recommender(SPEC).fit(training_data(), run=Run(device="cpu", progress=seen.append))
    assert [(progress.epoch, progress.epochs, progress.rows, progress.n_rows) for progress in seen] == [
        (i, 10, 60, 60) for i in range(1, 11)
    ]


def test_without_implicit_an_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(MissingPackageError, match="als needs the package implicit; install it"):
        fitted()


def test_no_warning_about_the_threads_of_blas() -> None:
    """With several BLAS threads implicit itself warns; the limit to one prevents the warning instead of hiding it."""
    code = """
import pandas as pd
from recsys_ae import Interactions, Recommender, Run
from recsys_ae.models import ALS
data = Interactions.from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 2]}))
Recommender(ALS(latent=2)).fit(data, run=Run(device="cpu"))
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False,
                            env={**environment, "OPENBLAS_NUM_THREADS": "2"})  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
