"""Moving average of the weights: its recursion, and its use in training."""

import pytest
import torch
from torch import nn

from recsys_ae.nn.training.kept_weights import RunningAverage
from tests.nn.small import Tiny
from tests.nn.training.test_loop import learn, network_of, scripted, weights_of


def test_the_average_follows_its_recursion() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 2.0)
    average, expected = RunningAverage(layer, 0.9), 2.0
    for update in range(1, 40):
        nn.init.constant_(layer.weight, float(update % 7))
        average.update(update)
        decay = min(0.9, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * (update % 7)
        with average.applied():
            assert float(layer.weight.detach()) == pytest.approx(expected, rel=1e-5)
        assert float(layer.weight.detach()) == update % 7


def test_the_network_has_its_weights_back_after_a_failure_inside() -> None:
    layer = nn.Linear(2, 2)
    average, before = RunningAverage(layer, 0.5), layer.weight.clone()
    nn.init.zeros_(layer.weight)
    seen = []

    def fail() -> None:
        with average.applied():
            seen.append(layer.weight.clone())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(seen[0], before)
    assert not layer.weight.any()


def test_no_decay_leaves_the_weights_alone() -> None:
    layer = nn.Linear(2, 2)
    average = RunningAverage(layer, 0.0)
    nn.init.ones_(layer.weight)
    average.update(1)
    average.exchange()
    assert layer.weight.eq(1).all()


def test_the_average_is_what_is_validated_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights after each update are averaged by hand, and compared with those that a validation sees."""
    network = network_of(Tiny(epochs=4, ema_decay=0.9))
    after_updates, validated = [weights_of(network)], []
    monkeypatch.setattr(network, "after_step", lambda: after_updates.append(weights_of(network)))
    learn(network, scripted([0.1, 0.2, 0.9, 0.3], watch=lambda: validated.append(weights_of(network))))
    per_epoch = (len(after_updates) - 1) // 4
    for name, start in after_updates[0].items():
        average = start.double()
        for update, weights in enumerate(after_updates[1:], start=1):
            decay = min(0.9, (1 + update) / (10 + update))
            average = decay * average + (1 - decay) * weights[name]
            if update % per_epoch == 0:
                actual = validated[update // per_epoch - 1][name]
                torch.testing.assert_close(actual.double(), average, rtol=1e-5, atol=1e-7)
                assert not torch.allclose(actual, weights[name], rtol=1e-3)
        assert torch.equal(network.state_dict()[name], validated[2][name])


def test_the_average_takes_no_part_in_the_updates() -> None:
    plain, averaged = network_of(Tiny(epochs=3)), network_of(Tiny(epochs=3, ema_decay=0.9))
    without, with_average = learn(plain), learn(averaged, scripted([0.3, 0.2, 0.1]))
    assert [epoch["loss"] for epoch in without] == [epoch["loss"] for epoch in with_average]


def test_without_validation_the_last_average_is_kept() -> None:
    plain, averaged = network_of(Tiny(epochs=3)), network_of(Tiny(epochs=3, ema_decay=0.999))
    start = weights_of(averaged)["output.weight"]
    learn(plain)
    learn(averaged)
    moved, lagging = ((network.output.weight.detach() - start).norm() for network in (plain, averaged))
    assert 0 < float(lagging) < float(moved)
