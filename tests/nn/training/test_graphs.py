"""Tests of CUDA graphs, on a pretended GPU whose graphs keep the contract of PyTorch's."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recsys_ae.nn.training import graphs
from recsys_ae.nn.training.graphs import Graphs
from tests.pretended.machine import pretended_gpu
from tests.pretended.record import Record


class Network(nn.Module):
    """A part with a hidden layer and a scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.unused = nn.Linear(2, 2)

    def part(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.layer(x))
        return hidden, hidden.square().mean()

    def waiting(self, x: Tensor) -> tuple[Tensor]:
        return (self.layer(x) * float(x.detach().sum()),)


@pytest.fixture
def record() -> Iterator[Record]:
    with pretended_gpu() as record:
        yield record


@pytest.fixture
def network(record: Record) -> Network:
    torch.manual_seed(0)
    return Network().to("cuda:0")


def batch(seed: int, n: int = 5) -> Tensor:
    draws = torch.Generator("cuda:0").manual_seed(seed)
    return torch.randn(n, 3, device="cuda:0", generator=draws).requires_grad_()


def results(run: Callable[[Tensor], Any], network: Network, x: Tensor) -> list[Tensor]:
    """Return outputs and gradients of a part, on the CPU."""
    outputs = run(x)
    slopes = torch.autograd.grad(outputs[0].sum() + 3 * outputs[-1].sum(), [x, network.layer.weight])
    return [tensor.detach().cpu() for tensor in (*outputs, *slopes)]


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_a_part_is_captured_once_and_replayed_with_the_same_results(network: Network, record: Record) -> None:
    made = Graphs(network)
    for seed in range(6):
        made.begin()
        found = results(lambda x: made.run(network.part, x), network, batch(seed))
        assert_same(found, results(network.part, network, batch(seed)))
        # The first batch is not known to have the shape of the next one.
        assert record.graphs == (seed > 0)
        with torch.no_grad():
            network.layer.weight.mul_(0.9)  # as an optimizer does, in the same memory


def test_batches_of_other_shapes_are_computed_without_the_graph(network: Network, record: Record) -> None:
    made = Graphs(network)
    for n in (5, 3, 5, 3, 5, 5, 3, 3, 5, 1):
        made.begin()
        found = results(lambda x: made.run(network.part, x), network, batch(n, n))
        assert_same(found, results(network.part, network, batch(n, n)))
    assert record.graphs == 1


def test_scalars_are_not_overwritten_by_the_next_batch(network: Network, record: Record) -> None:
    made, logged = Graphs(network), list[Tensor]()
    for seed in range(5):
        made.begin()
        logged.append(made.run(network.part, batch(seed))[1].detach())
    assert_same([one.cpu() for one in logged], [network.part(batch(seed))[1].detach().cpu() for seed in range(5)])


def test_a_second_use_in_the_same_loss_does_not_overwrite_the_first(network: Network, record: Record) -> None:
    made = Graphs(network)
    for seed in range(4):
        made.begin()
        first, second = batch(seed), batch(10 + seed)
        hidden = made.run(network.part, first)[0], made.run(network.part, second)[0]
        slopes = torch.autograd.grad(hidden[0].sum() + 2 * hidden[1].sum(), [first, second])
        expected = network.part(first)[0].sum() + 2 * network.part(second)[0].sum()
        assert_same([one.cpu() for one in slopes], [o.cpu() for o in torch.autograd.grad(expected, [first, second])])
    assert record.graphs == 1


def test_large_inputs_are_computed_without_a_graph(
    network: Network, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "SMALL", 15)
    for n, expected in ((6, 0), (5, 1)):
        made = Graphs(network)
        for seed in range(3):
            made.run(network.part, batch(seed, n))
        assert record.graphs == expected


def captured(network: Network) -> Graphs:
    made = Graphs(network)
    for seed in range(2):
        made.begin()
        made.run(network.part, batch(seed))
    made.begin()
    return made


def test_weights_that_were_moved_are_noticed(network: Network, record: Record) -> None:
    made = captured(network)
    network.layer.weight.data = network.layer.weight.data.clone() * 2
    with pytest.warns(UserWarning, match="^the training continues without a CUDA graph.*: its weights were moved"):
        found = results(lambda x: made.run(network.part, x), network, batch(7))
    assert_same(found, results(network.part, network, batch(7)))
    assert_same(
        results(lambda x: made.run(network.part, x), network, batch(8)), results(network.part, network, batch(8))
    )


def test_weights_that_are_frozen_after_the_capture_are_noticed(network: Network, record: Record) -> None:
    made = captured(network)
    network.layer.weight.requires_grad_(False)
    with pytest.warns(UserWarning, match="without a CUDA graph"):
        made.run(network.part, batch(7))


def test_loading_weights_keeps_them_where_a_graph_reads_them(network: Network, record: Record) -> None:
    made = captured(network)
    network.load_state_dict({name: 3 * tensor for name, tensor in network.state_dict().items()})
    assert_same(
        results(lambda x: made.run(network.part, x), network, batch(7)), results(network.part, network, batch(7))
    )


def check_plain(made: Graphs, part: Any, network: Network) -> None:
    """Compute several batches, the second of which is captured."""
    for seed in range(4):
        made.begin()
        found = results(lambda x: made.run(part, x), network, batch(seed))
        assert_same(found, results(part, network, batch(seed)))


def one_warning(made: Graphs, part: Any, network: Network, reason: str) -> None:
    with pytest.warns(UserWarning, match="without a CUDA graph") as warned:
        check_plain(made, part, network)
    sentence = f"the training continues without a CUDA graph, which is slower: {reason}"
    assert [str(one.message) for one in warned] == [sentence]


def test_a_part_that_waits_for_the_gpu_cannot_be_captured(network: Network, record: Record) -> None:
    one_warning(Graphs(network), network.waiting, network, "operation not permitted when stream is capturing")
    assert record.graphs == 0


@pytest.mark.parametrize("error", [RuntimeError, torch.OutOfMemoryError, AssertionError])
def test_a_failing_capture_leaves_the_plain_form(
    error: type[Exception], network: Network, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error("CUDA error: no\nadvice in further lines")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fail)
    one_warning(Graphs(network), network.part, network, "CUDA error: no")


class Wrong(torch.autograd.Function):
    """The identity, with a factor in one of the directions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, forward: float, backward: float) -> Tensor:
        ctx.backward_factor = backward
        return x * forward

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient * ctx.backward_factor, None, None


@pytest.mark.parametrize(("forward", "backward"), [(1.1, 1.0), (1.0, 0.9), (float("nan"), 1.0), (1.0, float("nan"))])
def test_a_replay_with_other_results_is_not_used(
    forward: float, backward: float, network: Network, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = torch.cuda.make_graphed_callables

    def wrong(*args: Any, **how: Any) -> Any:
        replay = real(*args, **how)
        return lambda *inputs: tuple(Wrong.apply(one, forward, backward) for one in replay(*inputs))

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", wrong)
    one_warning(Graphs(network), network.part, network, "its results differ from those without it")


def test_a_replay_that_does_not_read_its_inputs_is_not_used(
    network: Network, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = torch.cuda.make_graphed_callables

    def stale(*args: Any, **how: Any) -> Any:
        replay = real(*args, **how)
        return lambda x, *weights: replay(0 * x, *weights)

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", stale)
    one_warning(Graphs(network), network.part, network, "its results differ from those without it")
