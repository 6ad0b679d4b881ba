"""Contract tests of checkpoints: an interrupted fit goes on and ends with the same weights."""

import dataclasses
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.runtime import Progress, Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import describe
from recsys_ae.testing.blocks import unknown_users
from recsys_ae.testing.fits import Fits, fit_to, state_of


class Resuming(Fits):
    """A fit that is interrupted several times is equal to an undisturbed one, bit for bit."""

    def test_an_interrupted_fit_goes_on_and_ends_with_the_same_weights(self, tmp_path: Path) -> None:
        """The interruptions are after the first update, in the middle of an epoch, and in later epochs."""
        spec = self.with_values(epochs=8, batch_size=16, ema_decay=0.9, lr_schedule="cosine")
        if not any(hyper.name == "epochs" for hyper in describe(type(self.spec))):
            pytest.skip("the model is not trained by gradient descent")
        undisturbed = fit_to(spec, self.data(), valid=self.held_out(), run=Run(device="cpu"))
        for updates in (1, 2, 3, 5, 2):
            interrupter = Interrupter(updates)
            with pytest.raises(KeyboardInterrupt):
                self._fit(spec, tmp_path, Run(device="cpu", progress=interrupter))
            assert interrupter.updates == updates  # no more than the running update is done
        resumed = self._fit(spec, tmp_path, Run(device="cpu"))
        assert_equal(resumed, undisturbed)

    def _fit(self, spec: object, folder: Path, run: Run) -> Recommender:
        checkpoint = Checkpoint(path=folder / "checkpoint", minutes=0)
        return fit_to(spec, self.data(), valid=self.held_out(), run=run, checkpoint=checkpoint)  # type: ignore[arg-type]


@dataclasses.dataclass
class Interrupter:
    """Receiver of progress that sends Ctrl-C during an update.

    Attributes
    ----------
    at
        Number of the update, counted from 1.
    """

    at: int
    updates: int = 0

    def __call__(self, progress: Progress) -> None:
        """Count the update."""
        self.updates += 1
        if self.updates == self.at:
            signal.raise_signal(signal.SIGINT)


def assert_same_weights(model: Recommender, expected: Recommender) -> None:
    """Compare the weights and the scores of two models."""
    assert state_of(model).keys() == state_of(expected).keys()
    for key, tensor in state_of(expected).items():
        assert torch.equal(state_of(model)[key], tensor), key
    np.testing.assert_array_equal(model.score(unknown_users()), expected.score(unknown_users()))


def assert_equal(model: Recommender, expected: Recommender) -> None:
    """Compare the weights, the scores and the history of two models; only durations may differ."""
    assert_same_weights(model, expected)
    timed = {"seconds", "rows_per_second"}
    histories = [
        [{name: value for name, value in epoch.items() if name not in timed} for epoch in one.history]
        for one in (model, expected)
    ]
    assert histories[0] == histories[1]
    assert model.history.best == expected.history.best
