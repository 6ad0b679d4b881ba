"""Memory estimates compared with the tensors that a fit holds."""

import pytest

from recsys_ae.models import EASE, VASP, AutoRec, MultDAE, MultVAE, Popularity
from recsys_ae.nn.footprint import memory
from recsys_ae.nn.model import Shape
from recsys_ae.nn.softmax.losses import CELLS

SHAPE = Shape(1000, 300)
WEIGHTS = 4 * (300 * 6 + 6 + 6 * 8 + 8 + 4 * 6 + 6 + 6 * 300 + 300)


def test_each_copy_of_the_weights_is_counted_by_what_it_is_for() -> None:
    spec = MultVAE.paper(latent=4, hidden=(6,), batch_size=50)
    assert memory(spec, SHAPE, 9_000) == {
        "interactions": 9_000 * 8 + 12_000,
        "weights": WEIGHTS,
        "gradients": WEIGHTS,
        "moments of adam": 2 * WEIGHTS,
        "weights of the best epoch": WEIGHTS,
        "outputs of a batch": 4 * 50 * 300,
    }
    averaged = memory(MultVAE.paper(latent=4, hidden=(6,), ema_decay=0.9, optimizer="adagrad"), SHAPE, 9_000)
    assert averaged["moving average of the weights"] == averaged["moments of adagrad"] == WEIGHTS


def test_a_sampled_softmax_needs_no_gradient_of_the_tables_and_few_outputs() -> None:
    spec = MultDAE.paper(latent=5, sampled_items=40, batch_size=50)
    sizes = memory(spec, SHAPE, 9_000)
    assert sizes["gradients"] == sizes["weights"] - 2 * 4 * 300 * 5
    assert sizes["outputs of a batch"] == 4 * 50 * 40


def test_logits_of_a_large_catalog_are_not_all_held() -> None:
    million = Shape(1_000_000, 1_000_000)
    assert memory(MultVAE.paper(), million, 1)["outputs of a batch"] == 4 * CELLS
    assert memory(MultVAE.paper(batch_size=20), million, 1)["outputs of a batch"] == 4 * 20 * 1_000_000
    assert "outputs of a batch" not in memory(AutoRec(), million, 1)


def test_a_closed_form_tells_its_matrix_and_a_count_nothing() -> None:
    assert memory(EASE.paper(), SHAPE, 9_000) == {"matrix of the closed form": 12 * 300**2}
    assert memory(Popularity(), SHAPE, 9_000) == {}


def test_temporary_matrices_of_an_update_are_counted() -> None:
    shape = Shape(10, 40_000)
    assert sum(memory(VASP(), shape, 1).values()) >= VASP().memory(shape)


@pytest.mark.parametrize("batch_size", [10, 5_000])
def test_a_batch_has_no_more_rows_than_there_are(batch_size: int) -> None:
    sizes = memory(MultDAE.paper(batch_size=batch_size), SHAPE, 1)
    assert sizes["outputs of a batch"] == 4 * min(batch_size, 1000) * 300
