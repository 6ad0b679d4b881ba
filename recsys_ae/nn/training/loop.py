"""Training loop of all networks that learn by gradient descent."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic

import torch
from torch import Tensor, nn

from recsys_ae.errors import Argument, Message, TrainingError
from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.nn.runtime import Progress, Run
from recsys_ae.nn.training.averaging import RunningAverage
from recsys_ae.nn.training.optimizers import optimizer
from recsys_ae.nn.training.schedules import decay
from recsys_ae.nn.training.steps import Loss, Phase, Step
from recsys_ae.nn.training.trainable import RowsT, SpecT, Trainable


def train(
    network: Trainable[RowsT, SpecT], rows: RowsT, run: Run, validate: Callable[[], dict[str, float]] | None
) -> History:
    """Fit a network on shuffled batches, and return the history of its epochs.

    The history holds losses, seconds, rows per second and validation metrics. With ``validate`` the network ends with
    the weights of the best epoch.
    """
    spec = network.spec
    network.begin(rows)
    total = spec.epochs * math.ceil(len(rows) / spec.batch_size)
    updates = _Updates(network, run, total, network.phases(), run.generator())
    best_weights = _BestWeights(network)
    history = History()
    for epoch in range(1, spec.epochs + 1):
        started = time.perf_counter()
        network.begin_epoch(epoch)
        measured = _epoch(updates, rows, run, epoch, history[-1] if history else {})
        seconds = time.perf_counter() - started
        measured |= {"seconds": seconds, "rows_per_second": len(rows) / seconds}
        history.append(measured)
        if validate is not None:
            with updates.average.applied():
                _finalize(network, rows)
                measured |= {f"{VALIDATION}{name}": value for name, value in validate().items()}
                if history.update_best(spec.monitor):
                    best_weights.update()
        run.tracker.metrics(measured, step=epoch)
        kept_epoch = 0 if history.best is None else history.best.epoch
        if validate is not None and spec.patience and epoch - kept_epoch >= spec.patience:
            break
    updates.average.exchange()
    if validate is None:
        _finalize(network, rows)
    best_weights.restore()
    return history


@torch.no_grad()
def _finalize(network: Trainable[RowsT, SpecT], rows: RowsT) -> None:
    network.eval()
    network.finalize(rows)


def _epoch(
    updates: "_Updates[RowsT, SpecT]", rows: RowsT, run: Run, epoch: int, last_metrics: dict[str, float]
) -> dict[str, float]:
    """Update the weights on each batch; return the mean over rows of each part of the loss."""
    spec = updates.network.spec
    updates.network.train()
    updates_before, n_rows = updates.done, 0
    recorded: list[tuple[dict[str, Tensor | float], int]] = []
    for batch in rows.batches(spec.batch_size, updates.generator):
        recorded.append((updates.step(batch), len(batch)))
        n_rows += len(batch)
        if run.progress is not None:
            run.progress(Progress(epoch, spec.epochs, n_rows, len(rows), last_metrics))
    sizes = torch.tensor([size for _, size in recorded], dtype=torch.float64)
    losses = {name: _column([losses[name] for losses, _ in recorded]) for name in recorded[0][0]}
    _refuse_not_finite(losses["loss"], updates_before, epoch, run)
    return {name: float((values * sizes).sum() / len(rows)) for name, values in losses.items()}


def _column(values: Sequence[Tensor | float]) -> Tensor:
    """Return one number per batch, on the CPU; a GPU is waited for only here, once per epoch."""
    if all(isinstance(value, Tensor) for value in values):
        return torch.stack([torch.as_tensor(value).detach() for value in values]).double().cpu()
    return torch.tensor([float(value) for value in values], dtype=torch.float64)


class _BestWeights:
    """Copy of the weights of the best epoch so far, in memory that is allocated once."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.state: dict[str, Tensor] = {}

    def update(self) -> None:
        """Copy the network's current weights."""
        for name, tensor in self.network.state_dict().items():
            if name in self.state:
                self.state[name].copy_(tensor)
            else:
                self.state[name] = tensor.clone()

    def restore(self) -> None:
        """Load the copied weights into the network, if there are any."""
        if self.state:
            self.network.load_state_dict(self.state)


class _Updates(Generic[RowsT, SpecT]):
    """State of the updates: optimizer, moving average, loss scaling and number of updates so far."""

    def __init__(
        self,
        network: Trainable[RowsT, SpecT],
        run: Run,
        total: int,
        phases: Sequence[Phase[RowsT]],
        generator: torch.Generator,
    ) -> None:
        spec = network.spec
        self.network, self.run, self.total, self.done = network, run, total, 0
        self.generator, self.phase = generator, phases[0]
        self.then = _Updates(network, run, total, phases[1:], generator) if len(phases) > 1 else None
        weights = [p for p in self.phase.parameters if p.ndim > 1]
        biases = [p for p in self.phase.parameters if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": network.weight_decay()}, {"params": biases, "weight_decay": 0.0}]
        self.optimiser: Any = optimizer(spec.optimizer, groups, spec.lr)
        self.average = RunningAverage(network, spec.ema_decay)
        self.scaler = torch.amp.GradScaler(run.torch_device.type, enabled=run.dtype is torch.float16)

    def step(self, batch: RowsT) -> dict[str, Tensor | float]:
        """Update the weights on a batch; return the total loss and its parts."""
        network, spec = self.network, self.network.spec
        for group in self.optimiser.param_groups:
            group["lr"] = spec.lr * self.phase.pace * decay(spec.lr_schedule, self.done, self.total)
        step = Step(self.done, self.total, self.generator)
        if isinstance(self.optimiser, torch.optim.LBFGS):
            loss = self._searched(batch, step)
        else:
            loss = self._loss_and_gradient(batch, step)
            self.scaler.step(self.optimiser)
            self.scaler.update()
        network.zero_grad()  # free the gradients early: validation and the best weights need memory
        network.after_step()
        self.done += 1
        self.average.update(self.done)
        later = self.then.step(batch) if self.then is not None else {}
        return {"loss": loss.total, **loss.parts, **{name: value for name, value in later.items() if name != "loss"}}

    def _loss_and_gradient(self, batch: RowsT, step: Step) -> Loss:
        spec = self.network.spec
        with self.run.autocast():
            loss = self.network.penalised(self.phase.loss(batch, step))
        torch.autograd.backward(self.scaler.scale(loss.total))
        if spec.clip_norm:
            self.scaler.unscale_(self.optimiser)
            _clip_norm(self.phase.parameters, spec.clip_norm)
        return loss

    def _searched(self, batch: RowsT, step: Step) -> Loss:
        """Update with line search, which computes the loss several times; return the first loss."""
        losses: list[Loss] = []

        def closure() -> Tensor:
            self.optimiser.zero_grad()
            losses.append(self._loss_and_gradient(batch, step))
            return losses[-1].total

        self.optimiser.step(closure)
        return losses[0]


def _clip_norm(parameters: Sequence[nn.Parameter], largest: float) -> None:
    """Scale the gradient down to this Euclidean norm. PyTorch's own function does not accept sparse gradients."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    values = [g.coalesce()._values() if g.is_sparse else g for g in gradients]
    scale = (largest / (nn.utils.get_total_norm(values) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)


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
