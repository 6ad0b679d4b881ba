"""Updates of the weights: optimizer, moving average and loss scaling."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic

import torch
from torch import Tensor, nn

from recsys_ae.nn.runtime import Run
from recsys_ae.nn.training.kept_weights import RunningAverage
from recsys_ae.nn.training.optimizers import optimizer
from recsys_ae.nn.training.schedules import decay
from recsys_ae.nn.training.steps import Loss, Phase, Step
from recsys_ae.nn.training.trainable import RowsT, SpecT, Trainable

if TYPE_CHECKING:
    from recsys_ae.nn.training.graphs import Graphs


class Updates(Generic[RowsT, SpecT]):
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
        self.then = Updates(network, run, total, phases[1:], generator) if len(phases) > 1 else None
        weights = [p for p in self.phase.parameters if p.ndim > 1]
        biases = [p for p in self.phase.parameters if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": network.weight_decay()}, {"params": biases, "weight_decay": 0.0}]
        self.optimiser: Any = optimizer(spec.optimizer, groups, spec.lr)
        self.average = RunningAverage(network, spec.ema_decay)
        # Interrupted trainings make a graph at another update, which may change the last digits.
        self.graphs: Graphs | None = None
        if run.torch_device.type == "cuda" and not run.deterministic:
            from recsys_ae.nn.training import graphs  # noqa: PLC0415

            self.graphs = graphs.Graphs(network)
        # A line search compares losses and gradients of several points, so that none of them may be scaled.
        scaled = run.dtype is torch.float16 and not isinstance(self.optimiser, torch.optim.LBFGS)
        self.scaler = torch.amp.GradScaler(run.torch_device.type, enabled=scaled)

    def state(self) -> dict[str, Any]:
        """Return the state of the optimizer, the averages, the loss scaling and the number of updates."""
        return {
            "done": self.done,
            "optimizer": self.optimiser.state_dict()["state"],
            "averages": self.average.averages,
            "scaler": self.scaler.state_dict(),
            "then": None if self.then is None else self.then.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set the state that `state` returned."""
        self.done = state["done"]
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state["optimizer"]})
        self.average.restore(state["averages"])
        self.scaler.load_state_dict(state["scaler"])
        if self.then is not None:
            self.then.restore(state["then"])

    def step(self, batch: RowsT) -> dict[str, Tensor | float]:
        """Update the weights on a batch; return the total loss and its parts."""
        network, spec = self.network, self.network.spec
        for group in self.optimiser.param_groups:
            group["lr"] = spec.lr * self.phase.pace * decay(spec.lr_schedule, self.done, self.total)
        step = Step(self.done, self.total, self.generator, self.graphs)
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
        parts = {**loss.parts, **{name: value for name, value in later.items() if name != "loss"}}
        # Without the computation, which would keep the batch in memory until the losses are read.
        return {name: _detached(value) for name, value in {"loss": loss.total, **parts}.items()}

    def _loss_and_gradient(self, batch: RowsT, step: Step) -> Loss:
        spec = self.network.spec
        if self.graphs is not None:
            self.graphs.begin()
        with self.run.autocast():
            loss = self.network.penalised(self.phase.loss(batch, step))
        torch.autograd.backward(self.scaler.scale(loss.total))
        if spec.clip_norm:
            self.scaler.unscale_(self.optimiser)
            clip_norm(self.phase.parameters, spec.clip_norm)
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


def _detached(value: Tensor | float) -> Tensor | float:
    return value.detach() if isinstance(value, Tensor) else value


def clip_norm(parameters: Sequence[nn.Parameter], largest: float) -> None:
    """Scale the gradient down to this Euclidean norm. PyTorch's own function does not accept sparse gradients."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    values = [g.coalesce()._values() if g.is_sparse else g for g in gradients]
    scale = (largest / (nn.utils.get_total_norm(values) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)
