"""Classifiers with few labels, on fixed codes and with a fine-tuned encoder."""

import numpy as np
import pytest
import torch

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.classifiers import Linear
from recsys_ae.features.analysis.few_labels import _Tuned, few_labels, fine_tuned, labelled
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.nn.runtime import Run
from tests.features.analysis.small import encoder, rows
from tests.features.models.curves import sequences, small

pytest.importorskip("sklearn")


def test_a_share_of_each_label_is_drawn_and_at_least_one() -> None:
    labels = np.repeat(["a", "b", "c"], [100, 10, 2])
    drawn = labelled(labels, 0.2, seed=3)
    assert dict(zip(*np.unique(labels[drawn], return_counts=True), strict=True)) == {"a": 20, "b": 2, "c": 1}
    np.testing.assert_array_equal(drawn, labelled(labels, 0.2, seed=3))
    assert (drawn != labelled(labels, 0.2, seed=4)).any()
    assert len(set(drawn)) == len(drawn)
    assert labelled(labels, 1).tolist() == list(range(112))
    with pytest.raises(ConfigError, match="share = 0 of the labels"):
        labelled(labels, 0)
    with pytest.raises(DataError, match="3 rows have 1 label"):
        labelled(np.ones(3), 0.5)


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.21, 2), (0.26, 3), (0.24, 2), (0.29, 3), (0.04, 1), (0.01, 1), (0.99, 10)]
)
def test_shares_of_labels_are_rounded(share: float, drawn: int) -> None:
    assert len(labelled(np.repeat(["a", "b"], 10), share)) == 2 * drawn


def test_turning_moving_and_stretching_rows_changes_no_answer() -> None:
    features, labels = rows(60)
    values = np.asarray(features.matrix, np.float64)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 9)))[0]
    usual, turned = Linear(values, labels), Linear(7 * values @ turn + 3, labels)
    np.testing.assert_allclose(usual.predict_proba(values), turned.predict_proba(7 * values @ turn + 3), atol=1e-3)


def test_more_labels_help_and_every_entry_says_what_it_is() -> None:
    train, labels = rows(400, classes=6)
    test, expected = rows(300, seed=1, classes=6)
    names = np.array(list("abcdef"))
    found = few_labels(
        np.asarray(train.matrix), names[labels], np.asarray(test.matrix), names[expected], [0.01, 0.5], seeds=[0, 1, 2]
    )
    assert [(one["share"], one["seed"]) for one in found] == [(s, n) for s in (0.01, 0.5) for n in (0, 1, 2)]
    assert found[0]["labelled"] == 6
    few, many = (np.mean([one["accuracy"] for one in found if one["share"] == share]) for share in (0.01, 0.5))
    assert 0.5 < few < many
    drawn = labelled(names[labels], 0.5, seed=1)
    again = Linear(np.asarray(train.matrix)[drawn], names[labels][drawn])
    assert found[4]["accuracy"] == again.accuracy(np.asarray(test.matrix), names[expected])


@pytest.mark.parametrize("classes", [2, 3])
def test_training_on_begins_as_the_regression_on_codes(classes: int) -> None:
    train, labels = rows(100, classes=classes)
    test, expected = rows(100, seed=1, classes=classes)
    model = encoder("deep")
    codes, others = (np.asarray(model.encode(part).matrix) for part in (train, test))
    found = fine_tuned(model, train, labels, test, expected, [0.3], seeds=[0, 1], updates=0)
    assert found == few_labels(codes, labels, others, expected, [0.3], seeds=[0, 1])
    drawn = labelled(labels, 0.3)
    tuned = _Tuned(model, train.take(drawn), labels[drawn], classes)
    with torch.no_grad():
        odds = torch.softmax(tuned.head(torch.from_numpy(others)), dim=1).numpy()
    np.testing.assert_allclose(odds, Linear(codes[drawn], labels[drawn]).predict_proba(others), atol=1e-4)


def test_training_on_helps_and_leaves_the_encoder_as_it_was() -> None:
    train, _ = rows(300)
    test, _ = rows(300, seed=1)
    model = encoder("deep", 2)
    # The code hardly holds what separates these labels: the sign of a product of two columns' deviations.
    sides = [np.asarray(part.matrix)[:, :2] - np.median(train.matrix[:, :2], axis=0) for part in (train, test)]
    labels, expected = (np.where(side.prod(axis=1) > 0, "even", "odd") for side in sides)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    start, end = (
        fine_tuned(model, train, labels, test, expected, [0.8], seeds=[0], updates=updates, lr=1e-2)[0]["accuracy"]
        for updates in (0, 300)
    )
    assert end > start + 0.05
    for name, tensor in model.network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    assert model.network.training is False
    again = fine_tuned(model, train, labels, test, expected, [0.8], seeds=[0], updates=300, lr=1e-2)
    assert again[0]["accuracy"] == end


def test_recurrent_layers_get_gradients_in_training_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuDNN computes them in no other; without dropout the mode makes no difference to the result."""
    train = sequences(20)
    model = FeatureEncoder(small("recurrent", epochs=1)).fit(train, run=Run(device="cpu"))
    modes = []
    monkeypatch.setattr(
        "torch.nn.LSTM.forward",
        lambda self, *args, real=torch.nn.LSTM.forward: modes.append(self.training) or real(self, *args),
    )
    tuned = _Tuned(model, train, np.arange(20) % 2, 2)
    modes.clear()
    tuned.train(2, 1e-3, 0)
    assert modes == [True, True]
    assert not tuned.network.training
    assert not model.network.reader.training  # type: ignore[union-attr]


def test_labels_that_do_not_fit_are_refused() -> None:
    train, labels = rows(20)
    with pytest.raises(DataError, match="20 training and 20 test rows have 19 and 20 labels"):
        fine_tuned(encoder(), train, labels[1:], train, labels, [0.5], seeds=[0])
    with pytest.raises(ConfigError, match="updates = -1"):
        fine_tuned(encoder(), train, labels, train, labels, [0.5], seeds=[0], updates=-1)
    with pytest.raises(DataError, match="training rows of shape"):
        few_labels(np.ones(3), labels, np.ones((2, 2)), labels[:2], [0.5], seeds=[0])
