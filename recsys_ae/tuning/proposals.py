"""Settings of the next trial of a model, proposed by Optuna from the earlier trials."""

import hashlib
import itertools
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys_ae.tuning.ranges import CHOICE, LOG, Range, Space
from recsys_ae.tuning.trial import Trial, sign_of

if TYPE_CHECKING:
    import optuna

STARTUP = 5
"""Number of trials of a model, with its default, before its trials guide the search. They are near the default."""
NEAR = 0.15
"""Standard deviation of their distance from the default, as part of each range."""
KEPT = 0.7
"""Probability that they keep the default of a choice."""
ATTEMPTS = 20
"""Number of proposals without new settings, after which the settings of a small space are gone through."""
MOST = 1000
"""Number of settings that are gone through."""
DIGITS = 4
"""Significant digits of the numbers that are tried."""


def propose(
    space: Space,
    trials: Sequence[Trial],
    running: Sequence[Mapping[str, Any]],
    metric: str,
    *,
    seed: int,
    number: int,
    is_affordable: Callable[[Mapping[str, Any]], bool] = lambda _: True,
) -> dict[str, Any] | None:
    """Return new settings of a model, or None if all have been tried, or are tried now (``running``).

    Settings that are not affordable are drawn again.

    The sampler is seeded by the seed of the search and the number of the trial, and learns from ``trials`` only. So
    the same trials give the same proposal, whatever happened in between.
    """
    import optuna  # noqa: PLC0415  slow to import, and needed by searches only

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=_seed(seed, space.model, number), multivariate=True, group=True, n_startup_trials=STARTUP
        )
        study = optuna.create_study(
            direction="maximize" if sign_of(metric) > 0 else "minimize",
            sampler=sampler,
            pruner=optuna.pruners.NopPruner(),
        )
        for trial in trials:
            study.add_trial(_told(space, trial))
        tried = {_key(space, trial.settings) for trial in trials} | {_key(space, settings) for settings in running}
        generator = np.random.default_rng(_seed(seed, space.model, number))
        for _ in range(ATTEMPTS):
            if len(trials) < STARTUP:
                study.enqueue_trial(_near_default(space, generator))
            settings = _asked(space, study.ask())
            if _key(space, settings) not in tried and is_affordable(settings):
                return settings
    left = (settings for settings in _every(space) if _key(space, settings) not in tried)
    return next(filter(is_affordable, left), None)


def _every(space: Space) -> Iterator[dict[str, Any]]:
    """Yield the settings of a small space without real numbers, whose last ones the sampler may miss."""
    lists: list[Sequence[Any]] = []
    for found in space.searched.values():
        if found.kind != CHOICE and not found.is_whole:
            return
        whole = range(round(found.low), round(found.high) + 1)
        lists.append([json.loads(_text(value)) for value in found.choices] if found.kind == CHOICE else whole)
    for combination in itertools.islice(itertools.product(*lists), MOST):
        values, settings = dict(space.defaults), dict(space.frozen)
        for (name, found), value in zip(space.searched.items(), combination, strict=True):
            if found.counts(values):
                settings[name] = values[name] = value
        yield settings


def _near_default(space: Space, generator: np.random.Generator) -> dict[str, Any]:
    """Return random settings near the default, in Optuna's form.

    Defaults of papers are rarely far off, while most of a wide range is.
    """
    settings: dict[str, Any] = {}
    for name, found in space.searched.items():
        default = _within(found, space.defaults[name])
        if found.kind == CHOICE:
            texts = list(map(_text, found.choices))
            settings[name] = default if generator.random() < KEPT else texts[generator.integers(len(texts))]
            continue
        low, high, middle = (math.log(end) if found.kind == LOG else end for end in (found.low, found.high, default))
        moved = middle + (high - low) * NEAR * generator.standard_normal()
        moved = low + abs(moved - low) if moved < low else high - abs(high - moved) if moved > high else moved
        value = min(max(math.exp(moved) if found.kind == LOG else moved, found.low), found.high)
        settings[name] = round(value) if found.is_whole else value
    return settings


def _asked(space: Space, asked: "optuna.trial.Trial") -> dict[str, Any]:
    """Return the settings that a trial of Optuna stands for."""
    values = dict(space.defaults)
    settings = dict(space.frozen)
    for name, found in space.searched.items():
        if not found.counts(values):
            continue
        if found.kind == CHOICE:
            position = asked.suggest_categorical(name, list(map(_text, found.choices)))
            value: Any = json.loads(position)
        elif found.is_whole:
            value = asked.suggest_int(name, round(found.low), round(found.high), log=found.kind == LOG)
        else:
            value = float(f"{asked.suggest_float(name, found.low, found.high, log=found.kind == LOG):.{DIGITS}g}")
            value = min(max(value, found.low), found.high)
        settings[name] = values[name] = value
    return settings


def _told(space: Space, trial: Trial) -> "optuna.trial.FrozenTrial":
    """Return an ended trial in Optuna's form. A value outside its range counts as the nearest end of the range."""
    import optuna  # noqa: PLC0415

    values = {**space.defaults, **trial.settings}
    parameters, distributions = {}, {}
    for name, found in space.searched.items():
        if found.counts(values):
            distributions[name] = _distribution(found)
            parameters[name] = _within(found, values[name])
    state = optuna.trial.TrialState
    if trial.value is None:
        return optuna.trial.create_trial(state=state.FAIL, params=parameters, distributions=distributions)
    if trial.status == "pruned":
        steps = {trial.epoch or 0: trial.value}
        return optuna.trial.create_trial(
            state=state.PRUNED, params=parameters, distributions=distributions, intermediate_values=steps
        )
    return optuna.trial.create_trial(value=trial.value, params=parameters, distributions=distributions)


def _distribution(found: Range) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import (  # noqa: PLC0415
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if found.kind == CHOICE:
        return CategoricalDistribution(list(map(_text, found.choices)))
    if found.is_whole:
        return IntDistribution(round(found.low), round(found.high), log=found.kind == LOG)
    return FloatDistribution(found.low, found.high, log=found.kind == LOG)


def _within(found: Range, value: Any) -> Any:
    if found.kind == CHOICE:
        texts = list(map(_text, found.choices))
        return _text(value) if _text(value) in texts else texts[0]
    if not isinstance(value, int | float):
        value = found.low  # a word or None, which stands for a number that is not known here
    inside = min(max(value, found.low), found.high)
    return round(inside) if found.is_whole else float(inside)


def _text(value: Any) -> str:
    return json.dumps(value)


def _key(space: Space, settings: Mapping[str, Any]) -> str:
    """Return what two equal trials share; a hyper-parameter that is free or has its default makes no difference."""
    values = {**space.defaults, **settings}
    return json.dumps({name: value for name, value in values.items() if name not in space.free}, sort_keys=True)


def _seed(seed: int, model: str, number: int) -> int:
    digest = hashlib.sha256(f"{seed}/{model}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "little")
