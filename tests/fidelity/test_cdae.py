"""CDAE against its paper, and against mistakes that other packages make (F3, F14)."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from recsys_ae.models import cdae
from recsys_ae.models.cdae import CDAE, CDAENetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.softmax import sampling
from recsys_ae.nn.training.steps import Step
from tests.nn.small import copy_of, matrix, rows_of

USERS, WIDTH = 12, 17
WHO = [7, 3, 0, 11, 4, 10, 8]
"""Users of a batch, shuffled: one has all items (4), two have none (0 and 11)."""


def all_rows() -> Rows:
    interactions = matrix(USERS, WIDTH).tolil()
    interactions[4] = 1
    return rows_of(interactions.tocsr())


def network_of(**chosen: object) -> CDAENetwork:
    with seeded(1):
        network = CDAE.paper(**{"latent": 4, **chosen}).build(Shape(USERS, WIDTH))  # type: ignore[arg-type]
        # Biases at 0 would hide a missing one, and large weights saturate.
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.4)
    return network.train()


def step_with(generator: torch.Generator) -> Step:
    return Step(0, 10, generator)


def number(value: Tensor | float) -> float:
    return value.item() if isinstance(value, Tensor) else value


@pytest.fixture
def rows() -> Rows:
    return all_rows().take(torch.tensor(WHO))


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


@dataclasses.dataclass
class Slow:
    """The paper's formulas for one user after the other, in float64; gradients come from autograd."""

    network: CDAENetwork

    def __post_init__(self) -> None:
        self.leaves = {
            name: parameter.detach().double().requires_grad_() for name, parameter in self.network.named_parameters()
        }
        self.spec = self.network.spec
        self.w, self.b = self.leaves["input.weight"], self.leaves["input.bias"]
        self.v, self.b_out = self.leaves["users"], self.leaves["bias"]
        self.w_out = self.leaves.get("output", self.w)

    def code(self, read: list[int], user: Tensor, scale: float) -> Tensor:
        total = user + self.b
        for item in read:
            total = total + scale * self.w[item]
        return 1 / (1 + torch.exp(-total)) if self.spec.variant in ("m3", "m4") else total

    def error(self, z: Tensor, item: int, y: int) -> Tensor:
        score = self.w_out[item] @ z + self.b_out[item]
        if self.spec.variant in ("m1", "m3"):
            return (y - score) ** 2
        p = 1 / (1 + torch.exp(-score))
        return -y * torch.log(p) - (1 - y) * torch.log(1 - p)

    def visit(self, user: int, seen: list[int], read: list[int], drawn: list[int]) -> tuple[Tensor, Tensor]:
        """Return the loss of a visit and the sum of the squared parameters that it uses."""
        q = self.spec.dropout
        z = self.code(read, self.v[user], 1 / (1 - q) if q < 1 else 0)
        targets = [(item, 1) for item in seen] + [(item, 0) for item in drawn]
        error = sum((self.error(z, item, y) for item, y in targets), torch.zeros((), dtype=torch.float64))
        squares = (self.v[user] ** 2).sum() + (self.b**2).sum()
        for item, _ in targets:
            squares = squares + (self.w_out[item] ** 2).sum() + self.b_out[item] ** 2
        if not self.spec.tied:
            for item in read:
                squares = squares + (self.w[item] ** 2).sum()
        return error, squares

    def loss(self, rows: Rows, kept: list[bool], drawn: Rows) -> tuple[Tensor, Tensor]:
        visits = []
        for row, user in enumerate(rows.positions.tolist()):
            entries = slice(*rows.indptr[row : row + 2].tolist())
            seen = rows.indices[entries].tolist()
            read = [item for item, stays in zip(seen, kept[entries], strict=True) if stays]
            visits.append(self.visit(user, seen, read, drawn.indices[slice(*drawn.indptr[row : row + 2])].tolist()))
        errors, squares = (sum(values, torch.zeros((), dtype=torch.float64)) for values in zip(*visits, strict=True))
        return errors / len(rows), self.spec.l2 / 2 * squares / len(rows)


@pytest.mark.parametrize("variant", ["m1", "m2", "m3", "m4"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.4, 1.0])
def test_the_loss_and_its_gradients_are_the_papers(
    variant: str, tied: bool, dropout: float, rows: Rows, generator: torch.Generator
) -> None:
    """The loss of a batch is the mean of the paper's losses of its users."""
    network = network_of(variant=variant, tied=tied, dropout=dropout, l2=0.3)
    draws = copy_of(generator)
    loss = network.loss(rows, step_with(generator))
    loss.total.backward()

    n = len(rows.values)
    kept = (torch.rand(n, generator=draws) >= dropout).tolist() if 0 < dropout < 1 else [dropout == 0] * n
    drawn = sampling.negatives(rows, 5, draws)
    assert drawn.lengths.tolist() == [0 if length == WIDTH else 5 * length for length in rows.lengths.tolist()]
    slow = Slow(network)
    error, penalty = slow.loss(rows, kept, drawn)
    (error + penalty).backward()

    assert loss.total.item() == pytest.approx((error + penalty).item(), rel=1e-5)
    assert number(loss.parts["error"]) == pytest.approx(error.item(), rel=1e-5)
    assert number(loss.parts["penalty"]) == pytest.approx(penalty.item(), rel=1e-5)
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert gradients.keys() == slow.leaves.keys()
    for name, leaf in slow.leaves.items():
        unread = dropout == 1 and not tied and name == "input.weight"
        expected = torch.zeros_like(leaf) if unread else leaf.grad
        gradient = gradients[name]
        assert gradient is not None
        assert expected is not None
        assert unread or expected.abs().max() > 1e-3
        torch.testing.assert_close(gradient.double(), expected, rtol=1e-4, atol=1e-6)
    # Nothing else was drawn: one mask and the negatives.
    assert torch.equal(generator.get_state(), draws.get_state())


@pytest.mark.parametrize(
    ("variant", "linear", "squared"),
    [("m1", True, True), ("m2", True, False), ("m3", False, True), ("m4", False, False)],
)
def test_the_variants_are_those_of_the_paper(
    variant: str, linear: bool, squared: bool, generator: torch.Generator
) -> None:
    network = network_of(variant=variant, l2=0.0, dropout=0.0, negatives=0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.users[2] = torch.tensor([2.0, 0, -2, 30])
        code = network.encode(all_rows().take(torch.tensor([2])))
        assert torch.allclose(code, torch.tensor([[2.0, 0, -2, 30]]) if linear else torch.sigmoid(network.users[2:3]))
        network.bias.fill_(-1)
        row = all_rows().take(torch.tensor([2]))
        error = network.loss(row, step_with(generator)).total.item()
    # (1 − (−1))² for each entry, or −log σ(−1)
    assert error == pytest.approx(len(row.values) * (4 if squared else math.log(1 + math.e)), rel=1e-5)


def test_the_values_of_a_history_do_not_matter_only_its_items(rows: Rows) -> None:
    network, changed = network_of(), rows.with_values(rows.values * 7 + 1)
    losses = [network.loss(x, step_with(torch.Generator().manual_seed(4))).total.item() for x in (rows, changed)]
    assert losses[0] == losses[1]
    with torch.no_grad():
        assert torch.equal(network(rows), network(changed))


# F3, F14: the loss


def test_f03_f14_the_loss_reads_only_interactions_and_sampled_negatives(rows: Rows, generator: torch.Generator) -> None:
    """The output weights of other items neither have a gradient nor matter."""
    few = rows.take(torch.tensor([0]))
    network, draws = network_of(dropout=0.0, negatives=1), copy_of(generator)
    used = {*few.indices.tolist(), *sampling.negatives(few, 1, draws).indices.tolist()}
    unused = sorted(set(range(WIDTH)) - used)
    assert 2 <= len(unused) < WIDTH
    loss = network.loss(few, step_with(copy_of(generator)))
    loss.total.backward()
    assert network.output is not None
    for parameter in (network.output, network.bias):
        assert parameter.grad is not None
        assert (parameter.grad[unused] == 0).all()
        assert (parameter.grad[sorted(used)] != 0).all()
    with torch.no_grad():
        network.output[unused] = 1e6
        network.bias[unused] = -1e6
    assert network.loss(few, step_with(copy_of(generator))).total.item() == loss.total.item()


def with_fixed_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each user's draws the same in every batch."""
    drawn = sampling.negatives(all_rows(), 5, torch.Generator().manual_seed(8))
    monkeypatch.setattr(cdae, "negatives", lambda x, per_entry, generator: drawn.take(x.positions))


def test_f03_the_loss_of_a_batch_is_the_mean_of_the_losses_of_its_rows(
    rows: Rows, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This includes the penalty: neither depends on the batch size, so neither does the best learning rate."""
    with_fixed_draws(monkeypatch)
    network = network_of(dropout=0.0, l2=0.3)

    def gradients(of: Rows) -> list[Tensor]:
        loss = network.loss(of, step_with(generator))
        losses = [loss.total, *map(torch.as_tensor, loss.parts.values())]
        return [torch.stack(losses).detach(), *torch.autograd.grad(loss.total, list(network.parameters()))]

    together = gradients(rows)
    apart = [gradients(rows.take(torch.tensor([row]))) for row in range(len(rows))]
    twice = gradients(rows.take(torch.arange(len(rows)).repeat(2)))
    for i, of_batch in enumerate(together):
        torch.testing.assert_close(
            of_batch, torch.stack([of_row[i] for of_row in apart]).mean(dim=0), rtol=1e-4, atol=1e-6
        )
        torch.testing.assert_close(of_batch, twice[i], rtol=1e-4, atol=1e-6)


def test_f03_f14_the_penalty_is_of_squares_of_all_parameters_in_use(
    rows: Rows, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each weight, also of the output layer and biases, decays by l2 times the number of rows that use it."""
    with_fixed_draws(monkeypatch)
    network = network_of(dropout=0.0, l2=0.3)
    penalty = network.loss(rows, step_with(generator)).parts["penalty"]
    assert isinstance(penalty, Tensor)
    named = dict(network.named_parameters())
    gradients = dict(zip(named, torch.autograd.grad(penalty, list(named.values())), strict=True))
    drawn = cdae.negatives(rows, 5, generator)
    reads = torch.bincount(rows.indices, minlength=WIDTH)
    visits = reads + torch.bincount(drawn.indices, minlength=WIDTH)
    times = {
        "input.weight": reads.unsqueeze(1),
        "input.bias": torch.tensor(len(rows)),
        "users": torch.bincount(rows.positions, minlength=USERS).unsqueeze(1),
        "output": visits.unsqueeze(1),
        "bias": visits,
    }
    assert times.keys() == named.keys()
    for name, parameter in named.items():
        expected = 0.3 * times[name] / len(rows) * parameter.detach()
        assert expected.abs().max() > 0
        torch.testing.assert_close(gradients[name], expected, rtol=1e-4, atol=1e-7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    doubled = network.loss(rows, step_with(generator)).parts["penalty"]
    assert number(doubled) == pytest.approx(4 * penalty.item(), rel=1e-5)


def test_f03_the_penalty_is_in_the_loss_and_not_added_again_by_the_optimizer() -> None:
    network = network_of(l2=0.3)
    assert network.weight_decay() == 0
    # A user without items is visited too: their vector decays, and the output layer does not move.
    nobody = rows_of(matrix(USERS, WIDTH, density=0))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    network.spec = dataclasses.replace(network.spec, epochs=1, batch_size=USERS, lr=0.01)
    network.learn(nobody, Run(device="cpu"))
    for name, parameter in network.named_parameters():
        moves = 0.01 * before[name].sign() if name in ("users", "input.bias") else 0
        torch.testing.assert_close(parameter.detach(), before[name] - moves, rtol=1e-3, atol=1e-5)


def test_f03_f14_the_defaults_are_the_papers() -> None:
    """M4 with a sigmoid code, five negatives for each positive, weights untied; 50 dimensions and 50 passes."""
    spec = CDAE.paper()
    assert (spec.variant, spec.negatives, spec.tied, spec.latent, spec.dropout) == ("m4", 5, False, 50, 0.5)
    assert (spec.l2, spec.epochs, spec.clip_norm, spec.lr_schedule) == (0.01, 50, 0, "constant")
    network = spec.build(Shape(60, 70))
    with torch.no_grad():
        code = network.encode(rows_of(matrix(60, 70)))
    assert 0 < code.min() < 0.4
    assert 0.6 < code.max() < 1
    assert {name: tuple(parameter.shape) for name, parameter in network.named_parameters()} == {
        "users": (60, 50),
        "output": (70, 50),
        "bias": (70,),
        "input.weight": (70, 50),
        "input.bias": (50,),
    }


# F14: the negatives


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Rows, Rows]]:
    """Record the rows for which negatives are drawn, and the negatives."""
    seen: list[tuple[Rows, Rows]] = []
    genuine: Callable[..., Rows] = sampling.negatives

    def remembering(x: Rows, per_entry: int, generator: torch.Generator) -> Rows:
        seen.append((x, genuine(x, per_entry, generator)))
        return seen[-1][1]

    monkeypatch.setattr(cdae, "negatives", remembering)
    return seen


def test_f14_negatives_are_five_for_each_positive_and_drawn_afresh_at_every_visit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, rows = watched(monkeypatch), all_rows()
    network = network_of(epochs=3, batch_size=5)
    network.learn(rows, Run(device="cpu"))
    assert len(seen) == 9
    drawn: dict[int, list[list[int]]] = {user: [] for user in range(USERS)}
    for batch, sampled in seen:
        split = sampled.indices.split(sampled.lengths.tolist())
        for user, columns in zip(batch.positions.tolist(), split, strict=True):
            drawn[user].append(columns.tolist())
    for user, visits in drawn.items():
        length = int(rows.lengths[user])
        assert [len(columns_of_visit) for columns_of_visit in visits] == [0 if length in (0, WIDTH) else 5 * length] * 3
        assert len({tuple(columns_of_visit) for columns_of_visit in visits}) == (1 if length in (0, WIDTH) else 3)


def test_f14_over_the_visits_negatives_are_uniform_over_the_items_without_interaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, rows = watched(monkeypatch), all_rows()
    network_of(epochs=100, batch_size=12, lr=0.0).learn(rows, Run(device="cpu"))
    counts = np.zeros((USERS, WIDTH))
    for batch, sampled in seen:
        np.add.at(counts, (batch.positions[sampled.row_of_entry].numpy(), sampled.indices.numpy()), 1)
    bounds = rows.indptr.tolist()
    for user in range(USERS):
        items = rows.indices[bounds[user] : bounds[user + 1]].tolist()
        unseen = np.setdiff1d(np.arange(WIDTH), items)
        assert counts[user, items].sum() == 0
        if 0 < len(items) < WIDTH:
            assert counts[user].sum() == 100 * 5 * len(items)
            assert stats.chisquare(counts[user, unseen]).pvalue > 1e-4


def test_the_number_of_negatives_can_be_chosen(rows: Rows, generator: torch.Generator) -> None:
    for negatives in (0, 2):
        network, draws = network_of(negatives=negatives, dropout=0.0, l2=0.0), copy_of(generator)
        error, _ = Slow(network).loss(rows, [True] * len(rows.values), sampling.negatives(rows, negatives, draws))
        assert network.loss(rows, step_with(copy_of(generator))).total.item() == pytest.approx(error.item(), rel=1e-5)


# Corruption


def test_entries_are_dropped_with_their_probability_and_survivors_scaled(
    rows: Rows, generator: torch.Generator
) -> None:
    network = network_of(dropout=0.75)
    inputs: list[Rows] = []
    network.input.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    for _ in range(100):
        network.loss(rows, step_with(generator))
    values = torch.stack([x.values for x in inputs])
    assert set(values.unique().tolist()) == {0, 4}
    assert (values > 0).double().mean().item() == pytest.approx(0.25, abs=5 * math.sqrt(0.1875 / values.numel()))


@pytest.mark.parametrize("tied", [False, True])
def test_with_everything_dropped_it_is_a_factor_model(tied: bool) -> None:
    """A user's scores are W' σ(V_u + b) + b', whatever their history."""
    network = network_of(dropout=1.0, tied=tied, epochs=3, batch_size=5)
    before = network.input.weight.detach().clone()
    network.learn(all_rows(), Run(device="cpu"))
    assert torch.equal(before, network.input.weight) != tied
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    rows = all_rows()
    mirrored = Rows(rows.indptr, rows.width - 1 - rows.indices, rows.values, rows.width, rows.positions)
    with torch.no_grad():
        scores = network.eval()(rows)
        expected = torch.sigmoid(network.users + network.input.bias) @ network.item_vectors().T + network.bias
        torch.testing.assert_close(scores, expected)
        assert torch.equal(scores, network(mirrored))
        unknown = network(dataclasses.replace(rows, positions=torch.full((USERS,), -1)))
        torch.testing.assert_close(unknown, unknown[:1].expand_as(unknown))
        assert len(scores.unique(dim=0)) == USERS


# Scoring


def test_f06_scores_are_of_the_whole_unscaled_history_and_equal_from_call_to_call(rows: Rows) -> None:
    network = network_of(dropout=0.5)
    slow = Slow(network)
    with torch.no_grad():
        expected = []
        for row, user in enumerate(rows.positions.tolist()):
            seen = rows.indices[slice(*rows.indptr[row : row + 2].tolist())].tolist()
            expected.append(slow.w_out @ slow.code(seen, slow.v[user], 1) + slow.b_out)
        for mode in (network.train, network.eval, network.train):
            torch.testing.assert_close(mode()(rows).double(), torch.stack(expected), rtol=1e-5, atol=1e-6)
        assert torch.equal(network.train()(rows), network.eval()(rows))


def test_an_unknown_user_has_the_mean_vector_of_users_with_interactions(rows: Rows) -> None:
    network = network_of()
    with torch.no_grad():
        network.finalize(all_rows())
        active = [user for user in range(USERS) if all_rows().lengths[user]]
        assert len(active) == USERS - 3
        torch.testing.assert_close(network.mean_user, network.users[active].mean(dim=0))
        new = dataclasses.replace(rows, positions=torch.tensor([-1, 3, -1, 11, -1, -1, 8]))
        own_vector, mixed = network(rows), network(new)
        network.users[:] = network.mean_user
        mean = network(rows)
    for row, position in enumerate(new.positions.tolist()):
        torch.testing.assert_close(mixed[row], mean[row] if position < 0 else own_vector[row])
        assert not torch.allclose(mixed[row], own_vector[row] if position < 0 else mean[row])


def test_a_block_of_items_is_decoded_like_the_whole(rows: Rows) -> None:
    network = network_of()
    with torch.no_grad():
        z = network.encode(rows)
        torch.testing.assert_close(network.decode(z, slice(3, 9)), network.decode(z)[:, 3:9])


# Weights


def test_tied_weights_are_one_matrix_and_untied_ones_two() -> None:
    tied, untied = network_of(tied=True), network_of()
    assert [name for name, _ in tied.named_parameters()] == ["users", "bias", "input.weight", "input.bias"]
    assert tied.item_vectors() is tied.input.weight
    assert untied.item_vectors() is untied.output
    assert untied.output is not untied.input.weight


def test_weights_start_uniform_as_in_the_authors_code_and_biases_at_nothing() -> None:
    """Weights lie within 4 √(6 / (items + latent))."""
    with seeded(3):
        network = CDAE.paper().build(Shape(400, 300))
    limit = 4 * math.sqrt(6 / 350)
    for name, parameter in network.named_parameters():
        values = parameter.detach()
        if values.ndim == 1:
            assert (values == 0).all(), name
        else:
            assert limit * 0.999 < values.abs().max() <= limit, name
            assert values.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.02), name
            assert values.mean().item() == pytest.approx(0, abs=0.03), name
