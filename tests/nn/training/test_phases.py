"""Phases: several losses that are minimised in turn on each batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.steps import Loss, Phase, Step
from tests.nn.small import Tiny, TinyNetwork, matrix, rows_of

DATA = matrix(11, 6, density=0.6)


class TwoPhases(TinyNetwork):
    """Network whose output layer learns in the first phase; the second shrinks its input layer."""

    def phases(self) -> Sequence[Phase]:
        return [
            Phase(self.loss, list(self.output.parameters())),
            Phase(self.shrink, list(self.input.parameters())),
        ]

    def shrink(self, x: Rows, step: Step) -> Loss:
        self.seen: list[tuple[Tensor, int, Tensor]] = getattr(self, "seen", [])
        self.seen.append((x.positions, step.update, self.output.weight.detach().clone()))
        size = self.input.weight.square().sum() + 0 * self.output.weight.sum()  # a gradient that no phase needs
        return Loss(size, {"size": size})


def learnt(kind: type[TinyNetwork], **chosen: float) -> tuple[TinyNetwork, list[dict[str, float]]]:
    with seeded(1):
        network = kind(Tiny(**chosen), Shape(*DATA.shape))  # type: ignore[arg-type]
    return network, network.learn(rows_of(DATA), Run(device="cpu"))


def test_each_phase_moves_its_own_parameters_only_on_the_same_batches() -> None:
    network, history = learnt(TwoPhases)
    assert isinstance(network, TwoPhases)
    assert len(network.seen) == len(network.batches) == 9
    for (positions, update, _), (first, step, _) in zip(network.seen, network.batches, strict=True):
        assert torch.equal(positions, first)
        assert update == step.update
    assert all({"loss", "error", "size"} <= set(measured) for measured in history)
    assert history[-1]["size"] < history[0]["size"]
    assert history[0]["loss"] == history[0]["error"]


def test_a_phase_sees_what_the_one_before_it_has_done_and_leaves_no_gradient_behind() -> None:
    """The output layer is updated as if no other phase computed a gradient of it."""

    class Silent(TwoPhases):
        def shrink(self, x: Rows, step: Step) -> Loss:
            size = self.input.weight.square().sum()
            return Loss(size, {"size": size})

    network, _ = learnt(TwoPhases)
    assert isinstance(network, TwoPhases)
    quiet, _ = learnt(Silent)
    assert torch.equal(network.output.weight, quiet.output.weight)
    assert not torch.equal(network.seen[0][2], network.seen[1][2])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_one_phase_of_everything_is_what_a_network_does_by_default() -> None:
    class Spelt(TinyNetwork):
        def phases(self) -> Sequence[Phase]:
            return [Phase(self.loss, list(self.parameters()))]

    for name, value in learnt(Spelt)[0].state_dict().items():
        assert torch.equal(value, learnt(TinyNetwork)[0].state_dict()[name])


def test_all_phases_draw_from_the_generator_of_the_run_and_parts_that_are_numbers_stay_as_they_are() -> None:
    generators = []

    class Drawing(TwoPhases):
        def loss(self, x: Rows, step: Step) -> Loss:
            generators.append(step.generator)
            return super().loss(x, step)

        def shrink(self, x: Rows, step: Step) -> Loss:
            generators.append(step.generator)
            return Loss(super().shrink(x, step).total, {"tenth": 0.1})

    _, history = learnt(Drawing)
    assert len(generators) == 18
    assert {id(generator) for generator in generators} == {id(generators[0])}
    assert abs(history[0]["tenth"] - 0.1) < 1e-15
