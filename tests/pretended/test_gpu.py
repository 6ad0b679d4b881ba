"""Learning on a GPU compared with learning on a CPU, and memory that runs out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import models
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.nn.model import Spec
from recsys_ae.nn.runtime import Precision, Run
from recsys_ae.ranking import chunks
from recsys_ae.recommender.recommender import Recommender
from tests.features.models.curves import features_for
from tests.features.models.curves import small as small_features
from tests.features.models.test_contract import spread
from tests.models.blocks import BLOCKS, block_of, small
from tests.pretended.machines import (
    PRETENDED,
    Machine,
    on_every_machine,
    on_every_machine_nightly,
    run_on_gpu,
    trained_features,
)  # fmt: skip
from tests.pretended.test_recommenders import TRAINED, brief, data_for, fitted

PRECISIONS = pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
NOT_TRAINED = [name for name in models.names() if name not in TRAINED]


@on_every_machine
@pytest.mark.parametrize("name", NOT_TRAINED)
def test_a_model_that_is_not_trained_step_by_step_is_the_same_as_on_a_cpu(name: str, machine: Machine) -> None:
    spec = brief(name)
    if name == "blend":  # its members draw
        spec = brief(name, members=("ease l2=5", "item_knn"))
    histories = data_for(spec)[1].histories
    expected = fitted(spec, run=Run(device="cpu")).score(histories)
    with machine():
        scores = fitted(spec, "fp32").score(histories)
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3 * float(np.abs(expected).max()))


def _learns_the_blocks(spec: Spec, precision: Precision, machine: Machine) -> None:
    """Compare the share of right recommendations; the contract tests expect 0.9 in fp32 on a CPU."""
    data, held = data_for(spec)
    with machine():
        items, _ = fitted(spec, precision).recommend(held.histories, k=4)
    assert (block_of(data)[items] == np.arange(BLOCKS)[:, None]).mean() >= 0.8


@on_every_machine_nightly
@PRECISIONS
@pytest.mark.parametrize("name", TRAINED)
def test_a_recommender_learns_in_every_precision(name: str, precision: Precision, machine: Machine) -> None:
    _learns_the_blocks(small(name), precision, machine)


def test_a_recommender_learns() -> None:
    _learns_the_blocks(small("mult_dae", epochs=15), "auto", PRETENDED)


@on_every_machine_nightly
@PRECISIONS
@pytest.mark.parametrize("name", trained_features())
def test_an_autoencoder_learns_in_every_precision(name: str, precision: Precision, machine: Machine) -> None:
    """Its error is less than that of the means of the columns; the contract tests have the same bounds and more."""
    spec, unseen = small_features(name), features_for(name, 40, 2)
    with machine():
        model = FeatureEncoder(spec).fit(features_for(name), run=run_on_gpu(spec, precision))
        error = model.error(unseen)
    assert error < 0.85 * spread(unseen)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that receives whether each chunk fitted into the memory."""
    outcomes: list[bool] = []
    real: Callable[..., bool] = chunks._fits

    def watched(*args: Any) -> bool:
        outcomes.append(real(*args))
        return outcomes[-1]

    monkeypatch.setattr(chunks, "_fits", watched)
    return outcomes


@on_every_machine
def test_lists_are_the_same_with_little_memory(machine: Machine, fits: list[bool]) -> None:
    """The scores of all rows take four times the memory, so chunks are halved."""
    spec = brief("mult_vae")
    n, width = machine.memory // 32, data_for(spec)[0].shape[1]
    indices = np.random.default_rng(0).integers(0, width, n).astype(np.int32)
    histories = csr_matrix((np.ones(n, np.float32), indices, np.arange(n + 1)), shape=(n, width))
    with machine() as record:
        model = fitted(spec, "fp32")
        expected = _by_parts(model, histories)
        assert all(fits)
        with machine.little_memory(record):
            items, scores = model.recommend(histories, k=3)
    assert False in fits
    np.testing.assert_allclose(scores, expected[1], rtol=1e-3, atol=1e-3)
    assert (items == expected[0]).mean() > 0.999  # almost equal scores may change places


def _by_parts(model: Recommender, histories: csr_matrix) -> tuple[Any, Any]:
    """Return lists of as many rows at a time as fit into the memory."""
    n = -(-histories.shape[0] // 16)
    parts = [model.recommend(histories[start : start + n], k=3) for start in range(0, histories.shape[0], n)]
    return np.concatenate([part.items for part in parts]), np.concatenate([part.scores for part in parts])
