"""VASP against its authors' code: the fast, sparse model agrees with the formulas, written out densely."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from recsys_ae.models.vasp import VASP, VASPNetwork, halves
from recsys_ae.nn.layers import DenselySummed
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.steps import Step
from recsys_ae.ranking.rank import score_blocks
from tests.fidelity.slow import dense64
from tests.nn.small import copy_of, matrix, rows_of

N, WIDTH, LATENT = 12, 17, 4


def spec_of(**chosen: object) -> VASP:
    small = {"latent": LATENT, "width": 6, "encoder_layers": 3, "decoder_layers": 2}
    return VASP(**{**small, **chosen})  # type: ignore[arg-type]


def network_of(spec: VASP, width: int = WIDTH) -> VASPNetwork:
    with seeded(1):
        network = spec.build(Shape(50, width))
        # Biases near 0 and factors of 1 would hide missing ones.
        for parameter in network.parameters():
            if parameter.ndim == 1:
                nn.init.normal_(parameter, mean=0.5, std=0.5)
    return network


def step_at(update: int = 0, seed: int = 4) -> Step:
    return Step(update, 100, torch.Generator().manual_seed(seed))


def number(value: Tensor | float) -> float:
    return value.item() if isinstance(value, Tensor) else value


@pytest.fixture
def rows() -> Rows:
    return rows_of(matrix(N, WIDTH))


class Slow:
    """A slow, dense version of the model in float64; gradients come from autograd."""

    def __init__(self, network: VASPNetwork) -> None:
        self.w = {name: value.detach().double().requires_grad_() for name, value in network.named_parameters()}

    def summed(self, name: str, x: Tensor, layers: int) -> Tensor:
        """Apply h_k = LN(swish(W_k h_{k−1} + b_k + h_1 + … + h_{k−1})), with 1e-3 in the normalisation."""
        layers_before: list[Tensor] = []
        input_weight = self.w[f"{name}.input.weight"]
        for k in range(layers):
            if k == 0:
                a = x @ (input_weight if name.startswith("encoder") else input_weight.T) + self.w[f"{name}.input.bias"]
            else:
                a = (
                    layers_before[-1] @ self.w[f"{name}.deeper.{k - 1}.weight"].T
                    + self.w[f"{name}.deeper.{k - 1}.bias"]
                )
                for earlier in layers_before:
                    a = a + earlier
            swish = a * torch.sigmoid(a)
            centred = swish - swish.mean(dim=1, keepdim=True)
            scaled = centred / torch.sqrt(centred.square().mean(dim=1, keepdim=True) + 1e-3)
            layers_before.append(scaled * self.w[f"{name}.norms.{k}.weight"] + self.w[f"{name}.norms.{k}.bias"])
        return layers_before[-1]

    def gaussian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        output = self.summed("encoder.0", x, 3) @ self.w["encoder.1.weight"].T + self.w["encoder.1.bias"]
        return output[:, :LATENT], output[:, LATENT:]

    def probabilities(self, x: Tensor, z: Tensor) -> Tensor:
        deep = torch.sigmoid(self.summed("decoder", z, 2) @ self.w["deep.weight"].T + self.w["deep.bias"])
        straight = torch.sigmoid(z @ self.w["straight.weight"].T + self.w["straight.bias"])
        return deep * straight * torch.sigmoid(x @ self.w["shallow"])


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.5, 0.0)])
def test_the_loss_and_its_gradients_are_the_formulas(alpha: float, gamma: float, rows: Rows) -> None:
    network = network_of(spec_of(alpha=alpha, gamma=gamma)).train()
    step = step_at()
    draws = copy_of(step.generator)
    loss = network.loss(rows, step)
    loss.total.backward()

    slow = Slow(network)
    seen, hidden = (dense64(half) for half in halves(rows, draws))
    mean, log_variance = slow.gaussian(seen)
    z = mean + torch.randn(2 * N, LATENT, generator=draws).double() * torch.exp(log_variance / 2)
    p = slow.probabilities(seen, z)
    p_t, alpha_t = torch.where(hidden > 0, p, 1 - p), torch.where(hidden > 0, alpha, 1 - alpha)
    focal = -(alpha_t * (1 - p_t) ** gamma * torch.log(p_t)).sum(dim=1).mean()
    kl = -0.5 * (1 + log_variance - mean**2 - torch.exp(log_variance)).mean()
    total = focal + kl
    total.backward()

    assert loss.total.item() == pytest.approx(total.item(), rel=1e-5)
    assert number(loss.parts["focal"]) == pytest.approx(focal.item(), rel=1e-5)
    assert number(loss.parts["kl"]) == pytest.approx(kl.item(), rel=1e-5)
    for name, parameter in network.named_parameters():
        expected = slow.w[name].grad
        assert parameter.grad is not None
        assert expected is not None
        assert expected.abs().max() > 0, name
        torch.testing.assert_close(parameter.grad.double(), expected, rtol=1e-3, atol=1e-6, msg=name)
    assert torch.equal(step.generator.get_state(), draws.get_state())


def test_f10_the_divergence_is_the_authors_mean_over_the_code(rows: Rows) -> None:
    """With mean 1 and variance 1 in each of d dimensions, KL(q ‖ p) is d / 2; the loss divides it by d."""
    for latent in (4, 40):
        network = network_of(spec_of(latent=latent))
        with torch.no_grad():
            network.encoder[1].weight.zero_()  # type: ignore[union-attr,operator]
            network.encoder[1].bias.copy_(torch.arange(2 * latent) < latent)  # type: ignore[union-attr,operator]
            assert number(network.loss(rows, step_at()).parts["kl"]) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_halves_part_each_history_and_swap_their_roles(seed: int) -> None:
    lengths = [0, 1, 2, 3, 8, 9, 0]
    histories = csr_matrix(np.array([[i < n for i in range(10)] for n in lengths], np.float32) * 3)
    x = rows_of(histories)
    seen, hidden = halves(x, torch.Generator().manual_seed(seed))
    read, predicted = dense64(seen), dense64(hidden)
    n = len(lengths)
    assert read.shape == predicted.shape == (2 * n, 10)
    assert torch.equal(read[:n] + predicted[:n], (dense64(x) > 0).double())  # every entry once, and all values 1
    assert torch.equal(read[n:], predicted[:n])
    assert torch.equal(predicted[n:], read[:n])
    assert read[:n].sum(dim=1).tolist() == [length // 2 for length in lengths]
    assert seen.positions.tolist() == hidden.positions.tolist() == [*range(n), *range(n)]
    for half in (seen, hidden):  # canonical, like all rows: columns increase within each row
        row, column = half.row_of_entry, half.indices
        assert (column.diff()[row.diff() == 0] > 0).all()


def test_each_entry_comes_into_either_half_as_often() -> None:
    x = rows_of(csr_matrix(np.ones((1, 6), np.float32)))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([dense64(halves(x, generator)[0])[0] for _ in range(2000)])
    assert (drawn.mean(dim=0) - 0.5).abs().max() < 5 * 0.5 / np.sqrt(2000)
    # Three of six: two of them fall together in 2 of 5 cases.
    assert (drawn[:, 0] * drawn[:, 5]).mean().item() == pytest.approx(0.2, abs=0.05)


def test_the_diagonal_is_0_from_the_start_and_after_every_update() -> None:
    network = network_of(spec_of(epochs=3, batch_size=5, lr=0.01))
    diagonals = [network.shallow.diagonal().clone()]
    project = network.after_step

    def noted() -> None:
        project()
        diagonals.append(network.shallow.diagonal().clone())

    network.after_step = noted  # type: ignore[method-assign]
    before = network.shallow.detach().clone()
    network.learn(rows_of(matrix(N, WIDTH)), Run(device="cpu"))
    assert len(diagonals) == 1 + 3 * 3
    assert not torch.stack(diagonals).any()
    assert (network.shallow - before).abs().max() > 0.01


def test_no_item_predicts_itself_in_the_shallow_path(rows: Rows) -> None:
    """The shallow path's output of an item does not change if the item itself is in the history."""
    network = network_of(spec_of())
    item = 5
    with torch.no_grad():
        for other in range(3):
            pair = torch.zeros(2, WIDTH)
            pair[:, other], pair[1, item] = 1, 1
            shallow = network.encode(rows_of(csr_matrix(pair.numpy())))[:, LATENT:]
            assert shallow[0, item] == shallow[1, item]
            assert (shallow[0] - shallow[1]).abs().sum() > 0


def test_f06_f10_f15_scores_are_the_log_of_the_product_at_the_mean_code(rows: Rows) -> None:
    """Scores are equal from call to call, also in training mode, and read the whole history."""
    histories = matrix(N, WIDTH)
    network = network_of(spec_of()).train()
    slow, x = Slow(network), (dense64(rows) > 0).double()
    expected = torch.log(slow.probabilities(x, slow.gaussian(x)[0])).detach().float()
    popularity = torch.arange(WIDTH).float()
    expected[rows.lengths == 0] = popularity
    for _ in range(3):
        ((_, scores),) = score_blocks(network.train(), histories, popularity)
        torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        assert torch.equal(network.train()(rows), network.eval()(rows))


def test_only_the_set_of_items_of_a_history_counts(rows: Rows) -> None:
    network = network_of(spec_of())
    with torch.no_grad():
        assert torch.equal(network(rows), network(rows.with_values(rows.values * 7)))
    losses = [network.loss(x, step_at()).total.item() for x in (rows, rows.with_values(rows.values * 7))]
    assert losses[0] == losses[1]


def test_a_block_of_items_is_decoded_like_the_whole(rows: Rows) -> None:
    network = network_of(spec_of())
    with torch.no_grad():
        z = network.encode(rows)
        torch.testing.assert_close(network.decode(z, slice(3, 9)), network.decode(z)[:, 3:9])


def test_scores_keep_their_order_where_probabilities_vanish(rows: Rows) -> None:
    """Three sigmoids of −100 have the product 0 in single precision; their logarithms add up to −300 and differ."""
    network = network_of(spec_of())
    with torch.no_grad():
        network.deep.bias -= 100
        network.straight.bias -= 100
        scores = network(rows)
        loss = network.loss(rows, step_at()).total
    assert scores.isfinite().all()
    assert (scores < -150).all()
    assert loss.isfinite()
    assert len(scores[1].unique()) == WIDTH


def test_the_architecture_and_the_loss_are_the_authors_by_default() -> None:
    spec = VASP()
    assert (spec.encoder_layers, spec.decoder_layers, spec.alpha, spec.gamma) == (7, 5, 0.25, 2.0)
    assert (spec.optimizer, spec.lr_schedule) == ("nadam", "linear")
    network = spec.build(Shape(100, 30))
    assert isinstance(network.encoder[0], DenselySummed)
    assert (len(network.encoder[0].norms), len(network.decoder.norms)) == (7, 5)
    assert {norm.eps for norm in (*network.encoder[0].norms, *network.decoder.norms)} == {1e-3}  # type: ignore[union-attr]
    assert network.shallow.shape == (30, 30)
    shapes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters() if "norms" not in name}
    assert shapes["encoder.1.weight"] == (2 * spec.latent, spec.width)
    assert (shapes["deep.weight"], shapes["straight.weight"]) == ((30, spec.width), (30, spec.latent))


def test_memory_is_that_of_the_shallow_path() -> None:
    assert VASP().memory(Shape(10, 40_000)) == 6 * 4 * 40_000**2
