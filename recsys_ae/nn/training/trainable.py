"""Contract of networks trained by gradient descent: hyper-parameters, loss and hooks of the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from torch import nn

from recsys_ae.nn.model import Identity
from recsys_ae.nn.training.optimizers import Optimizer
from recsys_ae.nn.training.schedules import Schedule
from recsys_ae.nn.training.steps import Batched, Loss, Phase, Step
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Identity):
    """Hyper-parameters of every model trained by gradient descent."""

    epochs: int = hp(200, "number of passes over the training rows (epochs)", low=1)
    batch_size: int = hp(
        500, "number of rows in a batch; each batch is one update of the weights", low=1, search=("log", 64, 4096)
    )
    optimizer: Optimizer = hp("adam", "optimizer of the weights; adam_norm_grad is Adam with gradients of norm 1")
    lr: float = hp(1e-3, "learning rate of the optimizer", low=0, search=("log", 1e-4, 1e-2))
    lr_schedule: Schedule = hp(
        "constant",
        "learning-rate schedule: constant, or a linear or cosine decay to 0 at the end of the run",
        search=("choice", ("constant", "linear", "cosine")),
    )
    l2: float = hp(
        0.0,
        "L2 penalty: this times the sum of all squared weights, without biases, is added to the loss",
        low=0,
        search=("log", 1e-6, 1e-3),
    )
    clip_norm: float = hp(
        0.0, "largest Euclidean norm of the gradient; a longer one is scaled down to it; 0 turns clipping off", low=0
    )
    ema_decay: float = hp(
        0.0,
        "decay of the exponential moving average (EMA) of the weights that is validated and saved; 0 turns it off",
        low=0,
        high=0.99999,
        search=("choice", (0.0, 0.99, 0.998)),
    )
    monitor: str = hp("ndcg@100", "validation metric that selects the epoch whose weights are saved")
    patience: int = hp(
        0, "number of epochs without a better monitor after which training stops; 0 turns early stopping off", low=0
    )


RowsT = TypeVar("RowsT", bound=Batched)
SpecT = TypeVar("SpecT", bound=TrainingSpec)


class Trainable(nn.Module, ABC, Generic[RowsT, SpecT]):
    """Network trained by gradient descent. A subclass must implement `loss`; the other methods are optional hooks."""

    spec: SpecT
    training_tensors: ClassVar[tuple[str, ...]] = ()
    """Names of tensors besides the weights that the training changes, so that a checkpoint needs them."""

    def __init__(self, spec: SpecT) -> None:
        super().__init__()
        self.spec = spec

    @abstractmethod
    def loss(self, x: RowsT, step: Step) -> Loss:
        """Return the loss of a batch. The network is in training mode; random numbers come from ``step.generator``."""

    def begin(self, rows: RowsT) -> None:
        """Prepare the training with all training rows, before the first epoch; do nothing by default."""

    def phases(self) -> Sequence[Phase[RowsT]]:
        """Return the losses that are minimised in turn on each batch; by default only `loss`."""
        return [Phase(self.loss, list(self.parameters()))]

    def begin_epoch(self, epoch: int) -> None:
        """Prepare an epoch, counted from 1, such as by freezing parameters; do nothing by default."""

    def after_step(self) -> None:
        """Project the weights onto a constraint after each update; do nothing by default."""

    def finalize(self, rows: RowsT) -> None:
        """Compute from the training rows all that scoring needs besides the weights; do nothing by default.

        Called before each validation and at the end, in evaluation mode and without gradients.
        """

    def penalised(self, loss: Loss) -> Loss:
        """Return the loss with penalties that do not depend on the batch; none by default."""
        return loss

    def weight_decay(self) -> float:
        """Return the factor c: c times each weight is added to its gradient. 0 if the loss contains the penalty."""
        return 2 * float(self.spec.l2)
