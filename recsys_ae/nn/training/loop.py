"""Training loop of all networks that learn by gradient descent."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Generic

import torch
from torch import Tensor

from recsys_ae.errors import Argument, Message, TrainingError
from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.nn.runtime import Progress, Run, random_state, restore_random_state
from recsys_ae.nn.training.epoch import Epoch
from recsys_ae.nn.training.kept_weights import BestWeights
from recsys_ae.nn.training.trainable import RowsT, SpecT, Trainable
from recsys_ae.nn.training.updates import Updates


def train(
    network: Trainable[RowsT, SpecT], rows: RowsT, run: Run, validate: Callable[[], dict[str, float]] | None
) -> History:
    """Fit a network on shuffled batches, and return the history of its epochs.

    The history holds losses, seconds, rows per second and validation metrics. With ``validate`` the network ends with
    the weights of the best epoch. With checkpoints in ``run``, an interrupted training goes on where it was and ends
    with the same weights, bit for bit.
    """
    network.begin(rows)
    training = _Training(network, rows, run, validate)
    with run.checkpoints.training(training) as is_finished:
        if not is_finished:
            training.carry_out()
    return training.history


class _Training(Generic[RowsT, SpecT]):
    """A training between two of its updates."""

    def __init__(
        self,
        network: Trainable[RowsT, SpecT],
        rows: RowsT,
        run: Run,
        validate: Callable[[], dict[str, float]] | None,
    ) -> None:
        spec = network.spec
        self.network, self.rows, self.run, self.validate = network, rows, run, validate
        self.epochs = run.epochs_of(spec.epochs)
        total = spec.epochs * math.ceil(len(rows) / spec.batch_size)
        self.updates = Updates(network, run, total, network.phases(), run.generator())
        self.best_weights = BestWeights(network)
        self.history = History()
        self.epoch = Epoch(self.updates.generator)
        self.is_stopped = False

    def carry_out(self) -> None:
        """Train from the present state to the end."""
        while len(self.history) < self.epochs and not self._is_early_stop() and not self._is_asked_to_stop():
            self._pass_over_rows()
            if self._is_left_out():
                break
            self._measure()
            self.epoch = Epoch(self.updates.generator)
            self.run.checkpoints.update_done()
        self.updates.average.exchange()
        if self.validate is None:
            self._finalize()
        self.best_weights.restore()

    def state(self) -> dict[str, Any]:
        """Return the complete state, for a checkpoint."""
        return {
            **self.result(),
            "training_tensors": {name: getattr(self.network, name) for name in self.network.training_tensors},
            "best_weights": self.best_weights.state,
            "updates": self.updates.state(),
            "generator": self.updates.generator.get_state(),
            "epoch": self.epoch.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `state` returned."""
        self.restore_result(state)
        self.epoch.restore(state["epoch"])
        if self.epoch.updates:
            self.network.begin_epoch(len(self.history) + 1)
        for name in self.network.training_tensors:
            setattr(self.network, name, state["training_tensors"][name].to(self.rows.device))
        self.best_weights.keep(state["best_weights"])
        self.updates.restore(state["updates"])
        self.updates.generator.set_state(state["generator"])
        restore_random_state(state["random"], self.run.torch_device)

    def result(self) -> dict[str, Any]:
        """Return the weights and the history, for a checkpoint."""
        return {
            "weights": self.network.state_dict(),
            "history": list(self.history),
            "random": random_state(self.run.torch_device),
        }

    def restore_result(self, state: Mapping[str, Any]) -> None:
        """Take over what `result` returned."""
        self.network.load_state_dict(state["weights"])
        self.history = History.replayed(state["history"], self.network.spec.monitor)
        restore_random_state(state["random"], self.run.torch_device)

    def _is_early_stop(self) -> bool:
        patience, best = self.network.spec.patience, self.history.best
        if self.validate is None or not patience or not self.history:
            return False
        return len(self.history) - (0 if best is None else best.epoch) >= patience

    def _is_asked_to_stop(self) -> bool:
        self.is_stopped = self.is_stopped or (self.run.stop is not None and self.run.stop(self.history))
        return self.is_stopped

    def _is_left_out(self) -> bool:
        """Return True if the epoch was stopped before its end, and the weights of an earlier epoch are there."""
        return self.epoch.rows < len(self.rows) and self.validate is not None and len(self.history) > 0

    def _pass_over_rows(self) -> None:
        """Update the weights on each batch that is left of the epoch."""
        network, epoch, run = self.network, self.epoch, self.run
        number, last = len(self.history) + 1, self.history[-1] if self.history else {}
        epoch.start_clock()
        if not epoch.updates:
            network.begin_epoch(number)
        network.train()
        for batch in epoch.batches(self.rows, network.spec.batch_size):
            epoch.add(self.updates.step(batch), len(batch))
            if run.progress is not None:
                run.progress(Progress(number, self.epochs, epoch.rows, len(self.rows), last))
            run.checkpoints.update_done()
            if self._is_asked_to_stop():
                break
        _refuse_not_finite(epoch.losses()["loss"], self.updates.done - epoch.updates, number, run)
        epoch.stop_clock()

    def _measure(self) -> None:
        """Add the losses and validation metrics of the epoch to the history; keep the weights if they are the best."""
        epoch, validate = self.epoch, self.validate
        measured = self.epoch.means()
        measured |= {"seconds": epoch.seconds, "rows_per_second": epoch.rows / epoch.seconds}
        if validate is None:
            self.history.append(measured)
        else:
            with self.updates.average.applied():
                self._finalize()
                with self.run.checkpoints.interruptible():
                    metrics = validate()
                self.history.append(measured | {f"{VALIDATION}{name}": value for name, value in metrics.items()})
                if self.history.update_best(self.network.spec.monitor):
                    self.best_weights.update()
        self.run.tracker.metrics(self.history[-1], step=len(self.history))

    @torch.no_grad()
    def _finalize(self) -> None:
        self.network.eval()
        self.network.finalize(self.rows)


def _refuse_not_finite(losses: Tensor, updates_before: int, epoch: int, run: Run) -> None:
    bad = (~losses.isfinite()).nonzero()
    if len(bad) == 0:
        return
    index = int(bad[0])
    advice: Message
    if index == 0 and updates_before == 0:
        advice = ("this is the first loss, so look for huge values in the input or the initial weights",)
    elif run.dtype is torch.float16:
        bf16, fp32 = Argument("precision", "bf16"), Argument("precision", "fp32")
        advice = ("fp16 overflows above 65,504: set ", bf16, " or ", fp32, ", or lower ", Argument("lr"))
    else:
        lr, clip_norm = Argument("lr"), Argument("clip_norm")
        advice = ("most likely the learning rate is too high: lower ", lr, ", or set ", clip_norm)
    position = f"at update {updates_before + index + 1} (epoch {epoch})"
    raise TrainingError(f"the loss is {float(losses[index])} {position}; ", *advice)
