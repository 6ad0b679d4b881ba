"""Networks extended by cold items: blocks of known and cold items, however they are cut."""

import itertools

import numpy as np
import pytest
import torch

from recsys_ae.cold_start.cold_start import padded
from recsys_ae.cold_start.extended import Extended
from recsys_ae.models import EASE
from recsys_ae.nn.model import Model, Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.ranking.candidates import Candidates
from recsys_ae.ranking.rank import rank
from tests.nn.small import matrix, rows_of

N_KNOWN, N_COLD = 7, 4
KNOWN = matrix(20, N_KNOWN, kind="ones")
HISTORIES = padded(KNOWN, N_COLD)
ROWS: Rows = rows_of(HISTORIES)
WEIGHTS = torch.randn(N_COLD, N_KNOWN, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def inner() -> Model:
    network = EASE(l2=2.0).build(Shape(20, N_KNOWN))
    network.learn(rows_of(KNOWN), Run(device="cpu"))
    return network.eval()


@pytest.fixture(scope="module")
def expected(inner: Model) -> torch.Tensor:
    """Return the scores of the known items, and those of the cold items, x · Wᵀ."""
    dense = torch.from_numpy(KNOWN.toarray())
    with torch.inference_mode():
        return torch.cat([inner(rows_of(KNOWN)), dense @ WEIGHTS.T], dim=1)


@pytest.mark.parametrize(("start", "stop"), list(itertools.combinations(range(N_KNOWN + N_COLD + 1), 2)))
def test_a_block_holds_the_scores_of_its_items(start: int, stop: int, inner: Model, expected: torch.Tensor) -> None:
    network = Extended(inner, N_KNOWN, WEIGHTS)
    with torch.inference_mode():
        block = network.decode(network.encode(ROWS), slice(start, stop))
    torch.testing.assert_close(block, expected[:, start:stop])


@pytest.mark.parametrize("cells", [1, 20, 30, 60, 2**22])
def test_lists_do_not_depend_on_the_size_of_blocks(cells: int, inner: Model, expected: torch.Tensor) -> None:
    nothing = Candidates.of(HISTORIES, exclude_seen=False)
    fallback = torch.arange(N_KNOWN + N_COLD).float()
    scored = torch.where(ROWS.lengths[:, None] == 0, fallback, expected)
    items, scores = rank(
        Extended(inner, N_KNOWN, WEIGHTS), HISTORIES, N_KNOWN + N_COLD, candidates=nothing, fallback=fallback,
        cells=cells,
    )  # fmt: skip
    np.testing.assert_allclose(np.take_along_axis(scored.numpy(), items, axis=1), scores, rtol=1e-5, atol=1e-6)
    assert (np.sort(items, axis=1) == np.arange(N_KNOWN + N_COLD)).all()


def test_an_extended_network_cannot_be_trained(inner: Model) -> None:
    with pytest.raises(TypeError, match="a network extended by cold items cannot be trained"):
        Extended(inner, N_KNOWN, WEIGHTS).learn(ROWS, Run(device="cpu"))
