"""Small searches: a split of the test data, quick models, and trials that were never fitted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae import Run, split_users
from recsys_ae.data.splits.split import Split
from recsys_ae.nn.model import Shape, Stats
from recsys_ae.testing.blocks import training_data
from recsys_ae.tuning import tune
from recsys_ae.tuning.fit_trial import Circumstances, carry_out
from recsys_ae.tuning.material import Material
from recsys_ae.tuning.ranges import Space
from recsys_ae.tuning.search import Advance, Watch
from recsys_ae.tuning.strategy import Plan, Position
from recsys_ae.tuning.trial import Proposal, Trial

CPU = Run(device="cpu")
METRIC = "ndcg@100"
QUICK = ("popularity", "ease", "edlae", "mult_dae")
DAE: dict[str, Any] = {"epochs": 8, "batch_size": 16, "latent": 4, "lr": 0.02, "hidden": [], "patience": 0}
RANGES: dict[str, Any] = {"mult_dae": {"epochs": 8, "batch_size": 16, "latent": 4, "hidden": []}}
"""Frozen values with which the training of a search takes some hundredths of a second."""
SHAPE = Shape(40, 32, 0)
STATS = Stats(csr_matrix(np.eye(40, 32, dtype=np.float32)))


def split_of(seed: int = 0, n_test: int = 10) -> Split:
    """Return 40 training, 10 validation and 10 test users."""
    return split_users(training_data(seed), n_valid=10, n_test=n_test, seed=1)


def material_of(split: Split | None = None, metric: str = METRIC) -> Material:
    return Material(split or split_of(), None, metric, CPU)


def proposal_of(model: str = "ease", number: int = 1, *, is_default: bool = False, **settings: Any) -> Proposal:
    return Proposal(number=number, model=model, settings=settings, is_default=is_default)


def carried_out(
    proposal: Proposal,
    folder: Path,
    material: Material | None = None,
    circumstances: Circumstances | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Trial:
    """Return the result of a trial in a folder."""
    space = Space.of(proposal.model, overrides)
    return carry_out(proposal, space, material or material_of(), circumstances or Circumstances(), folder)


def trial_of(number: int, model: str = "ease", value: float | None = 0.5, **others: Any) -> Trial:
    """Return a trial that has ended."""
    values = {"settings": {}, "is_default": False, "status": "complete", "seconds": 1.0, **others}
    return Trial(number=number, model=model, value=value, **values)


def position_of(
    models: Sequence[str],
    trials: Sequence[Trial] = (),
    *,
    seconds: Mapping[str, float] | None = None,
    left: float | None = None,
    budget: float | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Position:
    """Return the state of a search in which a fit of a model takes so many ``seconds``."""
    spaces = {model: Space.of(model, (overrides or {}).get(model)) for model in models}
    plan = Plan(spaces, METRIC, 0, SHAPE, 200, STATS)
    return Position(plan, trials, [], left, budget, lambda proposal: (seconds or {}).get(proposal.model, 1.0))


def values_of(*numbers: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(numbers, dtype=np.float64)


class Interrupting(Watch):
    """Watch that raises what Ctrl-C raises when so many trials have ended."""

    def __init__(self, after: int) -> None:
        super().__init__()
        object.__setattr__(self, "after", after)
        object.__setattr__(self, "seen", [])

    def ended(self, advance: Advance) -> None:
        self.seen.append(advance.trial.number)  # type: ignore[attr-defined]
        if len(self.seen) == self.after:  # type: ignore[attr-defined]
            raise KeyboardInterrupt


def without_times(trial: Trial) -> dict[str, Any]:
    """Return what two equal trials share."""
    return {name: value for name, value in trial.as_dict().items() if name not in ("seconds", "elapsed")}


def searched(out: Path, n: int = 8, **options: Any) -> list[dict[str, Any]]:
    """Return the trials of a search, without their times."""
    models = options.get("models", QUICK)
    ranges = {name: table for name, table in RANGES.items() if name in models}
    given = {"models": models, "ranges": ranges, "run": CPU, "trials": n, **options}
    return [without_times(trial) for trial in tune(split_of(), out=out, **given).trials]
