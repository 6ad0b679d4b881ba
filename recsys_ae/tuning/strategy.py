"""Choice of the next trial: first the defaults, cheapest first, and then the models that may still win."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recsys_ae.nn.model import Shape, Stats
from recsys_ae.tuning import proposals
from recsys_ae.tuning.ranges import Space
from recsys_ae.tuning.trial import Proposal, Trial, sign_of

MARGIN = 0.04
"""Part of the best value that tuning is taken to gain at most, before any settings of a model but its defaults."""
HALVED_AFTER = 4
"""Number of trials without a better value after which this part has halved."""
WIDENED, WIDEST = 2.0, 2.0**10
"""Factor of the parts once no model can win any more, so that time that is left is used; and its largest power."""
EXPENSIVE, CHEAP_SHARE = 0.05, 0.4
"""A default that takes more than this share of the budget waits until the cheaper models had this share."""
SATURATED = 1e-3
"""Part of the best value that the cheaper models may still gain, below which nobody waits for them."""
DEAR = 4.0
"""A trial may take so many times as long as the best one of its model, as far as it can be predicted."""
OVERRUN = 3.0
"""A training may begin although it takes this many times what is left, since its best epoch so far counts."""


@dataclass(frozen=True)
class Plan:
    """What a search tries.

    Attributes
    ----------
    spaces
        Search space of each model.
    metric
        Metric of the validation users.
    seed
        Seed of the proposals.
    shape, nnz, stats
        Size of the training data, number of interactions, and counts.
    """

    spaces: Mapping[str, Space]
    metric: str
    seed: int
    shape: Shape
    nnz: int
    stats: Stats

    def operations(self, proposal: Proposal) -> float:
        """Return the predicted operations of a fit."""
        return proposal.spec(self.metric).resolved(self.stats).operations(self.shape, self.nnz)

    def is_trained(self, model: str) -> bool:
        """Return True if the model is trained in epochs, so that its fit can be stopped."""
        return "epochs" in self.spaces[model].defaults


@dataclass(frozen=True)
class Position:
    """State of a search between two trials.

    Attributes
    ----------
    trials, running
        Trials that have ended, and those that are running.
    left, budget
        Seconds that are left, and the budget; None without one.
    predict
        Function that predicts the seconds of a fit.
    """

    plan: Plan
    trials: Sequence[Trial]
    running: Sequence[Proposal]
    left: float | None
    budget: float | None
    predict: Callable[[Proposal], float]

    def best(self, model: str | None = None) -> float | None:
        """Return the best value so far, of a model or of all, larger being better; None if there is none."""
        sign = sign_of(self.plan.metric)
        values = (trial.value for trial in self.trials if model in (None, trial.model))
        return max((sign * value for value in values if value is not None), default=None)

    def may_start(self, proposal: Proposal) -> bool:
        """Return True if a fit is predicted to end in time, or to have useful epochs by then."""
        if self.left is None:
            return True
        reach = OVERRUN if self.plan.is_trained(proposal.model) else 1.0
        return self.left > 0 and self.predict(proposal) <= reach * self.left

    def is_too_early(self, proposal: Proposal) -> bool:
        """Return True if an expensive default has to wait for the search among the cheaper models."""
        if self.left is None or self.budget is None:
            return False
        is_early = self.budget - self.left < CHEAP_SHARE * self.budget
        return is_early and self.predict(proposal) > EXPENSIVE * self.budget


def next_trial(position: Position, number: int) -> Proposal | None:
    """Return the next trial, or None if nothing is left to try in the time that is left.

    Models that were not tried yet come first, the cheapest first. Of the others, the one comes next that may gain most
    per second: it may gain a part of the best value that halves with its trials without success, minus what it is
    behind the best model.
    """
    defaults = _defaults(position, number)
    early = [proposal for proposal in defaults if _is_saturated(position) or not position.is_too_early(proposal)]
    if early:
        return min(early, key=position.predict)
    promising = _promising(position, number)
    return promising if promising is not None or not defaults else min(defaults, key=position.predict)


def _defaults(position: Position, number: int) -> list[Proposal]:
    """Return the first trials of the models that were not tried yet and may start."""
    begun = {trial.model for trial in position.trials} | {proposal.model for proposal in position.running}
    waiting = [
        Proposal(number=number, model=model, settings=dict(space.frozen), is_default=True)
        for model, space in position.plan.spaces.items()
        if model not in begun
    ]
    return list(filter(position.may_start, waiting))


def _promising(position: Position, number: int) -> Proposal | None:
    """Return a trial of the model that may gain most per second, if it has settings that were not tried."""
    plan, exhausted = position.plan, set[str]()
    while (model := _most_promising(position, exhausted)) is not None:
        told = [trial for trial in position.trials if trial.model == model]
        running = [other.settings for other in position.running if other.model == model]
        usual = position.predict(_usual(position, model))

        def is_affordable(settings: Mapping[str, Any], model: str = model, usual: float = usual) -> bool:
            proposal = Proposal(number=number, model=model, settings=settings, is_default=False)
            return position.may_start(proposal) and position.predict(proposal) <= DEAR * usual

        settings = proposals.propose(
            plan.spaces[model],
            told,
            running,
            plan.metric,
            seed=plan.seed,
            number=number,
            is_affordable=is_affordable,
        )
        if settings is not None:
            return Proposal(number=number, model=model, settings=settings, is_default=False)
        exhausted.add(model)
    return None


def _most_promising(position: Position, exhausted: set[str]) -> str | None:
    factor = 1.0
    while factor <= WIDEST:
        gains = _gains(position, factor)
        possible = {model: gain for model, gain in gains.items() if gain > 0 and model not in exhausted}
        if possible:
            return max(possible, key=lambda model: possible[model] / position.predict(_usual(position, model)))
        factor *= WIDENED
    return None


def _is_saturated(position: Position) -> bool:
    """Return True if no model that was tried may gain much."""
    best = position.best()
    return best is not None and max(_gains(position).values()) < SATURATED * (abs(best) or 1.0)


def _gains(position: Position, factor: float = 1.0) -> dict[str, float]:
    """Return by how much each model that was tried may exceed the best value, with parts widened by a factor."""
    best = position.best()
    if best is None:
        return {}
    scale = factor * (abs(best) or 1.0)
    known = {model: position.best(model) for model in position.plan.spaces}
    return {
        model: value + scale * _margin(position, model) - best for model, value in known.items() if value is not None
    }


def _usual(position: Position, model: str) -> Proposal:
    """Return a proposal with the best settings of a model, whose duration stands for that of its next trial."""
    sign = sign_of(position.plan.metric)
    own = [trial for trial in position.trials if trial.model == model and trial.value is not None]
    best = max(own, key=lambda trial: sign * (trial.value or 0.0))
    return best.proposal


def _margin(position: Position, model: str) -> float:
    """Return the part of the best value that a model may still gain."""
    since, best, sign = 0, None, sign_of(position.plan.metric)
    for trial in position.trials:
        if trial.model != model:
            continue
        value = None if trial.value is None else sign * trial.value
        if value is not None and (best is None or value > best):
            best, since = value, 0
        else:
            since += 1
    return float(MARGIN * 0.5 ** (since / HALVED_AFTER))
