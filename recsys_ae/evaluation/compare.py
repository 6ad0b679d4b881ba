"""Which of two models is better: the difference user by user, in which the users' own difficulty cancels out."""

from collections.abc import Mapping
from dataclasses import dataclass

from recsys_ae.errors import DataError
from recsys_ae.evaluation.estimate import Estimate, estimate, explained, table
from recsys_ae.evaluation.report import Report


@dataclass(frozen=True, eq=False)
class Comparison:
    """The mean difference, first minus second, of each metric; an interval without 0 speaks for one of them."""

    summary: Mapping[str, Estimate]
    n_users: int
    n_resamples: int

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        """Return the numbers of each metric in types that JSON knows."""
        return {name: one.as_dict() for name, one in self.summary.items()}

    def __str__(self) -> str:
        lines = table(self.summary, signed=True)
        return "\n".join([*lines, f"paired difference: {explained(self.n_users, self.n_resamples)}"])


def compare(first: Report, second: Report, *, n_resamples: int = 1000, seed: int = 0) -> Comparison:
    """Compare two models on the same users by the metrics that both reports hold."""
    if None not in (first.fingerprint, second.fingerprint) and first.fingerprint != second.fingerprint:
        raise DataError(
            f"the reports are of different splits, {first.fingerprint} and {second.fingerprint}; "
            "evaluate both models on the same one"
        )
    common = first.values.index.isin(second.values.index)
    if not common.all() or first.n_users != second.n_users:
        raise DataError(
            f"the reports share {int(common.sum()):,} of {first.n_users:,} and {second.n_users:,} users; "
            "evaluate both models on the same users"
        )
    metrics = [name for name in first.values if name in second.values]
    if not metrics:
        raise DataError(
            f"the reports share no metric: {', '.join(first.summary)} against {', '.join(second.summary)}; "
            "evaluate both models with the same ones"
        )
    differences = first.values[metrics] - second.values.loc[first.values.index, metrics]
    return Comparison(estimate(differences, n_resamples=n_resamples, seed=seed), first.n_users, n_resamples)
