"""Full softmax compared with the plain loss, and sampled softmax compared with its estimand."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.errors import ConfigError
from recsys_ae.models.mult_vae import MultVAE
from recsys_ae.nn import losses
from recsys_ae.nn.layers import BLOCK
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.softmax.losses import multinomial, sampled_multinomial
from recsys_ae.nn.softmax.output import SoftmaxOutput
from tests.nn.small import matrix, rows_of


def leaves(n: int, d: int, width: int, seed: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes: list[tuple[int, ...]] = [(n, d), (width, d), (width,)]
    hidden, weight, bias = (torch.randn(shape, generator=generator).requires_grad_() for shape in shapes)
    return hidden, weight, bias


def gradients(loss: Tensor, *of: Tensor) -> list[Tensor]:
    return [gradient.to_dense() for gradient in torch.autograd.grad(loss, of)]


def assert_equal_sums(actual: Tensor, expected: Tensor) -> None:
    """Compare up to rounding: single precision adds in another order, so the tolerance is relative to the summands."""
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6 * max(1.0, expected.abs().max().item()))


def plain(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Rows) -> Tensor:
    return losses.multinomial(hidden @ weight.T + bias, targets)


@pytest.mark.parametrize("width", [7, BLOCK, 2 * BLOCK + 13])
@pytest.mark.parametrize("cells", [1, 3_000, 2**25])
def test_the_loss_in_parts_is_the_loss_of_all_logits(width: int, cells: int) -> None:
    targets, tensors = rows_of(matrix(31, width)), leaves(31, 5, width)
    expected, actual = plain(*tensors, targets), multinomial(*tensors, targets, cells)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)
    for slope, expected_slope in zip(gradients(3 * actual, *tensors), gradients(3 * expected, *tensors), strict=True):
        assert_equal_sums(slope, expected_slope)


@pytest.mark.parametrize("frozen", [(0,), (1, 2), (0, 1)])
def test_what_is_frozen_gets_no_gradient_and_the_others_get_theirs(frozen: tuple[int, ...]) -> None:
    targets, tensors = rows_of(matrix(9, 7)), leaves(9, 5, 7)
    expected = gradients(plain(*tensors, targets), *tensors)
    for position in frozen:
        tensors[position].requires_grad_(False)
    multinomial(*tensors, targets).backward()
    for position, tensor in enumerate(tensors):
        if position in frozen:
            assert tensor.grad is None
        else:
            torch.testing.assert_close(tensor.grad, expected[position], rtol=1e-5, atol=1e-6)


def test_half_precision_is_near_the_loss_in_single_precision() -> None:
    targets, tensors = rows_of(matrix(31, 40)), leaves(31, 5, 40)
    expected = plain(*tensors, targets)
    slopes = gradients(expected, *tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = multinomial(*tensors, targets)
        sampled = sampled_multinomial(*tensors, targets, torch.arange(40), torch.ones(40))
    for loss in (actual, sampled):
        assert loss.dtype is torch.float32
        assert loss.item() == pytest.approx(expected.item(), rel=1e-2)
        for slope, expected_slope in zip(gradients(loss, *tensors), slopes, strict=True):
            torch.testing.assert_close(slope, expected_slope, rtol=0.05, atol=0.02 * expected_slope.abs().max().item())


def test_a_sample_of_all_items_is_the_loss_by_all() -> None:
    """It holds for rows without entries, with all entries, and with values other than 1, too."""
    dense = matrix(31, 17).toarray()
    dense[4] = 2
    targets, tensors = rows_of(csr_matrix(dense)), leaves(31, 5, 17)
    expected = plain(*tensors, targets)
    actual = sampled_multinomial(*tensors, targets, torch.arange(17), torch.ones(17))
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)
    for slope, expected_slope in zip(gradients(2 * actual, *tensors), gradients(2 * expected, *tensors), strict=True):
        assert_equal_sums(slope, expected_slope)


def slow_sampled(tensors: Any, dense: Tensor, drawn: list[int], chances: list[float]) -> Tensor:
    """Return −(1/n) Σ_u Σ_i x_ui log(e_ui / Z_u) with Z_u = Σ_{i ∈ u} e_ui + Σ_{j drawn, not in u} e_uj / chance_j."""
    hidden, weight, bias = tensors
    total = torch.zeros((), dtype=torch.float64)
    for u in range(len(dense)):
        e = torch.exp(weight.double() @ hidden[u].double() + bias.double())
        targets_of_row = [i for i in range(len(e)) if dense[u, i]]
        z = sum((e[i] for i in targets_of_row), torch.zeros((), dtype=torch.float64))
        z = z + sum(e[j] / c for j, c in zip(drawn, chances, strict=True) if j not in targets_of_row)
        total = total - sum(float(dense[u, i]) * torch.log(e[i] / z) for i in targets_of_row)
    return total / len(dense)


def test_the_sampled_loss_and_its_gradients_are_the_formula() -> None:
    interactions, tensors = matrix(12, 17), leaves(12, 5, 17)
    drawn, chances = [0, 3, 4, 9, 16], [1.0, 0.25, 0.5, 0.1, 0.9]
    actual = sampled_multinomial(*tensors, rows_of(interactions), torch.tensor(drawn), torch.tensor(chances))
    expected = slow_sampled(tensors, torch.from_numpy(interactions.toarray()), drawn, chances)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)
    for slope, expected_slope in zip(gradients(actual, *tensors), gradients(expected, *tensors), strict=True):
        assert_equal_sums(slope, expected_slope)


def test_only_rows_that_took_part_have_a_gradient() -> None:
    interactions = csr_matrix(([1.0, 1.0], ([0, 1], [5, 90])), shape=(2, 100), dtype=np.float32)
    tensors = leaves(2, 5, 100)
    sampled_multinomial(*tensors, rows_of(interactions), torch.tensor([3, 90]), torch.tensor([0.5, 0.5])).backward()
    for tensor in tensors[1:]:
        assert tensor.grad is not None
        assert tensor.grad.is_sparse
        assert tensor.grad.coalesce().indices()[0].tolist() == [3, 5, 90]


def test_the_mean_of_the_sampled_sums_is_the_sum_over_all() -> None:
    """The estimate of Z is unbiased, so the estimate of log Z is close for a large sample."""
    with seeded(0):
        output = SoftmaxOutput(5, 300, samples=60)
    interactions = matrix(50, 300, density=0.05)
    rows = rows_of(interactions)
    output.prepare(rows)
    hidden = torch.randn(50, 5, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        expected = multinomial(hidden, output.weight, output.bias, rows).item()
        actual = [output.nll(hidden, rows, generator).item() for _ in range(300)]
    error = np.std(actual) / np.sqrt(len(actual))
    assert 0 < error < 0.01 * expected
    assert np.mean(actual) == pytest.approx(expected, abs=4 * error + 0.01 * expected)


def test_a_sample_as_large_as_the_catalog_is_the_full_softmax() -> None:
    assert SoftmaxOutput(5, 30, samples=30).samples == 0
    assert SoftmaxOutput(5, 30, samples=29).samples == 29


def test_training_changes_no_item_outside_the_batches_and_samples() -> None:
    """With one batch of one row, only the weights of its items and of the sample change."""
    spec = MultVAE(latent=4, hidden=(6,), sampled_items=3, batch_size=1, epochs=1, dropout=0.0)
    interactions = csr_matrix((np.ones(3), ([0, 0, 0], [5, 17, 40])), shape=(1, 200), dtype=np.float32)
    with seeded(0):
        network = spec.build(Shape(1, 200))
    initial = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    network.learn(rows_of(interactions), Run(device="cpu"))
    moved = {
        name: (parameter.detach() != initial[name]).reshape(len(parameter), -1).any(dim=1).nonzero().flatten().tolist()
        for name, parameter in network.named_parameters()
    }
    assert moved["encoder.input.weight"] == [5, 17, 40]
    output = moved["decoder.output.weight"]
    assert {5, 17, 40} < set(output)
    assert len(output) <= 6
    assert moved["decoder.output.bias"] == output
    assert len(moved["decoder.hidden.0.weight"]) == 6


def test_an_optimizer_that_updates_everything_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"optimizer = 'nadam' .* sampled_items = 10"):
        MultVAE(sampled_items=10, optimizer="nadam")
