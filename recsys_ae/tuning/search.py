"""Search: trials one after the other, or several at a time, until the budget or the number of trials is spent."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from recsys_ae.errors import ConfigError
from recsys_ae.nn.linear import cooccurrence
from recsys_ae.nn.workers import Workers
from recsys_ae.tuning.budget import Budget, Durations
from recsys_ae.tuning.fit_trial import Circumstances, carry_out
from recsys_ae.tuning.journal import PROPOSAL, Journal, damaged
from recsys_ae.tuning.material import Material
from recsys_ae.tuning.portfolio import BASELINES
from recsys_ae.tuning.pruning import Rival
from recsys_ae.tuning.ranges import Space
from recsys_ae.tuning.strategy import Plan, Position, next_trial
from recsys_ae.tuning.trial import Proposal, Trial, sign_of


@dataclass(frozen=True)
class Advance:
    """Progress of a search.

    Attributes
    ----------
    trial
        The trial that has ended.
    best
        The best trial so far; None if none has a value.
    n_trials
        Number of trials that have ended, and the planned number; None without one.
    left
        Seconds that are left for trials; None without a budget.
    """

    trial: Trial
    best: Trial | None
    n_trials: tuple[int, int | None]
    left: float | None


@dataclass(frozen=True)
class Watch:
    """Receiver of the progress of a search, which does nothing by default.

    Attributes
    ----------
    began
        Time of `time.monotonic` from which the budget counts; None is the beginning of the search.
    """

    began: float | None = None

    def started(self, proposal: Proposal) -> None:
        """Receive a trial that begins."""

    def ended(self, advance: Advance) -> None:
        """Receive a trial that has ended."""

    def first_table(self, trials: Sequence[Trial]) -> None:
        """Receive the defaults of the models that are not trained in epochs, once they have ended."""


@dataclass
class Search:
    """State of a search, of which everything that counts is in the journal.

    Attributes
    ----------
    n_trials
        Number of trials after which the search ends; None if only the budget ends it.
    watch
        Receiver of the progress.
    n_kept
        Number of models whose best trial is kept on the disk.
    """

    plan: Plan
    material: Material
    journal: Journal
    budget: Budget
    n_trials: int | None
    watch: "Watch"
    n_kept: int
    trials: list[Trial] = field(default_factory=list)
    running: dict[int, Proposal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._durations = Durations(is_timed=self.budget.seconds is not None)
        self._operations: dict[int, float] = {}
        self._is_announced = False

    def run(self, jobs: int) -> list[Trial]:
        """Carry out the trials, and return all that have ended."""
        self.trials = self.journal.trials()
        self._is_announced = bool(self.trials)
        pending = [proposal for proposal, _ in self.journal.unfinished()]
        for proposal in [*(trial.proposal for trial in self.trials), *pending]:
            try:
                self._operations[proposal.number] = self.plan.operations(proposal)
            except (ConfigError, TypeError) as error:
                raise damaged(self.journal.place(proposal.number) / PROPOSAL, error) from error
            if proposal.model not in self.plan.spaces:
                raise damaged(self.journal.place(proposal.number) / PROPOSAL, f"{proposal.model} is not searched")
        if jobs == 1:
            self._one_by_one(pending)
        else:
            self._side_by_side(pending, jobs)
        return self.trials

    def _one_by_one(self, pending: Sequence[Proposal]) -> None:
        waiting = list(pending)
        with cooccurrence.shared():
            while (proposal := self._next(waiting)) is not None:
                self.running[proposal.number] = proposal
                self.watch.started(proposal)
                self._end(carry_out(*self._task(proposal)))

    def _side_by_side(self, pending: Sequence[Proposal], jobs: int) -> None:
        waiting, futures = list(pending), set[Future[Trial]]()
        with Workers(jobs, _prepare, (self.material, self.plan.spaces)) as workers:
            while True:
                while len(futures) < jobs and (proposal := self._next(waiting)) is not None:
                    self.running[proposal.number] = proposal
                    self.watch.started(proposal)
                    circumstances = self._circumstances(proposal)
                    left = self.budget.left
                    place = self.journal.place(proposal.number)
                    futures.add(workers.submit(_carry_out, proposal, circumstances, left, place))
                if not futures:
                    return
                done, futures = wait(futures, return_when=FIRST_COMPLETED)
                for future in done:
                    self._end(workers.result(future))

    def _next(self, waiting: list[Proposal]) -> Proposal | None:
        """Return a trial that was interrupted, or a new one, which is written down; None at the end."""
        left = self.budget.left
        if left is not None and left <= 0:
            return None
        if waiting:
            return waiting.pop(0)
        begun = len(self.trials) + len(self.running)
        if self.n_trials is not None and begun >= self.n_trials:
            return None
        numbers = [*(trial.number for trial in self.trials), *self.running]
        number = 1 + max(numbers, default=0)
        position = Position(self.plan, self.trials, [*self.running.values()], left, self.budget.seconds, self._predict)
        proposal = next_trial(position, number)
        self._announce(proposal)
        if proposal is not None:
            self.journal.begin(proposal, self.budget.elapsed)
        return proposal

    def _announce(self, proposal: Proposal | None) -> None:
        """Show a first table before the first trial that is not a quick default."""
        quick = [*self.running.values(), *([] if proposal is None else [proposal])]
        is_waited_for = any(one.is_default and not self.plan.is_trained(one.model) for one in quick)
        if not (is_waited_for or self._is_announced):
            self._is_announced = True
            self.watch.first_table(self.trials)

    def _predict(self, proposal: Proposal) -> float:
        operations = self.plan.operations(proposal)
        return self._durations.predicted(proposal.model, operations, self.trials, self._operations)

    def _task(self, proposal: Proposal) -> tuple[Proposal, Space, Material, Circumstances, Path]:
        space, place = self.plan.spaces[proposal.model], self.journal.place(proposal.number)
        circumstances = dataclasses.replace(self._circumstances(proposal), deadline=self.budget.deadline)
        return proposal, space, self.material, circumstances, place

    def _circumstances(self, proposal: Proposal) -> Circumstances:
        own = [trial for trial in self.trials if trial.model == proposal.model]
        rival, best = best_of(own, self.plan.metric), best_of(self.trials, self.plan.metric)
        is_trained = rival is not None and rival.epochs is not None
        return Circumstances(
            rival=Rival(rival.number, self.journal.curve(rival)) if rival is not None and is_trained else None,
            best=None if best is None else best.value,
            kept=None if rival is None else rival.value,
        )

    def _end(self, trial: Trial) -> None:
        trial = dataclasses.replace(trial, elapsed=round(self.budget.elapsed, 3))
        self.journal.end(trial)
        proposal = self.running.pop(trial.number)
        self._operations[trial.number] = self.plan.operations(proposal)
        self.trials = sorted([*self.trials, trial], key=lambda ended: ended.number)
        self.journal.keep(kept(self.trials, self.plan.metric, self.n_kept))
        best = best_of(self.trials, self.plan.metric)
        self.watch.ended(Advance(trial, best, (len(self.trials), self.n_trials), self.budget.left))


def best_of(trials: Sequence[Trial], metric: str) -> Trial | None:
    """Return the best trial; of equal ones the first; None if none has a value."""
    return min((trial for trial in trials if trial.value is not None), key=_order(metric), default=None)


def best_per_model(trials: Sequence[Trial], metric: str, winner: Trial | None = None) -> list[Trial]:
    """Return the best trial of each model, the best one first; that of its model is the ``winner``, if there is one."""
    ranked = sorted((trial for trial in trials if trial.value is not None), key=_order(metric))
    firsts: dict[str, Trial] = {} if winner is None else {winner.model: winner}
    for trial in ranked:
        firsts.setdefault(trial.model, trial)
    return list(firsts.values())


def baselines(trials: Sequence[Trial], metric: str, winner: Trial | None = None) -> list[Trial]:
    """Return the trials that the best one is compared with: simple models, and the best default but for itself."""
    best = winner or best_of(trials, metric)
    defaults = [trial for trial in trials if trial.is_default and trial.value is not None and trial != best]
    best_default = best_of(defaults, metric)
    simple = [trial for trial in defaults if trial.model in BASELINES]
    return [*simple, *([best_default] if best_default is not None and best_default not in simple else [])]


def kept(trials: Sequence[Trial], metric: str, n: int) -> list[Trial]:
    """Return the trials whose models are kept on the disk."""
    return [*best_per_model(trials, metric)[:n], *baselines(trials, metric)]


def _order(metric: str) -> Callable[[Trial], tuple[float, int]]:
    return lambda trial: (-sign_of(metric) * (trial.value or 0.0), trial.number)


_shared: tuple[Material, Mapping[str, Space]] | None = None
"""Data of the search in a worker process."""


def _prepare(material: Material, spaces: Mapping[str, Space]) -> None:
    global _shared  # noqa: PLW0603  a worker has one search
    _shared = material, spaces


def _carry_out(proposal: Proposal, circumstances: Circumstances, left: float | None, place: Path) -> Trial:
    if _shared is None:
        raise RuntimeError("the worker was not prepared")
    material, spaces = _shared
    deadline = None if left is None else time.monotonic() + left
    timed = dataclasses.replace(circumstances, deadline=deadline)
    return carry_out(proposal, spaces[proposal.model], material, timed, place)
