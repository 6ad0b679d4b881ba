"""Full softmax compared with the plain loss, and sampled softmax compared with its estimand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys_ae.errors import ConfigError
from recsys_ae.models.mult_vae import MultVAE
from recsys_ae.nn import capacity, losses
from recsys_ae.nn.arithmetic import without_tf32
from recsys_ae.nn.layers import BLOCK
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.softmax import fused
from recsys_ae.nn.softmax import losses as softmax_losses
from recsys_ae.nn.softmax import output as output_file
from recsys_ae.nn.softmax.losses import CELLS, cells_on, multinomial, sampled_multinomial
from recsys_ae.nn.softmax.output import Decoder, SoftmaxOutput
from recsys_ae.recommender.recommender import Recommender
from tests.nn.small import matrix, rows_of
from tests.pretended.machine import pretended_gpu
from tests.pretended.test_recommenders import brief, data_for


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


@pytest.fixture
def as_on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute tensors of the CPU as those of a GPU."""
    monkeypatch.setattr(softmax_losses, "_blocks", softmax_losses._blocks_on_gpu)


@pytest.mark.parametrize("width", [1, 7, 2 * BLOCK + 13])
@pytest.mark.parametrize("cells", [1, 3_000, 2**25])
@pytest.mark.parametrize("d", [1, 5, 8, 16])
@pytest.mark.usefixtures("as_on_gpu")
def test_the_form_for_a_gpu_is_the_plain_loss(width: int, cells: int, d: int) -> None:
    dense = matrix(31, width).toarray()
    dense[4] = 2  # all items, and weights other than 1; other rows are empty
    targets, tensors = rows_of(csr_matrix(dense)), leaves(31, d, width)
    expected, actual = plain(*tensors, targets), multinomial(*tensors, targets, cells)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-5)
    for slope, expected_slope in zip(gradients(3 * actual, *tensors), gradients(3 * expected, *tensors), strict=True):
        assert slope.is_contiguous()
        assert_equal_sums(slope, expected_slope)


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 1), (0, 2)])
@pytest.mark.usefixtures("as_on_gpu")
def test_what_is_frozen_gets_no_gradient_on_a_gpu(frozen: tuple[int, ...]) -> None:
    test_what_is_frozen_gets_no_gradient_and_the_others_get_theirs(frozen, multinomial)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cells", [1, 2**25])
@pytest.mark.usefixtures("as_on_gpu")
def test_half_precision_on_a_gpu_is_near_the_loss_in_single_precision(cells: int, dtype: torch.dtype) -> None:
    targets, tensors = rows_of(matrix(31, 40)), leaves(31, 5, 40)
    expected = plain(*tensors, targets)
    slopes = gradients(expected, *tensors)
    with torch.autocast("cpu", dtype=dtype):
        actual = multinomial(*tensors, targets, cells)
    assert actual.dtype is torch.float32
    assert actual.item() == pytest.approx(expected.item(), rel=1e-2)
    for slope, expected_slope in zip(gradients(actual, *tensors), slopes, strict=True):
        torch.testing.assert_close(slope, expected_slope, rtol=0.05, atol=0.02 * expected_slope.abs().max().item())


def test_a_slope_near_zero_keeps_its_digits_in_half_precision() -> None:
    """At a target it is the difference of two numbers, which are rounded only afterwards."""
    targets = rows_of(csr_matrix(np.array([[1, 0]], np.float32)))
    _, slope = losses.multinomial_on_gpu(torch.tensor([[9.0, 0.0]]), None, targets, torch.bfloat16)
    assert slope[0].tolist() == pytest.approx([-1.234e-4, 1.234e-4], rel=5e-3)


@pytest.mark.parametrize("width", [1, 7, 300])
def test_the_loss_of_logits_is_the_same_on_a_gpu(width: int) -> None:
    targets = rows_of(matrix(31, width))
    logits = torch.randn(31, width, generator=torch.Generator().manual_seed(1))
    expected = losses.multinomial_in_place(logits.clone(), targets)
    actual = losses.multinomial_on_gpu(logits.clone(), None, targets, torch.float32)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("cells", [2_000, 2**25])
@pytest.mark.parametrize(("dtype", "tolerance"), [(None, 1e-4), (torch.bfloat16, 0.02), (torch.float16, 0.02)])
def test_the_loss_on_a_gpu_is_that_on_a_cpu(dtype: torch.dtype | None, tolerance: float, cells: int) -> None:
    targets, tensors = rows_of(matrix(310, 1_001)), leaves(310, 24, 1_001)
    expected = plain(*tensors, targets)
    there = [tensor.detach().cuda().requires_grad_() for tensor in tensors]
    rows = Rows.from_matrix(matrix(310, 1_001), torch.device("cuda"))
    with without_tf32(), torch.autocast("cuda", dtype=dtype, enabled=dtype is not None):
        actual = multinomial(*there, rows, cells)
    assert actual.item() == pytest.approx(expected.item(), rel=tolerance)
    for slope, expected_slope in zip(gradients(actual, *there), gradients(expected, *tensors), strict=True):
        torch.testing.assert_close(
            slope.cpu(), expected_slope, rtol=tolerance, atol=tolerance * expected_slope.abs().max().item()
        )


def by_all(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Rows) -> Tensor:
    """Return the loss of a sample of all items."""
    return sampled_multinomial(hidden, weight, bias, targets, torch.arange(len(weight)), torch.ones(len(weight)))


@pytest.mark.parametrize("loss_of", [multinomial, by_all])
@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (1, 2), (0, 1), (0, 2)])
def test_what_is_frozen_gets_no_gradient_and_the_others_get_theirs(
    frozen: tuple[int, ...], loss_of: Callable[..., Tensor]
) -> None:
    targets, tensors = rows_of(matrix(9, 7)), leaves(9, 5, 7)
    expected = gradients(plain(*tensors, targets), *tensors)
    for position in frozen:
        tensors[position].requires_grad_(False)
    loss_of(*tensors, targets).backward()
    for position, tensor in enumerate(tensors):
        if position in frozen:
            assert tensor.grad is None
        else:
            assert tensor.grad is not None
            torch.testing.assert_close(tensor.grad.to_dense(), expected[position], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cells", [1, 2**25])
def test_half_precision_is_near_the_loss_in_single_precision(cells: int) -> None:
    targets, tensors = rows_of(matrix(31, 40)), leaves(31, 5, 40)
    expected = plain(*tensors, targets)
    slopes = gradients(expected, *tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = multinomial(*tensors, targets, cells)
        sampled = sampled_multinomial(*tensors, targets, torch.arange(40), torch.ones(40))
    for loss in (actual, sampled):
        assert loss.dtype is torch.float32
        assert loss.item() == pytest.approx(expected.item(), rel=1e-2)
        for slope, expected_slope in zip(gradients(loss, *tensors), slopes, strict=True):
            torch.testing.assert_close(slope, expected_slope, rtol=0.05, atol=0.02 * expected_slope.abs().max().item())


@pytest.mark.parametrize("loss_of", [multinomial, by_all])
def test_only_under_autocast_are_the_products_in_half_precision(loss_of: Callable[..., Tensor]) -> None:
    targets, tensors = rows_of(matrix(9, 7)), leaves(9, 5, 7)
    expected = loss_of(*tensors, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss_of(*tensors, targets) != expected
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=False):
        assert loss_of(*tensors, targets) == expected


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


def test_without_a_sample_the_loss_is_that_by_all_items() -> None:
    for output in (SoftmaxOutput(5, 7), Decoder([5], 7).output):
        targets, (hidden, *_) = rows_of(matrix(9, 7)), leaves(9, 5, 7)
        assert (output.samples, output.rowwise) == (0, False)
        assert output.nll(hidden, targets, torch.Generator()) == multinomial(
            hidden, output.weight, output.bias, targets
        )


def test_even_a_sample_of_one_item_updates_single_rows() -> None:
    assert SoftmaxOutput(5, 7, samples=1).rowwise


def test_a_sampled_loss_needs_the_counts_of_the_items() -> None:
    with pytest.raises(RuntimeError, match=r"^call prepare\(\) before a sampled loss$"):
        SoftmaxOutput(5, 7, samples=3).nll(torch.zeros(9, 5), rows_of(matrix(9, 7)), torch.Generator())


def test_items_without_interactions_are_sampled_too() -> None:
    output = SoftmaxOutput(5, 20, samples=10)
    output.prepare(rows_of(csr_matrix(([1.0, 1.0], ([0, 1], [0, 3])), shape=(2, 20), dtype=np.float32)))
    assert output.sampler is not None
    generator = torch.Generator().manual_seed(0)
    assert {item for _ in range(20) for item in output.sampler.draw(generator)[0].tolist()} == set(range(20))


def test_the_generator_of_an_update_decides_which_items_are_sampled() -> None:
    decoder, targets = Decoder([5], 40, samples=3), rows_of(matrix(9, 40))
    decoder.output.prepare(targets)
    hidden, generator = torch.ones(9, 5), torch.Generator().manual_seed(3)
    drawn = [decoder.nll(hidden, targets, generator).item() for _ in range(2)]
    assert drawn[0] != drawn[1]
    assert decoder.nll(hidden, targets, torch.Generator().manual_seed(3)).item() == drawn[0]


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
    with pytest.raises(ConfigError) as refused:
        MultVAE(sampled_items=10, optimizer="nadam")
    assert str(refused.value) == (
        "optimizer = 'nadam' cannot update single rows of the weights, as sampled_items = 10 requires; "
        "set optimizer = 'adam' or sampled_items = 0"
    )


@pytest.mark.parametrize("optimizer", ["adam", "adam_norm_grad"])
def test_an_optimizer_that_updates_single_rows_is_taken(optimizer: Any) -> None:
    assert MultVAE(sampled_items=10, optimizer=optimizer).sampled_items == 10


def test_a_penalty_on_all_items_is_refused_for_a_sampled_softmax() -> None:
    with pytest.raises(ConfigError) as refused:
        MultVAE(sampled_items=10, anchor_l2=0.5)
    assert str(refused.value) == (
        "anchor_l2 = 0.5 updates all items, but sampled_items = 10 only a few; set one of them to 0"
    )


@pytest.mark.parametrize(
    ("sampled_items", "n_rows", "width", "n_logits"),
    [
        (0, 30, 1_000, 30 * 1_000),
        (0, 400, 100_000, CELLS),
        (0, 3, 2 * CELLS, 2 * CELLS),
        (1, 30, 1_000, 30),
        (10, 900, 1_000, 500 * 10),
        (100_000, 400, 100_000, CELLS),
        (100_001, 400, 100_000, CELLS),
    ],
)
def test_the_memory_of_a_batch_is_that_of_its_logits(
    sampled_items: int, n_rows: int, width: int, n_logits: int
) -> None:
    spec = MultVAE(sampled_items=sampled_items, batch_size=500)
    assert spec.batch_memory(Shape(n_rows, width)) == 4 * n_logits


GPU = torch.device("cuda:0")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the free bytes of the GPU, as a list of one number that a test changes."""
    free = [8 * 2**30]
    monkeypatch.setattr(softmax_losses, "_cells", {})
    monkeypatch.setattr(capacity, "free_memory", lambda device: free[0] if device == GPU else 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    return free


def test_the_number_of_logits_follows_the_free_memory_of_a_gpu(free: list[int]) -> None:
    cells = []
    for free[0] in (80 * 2**30, 8 * 2**30, 2**30, 2**20):
        assert MultVAE(batch_size=10**6).batch_memory(Shape(10**6, 1_000, 0, GPU)) == 4 * cells_on(GPU)
        cells.append(cells_on(GPU))
    assert cells == [2**28, 2**28, 2**25, 2**15]
    assert cells_on(torch.device("cpu")) == CELLS


def test_a_fit_holds_as_many_logits_as_its_estimate_says(free: list[int]) -> None:
    """The number is that of the estimate, although the weights fill some memory later; updates ask nobody."""
    MultVAE.paper().batch_memory(Shape(10, 10, 0, torch.device("cuda")))
    free[0] = 100
    assert cells_on(GPU) == cells_on(torch.device("cuda")) == 2**28


def test_the_blocks_of_a_loss_are_as_large_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    parts = Rows.parts
    monkeypatch.setattr(softmax_losses, "_cells", {torch.device("cpu"): 20})
    monkeypatch.setattr(Rows, "parts", lambda rows, size: sizes.append(size) or parts(rows, size))  # type: ignore[func-returns-value]
    multinomial(*leaves(9, 5, 7), rows_of(matrix(9, 7)))
    assert sizes == [2]


@pytest.mark.parametrize(("name", "chosen"), [("mult_vae", {}), ("hvamp", {"likelihood": "multinomial"})])
def test_a_fit_on_a_gpu_takes_the_form_for_it(
    name: str, chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory is estimated for the GPU, too."""
    softmax, measured, calls, devices = fused.softmax, softmax_losses.measured_cells, list[Tensor](), list[str]()
    monkeypatch.setattr(fused, "softmax", lambda logits, *rest: calls.append(logits) or softmax(logits, *rest))  # type: ignore[func-returns-value]
    monkeypatch.setattr(
        output_file,
        "measured_cells",
        lambda device: devices.append(device.type) or measured(device),  # type: ignore[func-returns-value]
    )
    monkeypatch.setattr(softmax_losses, "_blocks", None)  # those of a CPU
    spec = brief(name, epochs=1, **chosen)
    with pretended_gpu() as record:
        Recommender(spec).fit(data_for(spec)[0], run=Run(device="cuda"))
    assert len(calls) == record.passes["update"]
    assert devices == (["cuda"] if name == "mult_vae" else [])
