"""One trial: fit, validation, and the end of a training that is no longer worth its time."""

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_ae.errors import ArtefactError, ConfigError, RecsysError
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.footprint import memory
from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.nn.model import Spec, Stats
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender import preflight, variants
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.spec.hyper import flatten
from recsys_ae.storage import checks
from recsys_ae.tuning import journal
from recsys_ae.tuning.material import Material
from recsys_ae.tuning.measuring import measured
from recsys_ae.tuning.pruning import Rival, Values, reason_to_stop
from recsys_ae.tuning.ranges import Space, grid
from recsys_ae.tuning.trial import Proposal, Status, Trial, sign_of

FREE_VALUES = 11
"""Number of values that are tried of a hyper-parameter that needs no fit."""
CHECKPOINT_MINUTES = 1.0
"""Time between two checkpoints of a trial."""


@dataclass(frozen=True)
class Circumstances:
    """What a trial is compared with, and when it has to end.

    Attributes
    ----------
    rival
        Best trial of the same model, if it was trained in epochs.
    best
        Best value of all trials so far.
    kept
        Best value of the same model so far: a better model is saved.
    deadline
        Time of `time.monotonic` at which a training ends; None if there is none.
    """

    rival: Rival | None = None
    best: float | None = None
    kept: float | None = None
    deadline: float | None = None


def carry_out(
    proposal: Proposal, space: Space, material: Material, circumstances: Circumstances, folder: Path
) -> Trial:
    """Fit and validate the settings of a trial; save the validation values of each user, and the model if it is kept.

    An error is the result of the trial, not the end of the search.
    """
    started = time.perf_counter()
    try:
        trial = _Attempt(proposal, space, material, circumstances, folder).outcome()
    except RecsysError as error:
        trial = _without_model(proposal, "failed", str(error))
    except Exception as error:
        trial = _without_model(proposal, "failed", f"{type(error).__name__}: {checks.brief(error)}")
    return dataclasses.replace(trial, seconds=round(time.perf_counter() - started, 3))


class _Attempt:
    def __init__(
        self, proposal: Proposal, space: Space, material: Material, circumstances: Circumstances, folder: Path
    ) -> None:
        self.proposal, self.space, self.material = proposal, space, material
        self.circumstances, self.folder = circumstances, folder
        self.spec = self._fitted_spec().resolved(Stats(material.split.train.matrix))
        epochs = getattr(self.spec, "epochs", None)
        self.epochs = epochs if isinstance(epochs, int) else None
        self.curve = journal.read_curve(folder, self.epochs or 1, is_unfinished=True)
        self.latest: Values | None = None
        self.memory = sum(memory(self.spec, material.shape, material.split.train.nnz).values())
        self.reason: tuple[Status, str] | None = None
        self.asked_after = 0

    def _fitted_spec(self) -> Spec:
        """Return the spec of the fit. Hyper-parameters that need no fit are 0 until it has ended, but in a default."""
        spec, settings = self.proposal.spec(self.material.metric), self.proposal.settings
        if self.proposal.is_default:
            return spec
        off = {name: 0.0 for name, found in self.space.free.items() if name not in settings}
        return dataclasses.replace(spec, **off) if off else spec

    def outcome(self) -> Trial:
        material, split = self.material, self.material.split
        try:
            preflight.check(self.spec, split.train, material.run, material.shape.features)
        except RecsysError as error:
            return self.without_model("refused", str(error))
        run = dataclasses.replace(material.run, stop=self._is_over, validated=self._receive)
        model = self._fitted(run)
        if len(model.history) > self.asked_after:
            self._note(model.history)  # the last epoch, after which nothing is asked
        settings, values = dict(self.proposal.settings), self._values(model)
        if self._is_changed():
            model, settings, values = self._changed(model, settings, values)
        self.curve.best, self.curve.latest = values, None
        if not math.isfinite(self._mean(model, values)):
            return self.without_model("failed", f"{material.metric} is not a finite number")
        journal.write_curve(self.folder, self.curve, durable=True)
        trial = self._trial(model, settings, values)
        if self._is_kept(trial):
            model.save(self.folder / journal.MODEL, overwrite=True)
        return trial

    def _fitted(self, run: Run) -> Recommender:
        """Return the fitted model. A checkpoint that is damaged, or of another version, is discarded."""
        path = self.folder / journal.CHECKPOINT
        may_restart = path.exists()
        checkpoint = Checkpoint(path=path, minutes=CHECKPOINT_MINUTES, report=_say_nothing)
        split, features = self.material.split, self.material.item_features
        while True:
            try:
                return Recommender(self.spec).fit(
                    split.train, valid=split.valid, item_features=features, run=run, checkpoint=checkpoint
                )
            except (ArtefactError, ConfigError):
                if not may_restart:
                    raise
                may_restart, checkpoint = False, dataclasses.replace(checkpoint, restart=True)

    def without_model(self, status: Status, reason: str) -> Trial:
        """Return the result of a trial without a fitted model."""
        return dataclasses.replace(
            _without_model(self.proposal, status, reason), epochs=self.epochs, memory=self.memory
        )

    def _trial(self, model: Recommender, settings: Mapping[str, Any], values: Values) -> Trial:
        status, reason = self.reason or ("complete", "")
        seen = values[~np.isnan(values)]
        error = float(seen.std(ddof=1) / math.sqrt(len(seen))) if len(seen) > 1 else math.nan
        best = model.history.best
        return dataclasses.replace(
            self.without_model(status, reason),
            settings=settings,
            value=self._mean(model, values),
            standard_error=None if math.isnan(error) else error,
            epoch=None if self.epochs is None or best is None else best.epoch,
        )

    def _mean(self, model: Recommender, values: Values) -> float:
        measured = f"{VALIDATION}{self.material.metric}"
        best = model.history.best
        if best is not None and measured in model.history[best.epoch - 1]:
            return model.history[best.epoch - 1][measured]
        return float(np.nanmean(values))

    def _is_kept(self, trial: Trial) -> bool:
        kept, sign = self.circumstances.kept, sign_of(self.material.metric)
        if trial.value is None:
            return False
        return trial.is_default or kept is None or sign * trial.value >= sign * kept

    # During the training

    def _receive(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        self.latest = values.get(self.material.metric)
        if self.epochs is not None and self.latest is not None:
            # A checkpoint may have this epoch before it is known whether it is the best one.
            self.curve.latest, self.curve.latest_epoch = self.latest, self.asked_after + 1
            journal.write_curve(self.folder, self.curve)

    def _is_over(self, history: History) -> bool:
        """Return True to end the training now."""
        if self.reason is None and len(history) > self.asked_after:
            self.asked_after = len(history)
            self._note(history)
            circumstances = self.circumstances
            reason = reason_to_stop(
                self.curve,
                history,
                self.material.metric,
                circumstances.rival,
                circumstances.best,
                is_default=self.proposal.is_default,
            )
            if reason is not None:
                self.reason = "pruned", reason
        deadline = self.circumstances.deadline
        if self.reason is None and deadline is not None and time.monotonic() >= deadline:
            self.reason = "stopped", f"the time was up after {len(history)} of {self.epochs} epochs"
        return self.reason is not None

    def _note(self, history: History) -> None:
        """Keep the values of the best epoch, and of the epochs at which trainings are compared."""
        epoch, best, curve = len(history), history.best, self.curve
        if best is None:
            return
        if best.epoch == epoch == curve.latest_epoch:
            curve.best, curve.best_epoch = curve.latest, epoch
        if epoch in curve.rungs and curve.best is not None and curve.best_epoch == best.epoch:
            curve.at[epoch] = curve.best

    # After the training

    def _is_changed(self) -> bool:
        """Return True if there are free hyper-parameters; a default stays as it is, as a baseline."""
        values = flatten(self.spec)
        return not self.proposal.is_default and any(found.counts(values) for found in self.space.free.values())

    def _changed(
        self, model: Recommender, settings: dict[str, Any], values: Values
    ) -> tuple[Recommender, dict[str, Any], Values]:
        """Return the model with the best value of the hyper-parameter that needs no fit, its settings and values."""
        ((name, found),) = self.space.free.items()
        sign = sign_of(self.material.metric)
        numbers = found.choices or [float(f"{number:.4g}") for number in grid(found, FREE_VALUES)]
        best, chosen = model, getattr(self.spec, name)
        run = dataclasses.replace(self.material.run, validated=self._receive)
        for number in numbers:
            if number == chosen:
                continue
            other = variants.changed(model, {name: number}, self.material.split.valid, run)
            of_other = self._values(other)
            if sign * float(np.nanmean(of_other)) > sign * float(np.nanmean(values)):
                best, chosen, values = other, number, of_other
        return best, {**settings, name: chosen}, values

    def _values(self, model: Recommender) -> Values:
        """Return the metric of each validation user, which the fit has measured if it knows the metric."""
        latest, self.latest = self.latest, None
        best = model.history.best
        if self.curve.best is not None and best is not None and self.curve.best_epoch == best.epoch:
            return self.curve.best
        is_last = best is not None and best.epoch == len(model.history)
        return latest if latest is not None and is_last else measured(model, self.material.split, self.material.metric)


def _without_model(proposal: Proposal, status: Status, reason: str) -> Trial:
    return Trial(
        number=proposal.number,
        model=proposal.model,
        settings=proposal.settings,
        is_default=proposal.is_default,
        status=status,
        reason=" ".join(reason.split()),
    )


def _say_nothing(_: str) -> None:
    """Do not report that a trial goes on from its checkpoint; the search says so."""
