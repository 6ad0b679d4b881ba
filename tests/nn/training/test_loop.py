"""Training loop: updates, batches, best weights, reports, errors and reproducibility."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_ae.errors import ConfigError, TrainingError
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Progress, Run, seeded
from recsys_ae.nn.training import updates
from recsys_ae.nn.training.optimizers import BatchOptimizer
from recsys_ae.nn.training.schedules import decay
from recsys_ae.nn.training.steps import Loss, Step
from recsys_ae.spec.hyper import hp
from recsys_ae.tracking import NoTracker
from tests.nn.small import Tiny, TinyNetwork, matrix, rows_of

DATA = matrix(11, 6, density=0.6)
DENSE = DATA.toarray().astype(np.float64)


class Notebook(NoTracker):
    """Tracker that stores what it receives."""

    def __init__(self) -> None:
        self.written: list[tuple[int | None, dict[str, float]]] = []

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        self.written.append((step, dict(values)))


def network_of(spec: Tiny, kind: type[TinyNetwork] = TinyNetwork) -> TinyNetwork:
    with seeded(1):
        return kind(spec, Shape(*DATA.shape))


def learn(
    network: TinyNetwork, validate: Callable[[], dict[str, float]] | None = None, **circumstances: Any
) -> list[dict[str, float]]:
    return network.learn(rows_of(DATA), Run(**{"device": "cpu", **circumstances}), validate)


def weights_of(network: TinyNetwork) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def scripted(values: list[float], watch: Callable[[], None] = lambda: None) -> Callable[[], dict[str, float]]:
    """Return a validation function that returns these values, one after the other."""
    remaining: Iterator[float] = iter(values)

    def validate() -> dict[str, float]:
        watch()
        return {"ndcg@100": next(remaining)}

    return validate


# Updates


def _slow_adam(network: TinyNetwork, spec: Tiny, start: dict[str, Tensor]) -> dict[str, NDArray[np.float64]]:
    """Adam (Kingma & Ba 2015, algorithm 1) on error + l2 Σ w², gradients by hand, on the batches drawn."""
    names = ["input.weight", "input.bias", "output.weight", "output.bias"]
    state = {name: start[name].double().numpy() for name in names}
    m = {name: np.zeros_like(value) for name, value in state.items()}
    v = {name: np.zeros_like(value) for name, value in state.items()}
    for positions, step, _ in network.batches:
        x = DENSE[positions.numpy()]
        codes = x @ state["input.weight"] + state["input.bias"]
        slope = 2 * (codes @ state["output.weight"].T + state["output.bias"] - x) / len(x)
        back = slope @ state["output.weight"]
        gradient = dict(zip(names, [x.T @ back, back.sum(0), slope.T @ codes, slope.sum(0)], strict=True))
        if spec.clip_norm:
            norm = math.sqrt(sum((values**2).sum() for values in gradient.values()))
            gradient = {name: values * min(1.0, spec.clip_norm / norm) for name, values in gradient.items()}
        for name in names:
            decayed = 2 * spec.l2 * state[name] if name.endswith("weight") else 0
            g = gradient[name] + decayed
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            t = step.update + 1
            lr = spec.lr * decay(spec.lr_schedule, step.update, step.total)
            corrected = m[name] / (1 - 0.9**t), v[name] / (1 - 0.999**t)
            state[name] = state[name] - lr * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    return state


def _assert_follows_slow_adam(spec: Tiny) -> None:
    network = network_of(spec)
    start = weights_of(network)
    learn(network)
    for name, expected in _slow_adam(network, spec, start).items():
        np.testing.assert_allclose(network.state_dict()[name].numpy(), expected, rtol=1e-4, atol=1e-5, err_msg=name)
        assert np.abs(expected - start[name].numpy()).max() > 5 * spec.lr


def test_updates_are_those_of_adam() -> None:
    _assert_follows_slow_adam(Tiny(epochs=6, lr=0.01))


@pytest.mark.parametrize("l2", [0.01, 3.0])
def test_f02_f10_f17_l2_adds_the_gradient_of_its_penalty_to_weights_and_not_to_biases(l2: float) -> None:
    _assert_follows_slow_adam(Tiny(epochs=6, lr=0.01, l2=l2))


def test_l2_makes_the_weights_smaller() -> None:
    sizes = []
    for l2 in (0.0, 1.0):
        network = network_of(Tiny(epochs=30, lr=0.02, l2=l2))
        learn(network)
        sizes.append(sum(p.square().sum().item() for p in network.parameters() if p.ndim > 1))
    assert sizes[0] > 1.2 * sizes[1]


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_learning_rate_falls_by_its_schedule_at_every_update(schedule: Any) -> None:
    _assert_follows_slow_adam(Tiny(epochs=8, lr=0.02, lr_schedule=schedule))


def test_a_gradient_is_scaled_down_to_the_norm_asked_for() -> None:
    _assert_follows_slow_adam(Tiny(epochs=6, lr=0.01, clip_norm=2.0))


def test_a_constraint_is_projected_onto_after_every_update() -> None:
    network = network_of(Tiny(epochs=2, batch_size=4))
    learn(network)
    assert network.projections == 6


# Hooks of a model


class Alternating(TinyNetwork):
    """Network that trains its input layer in odd epochs and its output layer in even ones."""

    def __init__(self, spec: Tiny, shape: Shape) -> None:
        super().__init__(spec, shape)
        self.begun: list[tuple[int, int]] = []
        self.standing: list[dict[str, Tensor]] = []

    def begin_epoch(self, epoch: int) -> None:
        self.begun.append((epoch, len(self.batches)))
        self.standing.append(weights_of(self))
        self.input.requires_grad_(epoch % 2 == 1)
        self.output.requires_grad_(epoch % 2 == 0)


def test_every_epoch_is_announced_before_its_first_batch() -> None:
    network = network_of(Tiny(epochs=3, batch_size=4), Alternating)
    assert isinstance(network, Alternating)
    learn(network, scripted([0.1, 0.2, 0.3]))
    assert network.begun == [(1, 0), (2, 3), (3, 6)]


@pytest.mark.parametrize("chosen", [{}, {"l2": 0.5}, {"clip_norm": 0.5, "l2": 0.5}])
def test_what_is_frozen_does_not_move_not_even_by_its_penalty_or_its_momentum(chosen: dict[str, Any]) -> None:
    network = network_of(Tiny(epochs=5, batch_size=4, lr=0.05, **chosen), Alternating)
    assert isinstance(network, Alternating)
    learn(network)
    states = [*network.standing, weights_of(network)]
    for epoch, (before, after) in enumerate(itertools.pairwise(states), start=1):
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        trained = "input" if epoch % 2 else "output"
        assert moved == {f"{trained}.weight", f"{trained}.bias"}


def test_two_groups_that_take_turns_fare_like_with_two_optimizers() -> None:
    """Frozen weights keep their moments and their count of updates, so one Adam equals two."""
    spec = Tiny(epochs=6, batch_size=4, lr=0.05, l2=0.1)
    network, twin = network_of(spec, Alternating), network_of(spec)
    learn(network)
    optimisers = [
        torch.optim.Adam(
            [{"params": [layer.weight], "weight_decay": 0.2}, {"params": [layer.bias], "weight_decay": 0.0}], lr=0.05
        )
        for layer in (twin.input, twin.output)
    ]
    rows = rows_of(DATA)
    for positions, step, _ in network.batches:
        twin.zero_grad()
        torch.autograd.backward(twin.loss(rows.take(positions), step).total)
        optimisers[step.update // 3 % 2].step()
    for name, value in weights_of(network).items():
        torch.testing.assert_close(value, twin.state_dict()[name], rtol=1e-5, atol=1e-6)


class Settling(TinyNetwork):
    """Network with a vector that is computed from its weights and the training rows."""

    derived: Tensor

    def __init__(self, spec: Tiny, shape: Shape) -> None:
        super().__init__(spec, shape)
        self.register_buffer("derived", torch.zeros(spec.latent))
        self.said: list[str] = []
        self.circumstances: list[tuple[list[int], bool, bool]] = []

    def finalize(self, rows: Rows) -> None:
        self.said.append("settled")
        self.circumstances.append((rows.positions.tolist(), self.training, torch.is_grad_enabled()))
        self.derived.copy_(rows.product(self.input.weight).sum(dim=0))

    def assert_settled(self) -> None:
        """Check that the vector belongs to the current weights."""
        expected = rows_of(DATA).product(self.input.weight.detach()).sum(dim=0)
        assert torch.equal(self.derived, expected)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_model_is_settled_on_all_rows_before_each_validation_with_the_weights_that_are_validated(
    average: float,
) -> None:
    network = network_of(Tiny(epochs=3, lr=0.05, ema_decay=average), Settling)
    assert isinstance(network, Settling)
    seen: list[Tensor] = []

    def watch() -> None:
        network.said.append("validated")
        network.assert_settled()
        seen.append(network.derived.clone())

    learn(network, scripted([0.1, 0.3, 0.2], watch=watch))
    assert network.said == ["settled", "validated"] * 3
    assert network.circumstances == [(list(range(11)), False, False)] * 3
    assert torch.equal(network.derived, seen[1])
    network.assert_settled()


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_without_validation_a_model_is_settled_once_at_the_end(average: float) -> None:
    network = network_of(Tiny(epochs=3, lr=0.05, ema_decay=average), Settling)
    assert isinstance(network, Settling)
    learn(network)
    assert network.circumstances == [(list(range(11)), False, False)]
    network.assert_settled()


class Undecayed(TinyNetwork):
    """Network whose loss contains the penalty."""

    decay = 0.0

    def weight_decay(self) -> float:
        return self.decay


def test_a_model_may_say_how_its_weights_decay() -> None:
    found = []
    for l2, kind, factor in (
        (0.3, Undecayed, 0.0),
        (0.0, TinyNetwork, 0.0),
        (0.3, Undecayed, 0.5),
        (0.25, TinyNetwork, 0),
    ):
        network = network_of(Tiny(l2=l2), kind)
        if isinstance(network, Undecayed):
            network.decay = factor
        learn(network)
        found.append(weights_of(network))
    for ours, theirs in (found[:2], found[2:]):
        assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert not torch.equal(found[0]["input.weight"], found[2]["input.weight"])


@dataclass(frozen=True, kw_only=True)
class Searching(Tiny):
    """Hyper-parameters of a network trained by an optimizer for full batches."""

    optimizer: BatchOptimizer = hp("lbfgs", "optimizer of the weights")  # type: ignore[assignment]
    lr: float = hp(1.0, "learning rate")
    batch_size: int = hp(11, "number of rows in a batch")


def test_a_search_along_lines_descends_and_is_logged_with_the_loss_that_it_started_from() -> None:
    network = network_of(Searching(epochs=4))
    with torch.no_grad():
        start = network.loss(rows_of(DATA), Step(0, 1, torch.Generator())).total.item()
    network.batches.clear()
    history = learn(network)
    losses = [epoch["loss"] for epoch in history]
    assert losses[0] == pytest.approx(start, rel=1e-6)
    assert losses == [epoch["error"] for epoch in history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 * losses[0]
    # Adam computes the loss once per step; L-BFGS once per iteration and point of the line search.
    assert len(network.batches) > 4 * 2
    assert [epoch["update"] for epoch in history] == [0, 1, 2, 3]
    assert sorted({step.update for _, step, _ in network.batches}) == [0, 1, 2, 3]
    assert network.projections == 4


def test_a_search_along_lines_is_that_of_pytorch() -> None:
    network, twin = network_of(Searching(epochs=2)), network_of(Searching())
    learn(network)
    ordered = [twin.input.weight, twin.output.weight, twin.input.bias, twin.output.bias]
    optimiser = torch.optim.LBFGS(ordered, lr=1.0, history_size=10, line_search_fn="strong_wolfe")
    rows = rows_of(DATA)

    def closure(positions: Tensor) -> Tensor:
        optimiser.zero_grad()
        total = twin.loss(rows.take(positions), Step(0, 1, torch.Generator())).total
        torch.autograd.backward(total)
        return total

    for update in range(2):
        positions = next(positions for positions, step, _ in network.batches if step.update == update)
        optimiser.step(partial(closure, positions))
    for name, value in weights_of(network).items():
        torch.testing.assert_close(value, twin.state_dict()[name], rtol=1e-4, atol=1e-5)


# Batches


def test_f15_every_row_is_used_once_in_every_epoch_the_last_incomplete_batch_too() -> None:
    network = network_of(Tiny(epochs=2, batch_size=4))
    learn(network)
    batches = [positions.tolist() for positions, _, _ in network.batches]
    assert [len(batch) for batch in batches] == [4, 4, 3, 4, 4, 3]
    assert sorted(itertools.chain(*batches[:3])) == list(range(11))
    assert sorted(itertools.chain(*batches[3:])) == list(range(11))


def test_f05_rows_are_shuffled_anew_in_every_epoch() -> None:
    network = network_of(Tiny(epochs=3, batch_size=4))
    learn(network)
    orders = [list(itertools.chain(*(p.tolist() for p, _, _ in network.batches[i : i + 3]))) for i in (0, 3, 6)]
    assert len({tuple(order) for order in [*orders, list(range(11))]}) == 4


def test_updates_are_counted_over_the_whole_run() -> None:
    network = network_of(Tiny(epochs=2, batch_size=4))
    learn(network)
    assert [(step.update, step.total) for _, step, _ in network.batches] == [(update, 6) for update in range(6)]


def test_a_batch_may_be_larger_than_the_data() -> None:
    network = network_of(Tiny(epochs=2, batch_size=500))
    learn(network)
    assert [len(positions) for positions, _, _ in network.batches] == [11, 11]


def test_losses_are_computed_in_training_mode_also_after_a_validation() -> None:
    network = network_of(Tiny(epochs=3))
    learn(network, scripted([0.1, 0.2, 0.3], watch=network.eval))
    assert all(training for _, _, training in network.batches)


# Best weights


def test_the_best_weights_are_put_back_not_the_last() -> None:
    network = network_of(Tiny(epochs=5))
    seen: list[dict[str, Tensor]] = []
    learn(network, scripted([0.1, 0.3, 0.5, 0.2, 0.4], watch=lambda: seen.append(weights_of(network))))
    assert len(seen) == 5
    assert all(torch.equal(value, seen[2][name]) for name, value in network.state_dict().items())
    assert not torch.equal(network.state_dict()["output.weight"], seen[4]["output.weight"])


def test_f22_the_smallest_improvement_counts() -> None:
    network = network_of(Tiny(epochs=3))
    seen: list[dict[str, Tensor]] = []
    learn(network, scripted([0.5, 0.5 + 1e-9, 0.5 + 1e-9], watch=lambda: seen.append(weights_of(network))))
    assert torch.equal(network.state_dict()["output.weight"], seen[1]["output.weight"])


def test_without_validation_the_last_weights_are_kept() -> None:
    shorter, longer = network_of(Tiny(epochs=2)), network_of(Tiny(epochs=3))
    learn(shorter)
    learn(longer)
    assert len(shorter.batches) < len(longer.batches)
    assert not torch.equal(shorter.output.weight, longer.output.weight)


def test_patience_stops_after_so_many_epochs_without_a_better_one() -> None:
    network = network_of(Tiny(epochs=9, patience=2))
    history = learn(network, scripted([0.1, 0.3, 0.2, 0.4, 0.4, 0.1, 0.9, 0.9, 0.9]))
    assert [epoch["valid/ndcg@100"] for epoch in history] == [0.1, 0.3, 0.2, 0.4, 0.4, 0.1]


@pytest.mark.parametrize("monitor", ["rmse", "mae"])
def test_of_errors_the_smallest_is_the_best(monitor: str) -> None:
    network = network_of(Tiny(epochs=9, patience=2, monitor=monitor))
    seen: list[dict[str, Tensor]] = []
    values = iter([0.5, 0.3, 0.4, 0.2, 0.2, 0.9, 0.1])

    def validate() -> dict[str, float]:
        seen.append(weights_of(network))
        return {"ndcg@100": 0.1 * len(seen), monitor: next(values)}

    history = learn(network, validate)
    assert [epoch[f"valid/{monitor}"] for epoch in history] == [0.5, 0.3, 0.4, 0.2, 0.2, 0.9]
    assert all(torch.equal(value, seen[3][name]) for name, value in network.state_dict().items())


def test_patience_counts_from_the_start_if_no_epoch_can_be_compared() -> None:
    values = [math.nan] * 10
    assert len(learn(network_of(Tiny(epochs=10, patience=3)), scripted(values))) == 3


def test_an_epoch_lasts_from_its_beginning_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is read at the beginning and at the end of each epoch."""
    monkeypatch.setattr(time, "perf_counter", iter([100.0, 102.0, 110.0, 110.5]).__next__)
    history = learn(network_of(Tiny(epochs=2)))
    assert [(epoch["seconds"], epoch["rows_per_second"]) for epoch in history] == [(2, 11 / 2), (0.5, 22)]


def test_no_patience_never_stops_early() -> None:
    assert len(learn(network_of(Tiny(epochs=6)), scripted([0.9, 0.1, 0.1, 0.1, 0.1, 0.1]))) == 6


def test_a_monitor_that_is_not_measured_is_refused_with_what_is() -> None:
    with pytest.raises(ConfigError, match=r"monitor = 'recall@7' is not a validation metric of this fit; use ndcg@100"):
        learn(network_of(Tiny(monitor="recall@7")), scripted([0.1, 0.2, 0.3]))


# Reports


def test_every_epoch_is_handed_to_the_tracker_with_all_its_parts() -> None:
    notebook = Notebook()
    history = learn(network_of(Tiny(epochs=3)), scripted([0.1, 0.2, 0.3]), tracker=notebook)
    assert [step for step, _ in notebook.written] == [1, 2, 3]
    assert [values for _, values in notebook.written] == history
    assert set(history[0]) == {"loss", "error", "update", "seconds", "rows_per_second", "valid/ndcg@100"}
    assert all(epoch["seconds"] > 0 for epoch in history)
    assert all(epoch["rows_per_second"] == pytest.approx(11 / epoch["seconds"]) for epoch in history)
    assert all(isinstance(value, float) for epoch in history for value in epoch.values())


def test_a_loss_is_reported_as_its_mean_over_the_rows() -> None:
    """The last batch is smaller and has less weight; with a learning rate of 0 the network does not change."""
    network = network_of(Tiny(epochs=1, lr=0.0, batch_size=4))
    (measured,) = learn(network)
    codes = DENSE @ network.input.weight.detach().double().numpy() + network.input.bias.detach().double().numpy()
    output = codes @ network.output.weight.detach().double().numpy().T + network.output.bias.detach().double().numpy()
    assert measured["error"] == pytest.approx(((output - DENSE) ** 2).sum() / 11, rel=1e-5)
    assert measured["loss"] == measured["error"]
    assert measured["update"] == pytest.approx((4 * 0 + 4 * 1 + 3 * 2) / 11)


def test_progress_is_reported_after_every_batch() -> None:
    reports: list[Progress] = []
    history = learn(network_of(Tiny(epochs=2, batch_size=4)), progress=reports.append)
    assert [(p.epoch, p.epochs, p.rows, p.n_rows) for p in reports] == [
        (1, 2, 4, 11), (1, 2, 8, 11), (1, 2, 11, 11), (2, 2, 4, 11), (2, 2, 8, 11), (2, 2, 11, 11),
    ]  # fmt: skip
    assert [dict(p.metrics) for p in reports] == [{}] * 3 + [history[0]] * 3


# Errors


class BreakingNetwork(TinyNetwork):
    """Network whose loss is not a number from some update on."""

    breaks_at = 0
    value = float("nan")

    def loss(self, x: Rows, step: Step) -> Loss:
        loss = super().loss(x, step)
        total = loss.total * self.value if step.update >= self.breaks_at else loss.total
        return Loss(total, loss.parts)


@pytest.mark.parametrize(
    ("update", "value", "precision", "message"),
    [
        (0, float("nan"), "fp32", r"the loss is nan at update 1 \(epoch 1\); this is the first loss, .* huge values"),
        (4, float("nan"), "fp32", r"the loss is nan at update 5 \(epoch 2\); .* learning rate is too high: lower lr"),
        (2, float("inf"), "fp32", r"the loss is inf at update 3 \(epoch 1\); .* learning rate is too high"),
        (3, float("nan"), "fp16", r"the loss is nan at update 4 \(epoch 2\); fp16 overflows above 65,504: set .*bf16"),
    ],
)
def test_a_loss_that_is_no_number_stops_with_its_update_and_the_likely_cause(
    update: int, value: float, precision: Any, message: str
) -> None:
    network = network_of(Tiny(epochs=3, batch_size=4), BreakingNetwork)
    assert isinstance(network, BreakingNetwork)
    network.breaks_at, network.value = update, value
    notebook = Notebook()
    with pytest.raises(TrainingError, match=message):
        learn(network, tracker=notebook, precision=precision)
    assert len(notebook.written) == update // 3


def test_a_learning_rate_far_too_high_is_found_out() -> None:
    with pytest.raises(TrainingError, match="the learning rate is too high: lower lr, or set clip_norm"):
        learn(network_of(Tiny(epochs=50, lr=1e30)))


# Reproducibility and side effects


def _trained(seed: int, **circumstances: Any) -> dict[str, Tensor]:
    network = network_of(Tiny(epochs=4, noise=0.5))
    learn(network, seed=seed, **circumstances)
    return weights_of(network)


def test_the_same_seed_gives_the_same_model_to_the_bit_and_another_seed_another() -> None:
    first, again, other = _trained(3), _trained(3), _trained(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_the_global_generators_neither_matter_nor_move() -> None:
    first = _trained(3)
    torch.rand(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index,union-attr]  # noqa: NPY002
    again = _trained(3)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # type: ignore[index]  # noqa: NPY002


def test_neither_tracker_nor_progress_nor_validation_change_the_model() -> None:
    watched = network_of(Tiny(epochs=4, noise=0.5))
    learn(watched, scripted([0.1, 0.2, 0.3, 0.4]), seed=3, tracker=Notebook(), progress=lambda _: None)
    plain = _trained(3)
    assert all(torch.equal(plain[name], value) for name, value in watched.state_dict().items())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_on_the_cpu_and_keeps_its_weights_whole(precision: Any) -> None:
    network = network_of(Tiny(epochs=40, lr=0.02))
    history = learn(network, precision=precision)
    single = learn(network_of(Tiny(epochs=40, lr=0.02)))
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert history[-1]["loss"] == pytest.approx(single[-1]["loss"], rel=0.1)
    assert history[-1]["loss"] != single[-1]["loss"]
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}


def test_a_scaled_gradient_is_clipped_at_its_true_size() -> None:
    """In fp16 the loss is scaled by 65,536; a gradient clipped while scaled would be lost next to the penalty."""
    losses = [
        learn(network_of(Tiny(epochs=40, lr=0.02, l2=0.05, clip_norm=1.0)), precision=precision)[-1]["loss"]
        for precision in ("fp16", "fp32")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_the_rows_are_left_as_they_were() -> None:
    rows = rows_of(DATA)
    before = [rows.indptr.clone(), rows.indices.clone(), rows.values.clone()]
    network_of(Tiny()).learn(rows, Run(device="cpu"))
    assert all(torch.equal(a, b) for a, b in zip(before, [rows.indptr, rows.indices, rows.values], strict=True))


@pytest.mark.parametrize("largest", [0.5, 1e6])
def test_a_gradient_that_is_sparse_in_part_is_clipped_like_a_dense_one(largest: float) -> None:
    table, bias = torch.nn.Parameter(torch.zeros(6, 3)), torch.nn.Parameter(torch.zeros(3))
    dense = torch.zeros(6, 3)
    dense[[1, 4]] = torch.arange(6.0).view(2, 3)
    twins = [torch.nn.Parameter(tensor.detach().clone()) for tensor in (table, bias)]
    twins[0].grad, twins[1].grad = dense.clone(), torch.ones(3)
    torch.nn.utils.clip_grad_norm_(twins, largest)
    rows_with_gradient = torch.tensor([[1, 4]])
    table.grad = torch.sparse_coo_tensor(rows_with_gradient, dense[[1, 4]], (6, 3), check_invariants=True)
    bias.grad = torch.ones(3)
    updates.clip_norm([table, bias], largest)
    torch.testing.assert_close(table.grad.to_dense(), twins[0].grad)
    torch.testing.assert_close(bias.grad, twins[1].grad)


def test_a_gradient_near_zero_is_clipped_to_itself() -> None:
    for size in (0.0, 1e-8, 1e-6):
        parameter = torch.nn.Parameter(torch.zeros(1))
        parameter.grad = torch.tensor([size])
        updates.clip_norm([parameter], 1.0)
        assert parameter.grad.item() == torch.tensor(size).item()


@pytest.mark.parametrize(("precision", "scaled"), [("fp16", True), ("bf16", False), ("fp32", False)])
def test_only_in_fp16_is_the_loss_scaled(precision: Any, scaled: bool) -> None:
    network, run = network_of(Tiny()), Run(device="cpu", precision=precision)
    scaler = updates.Updates(network, run, 1, network.phases(), run.generator()).scaler
    assert scaler.is_enabled() == scaled


# Stops


def _stop_after(updates: int) -> Callable[[list[dict[str, float]]], bool]:
    """Return a function that asks the training to stop once it has been asked so many times."""
    asked = itertools.count(0)  # the first time is before the first update
    return lambda _: next(asked) >= updates


def test_a_stopped_training_ends_with_the_best_complete_epoch() -> None:
    full, stopped = network_of(Tiny(epochs=2, batch_size=4)), network_of(Tiny(epochs=9, batch_size=4))
    learn(full, scripted([0.1, 0.2]))
    asked: list[int] = []

    def stop(history: list[dict[str, float]]) -> bool:
        asked.append(len(history))
        return len(asked) > 9  # in the third epoch of three updates, after its first

    history = learn(stopped, scripted([0.1, 0.2, 0.3]), stop=stop)
    assert len(history) == 2
    assert asked == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert all(torch.equal(value, full.state_dict()[name]) for name, value in stopped.state_dict().items())


def test_a_training_that_is_stopped_in_its_first_epoch_keeps_its_updates() -> None:
    network = network_of(Tiny(epochs=9, batch_size=4))
    history = learn(network, scripted([0.1]), stop=_stop_after(2))
    assert len(history) == 1
    assert history[0]["valid/ndcg@100"] == 0.1
    assert len(network.batches) == 2


def test_without_validation_the_last_updates_count() -> None:
    network = network_of(Tiny(epochs=9, batch_size=4))
    history = learn(network, stop=_stop_after(6))
    assert len(history) == 2
    assert len(network.batches) == 5


def test_a_training_can_be_stopped_after_a_number_of_epochs_while_schedules_keep_their_total() -> None:
    whole, part = (network_of(Tiny(epochs=6, batch_size=4, lr_schedule="linear")) for _ in range(2))
    learn(part, stop=lambda history: len(history) >= 2)
    after: list[dict[str, Tensor]] = []
    learn(whole, scripted([0.1] * 6, lambda: after.append(weights_of(whole))))
    assert len(part.batches) == 6
    assert all(torch.equal(value, after[1][name]) for name, value in part.state_dict().items())


def test_a_training_that_shall_stop_at_once_makes_no_update() -> None:
    network = network_of(Tiny(epochs=3))
    assert learn(network, stop=lambda _: True) == []
    assert network.batches == []
