"""All interactions after a point in time."""

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import TEST, TRAIN, VALID, split_by
from recsys_ae.data.splits.checks import active, known_times, shares
from recsys_ae.data.splits.holdout import Split
from recsys_ae.errors import Argument, DataError


def split_time(data: Interactions, *, test: float | int = 0.2, valid: float | int = 0.1) -> Split:
    """Hold out everything from a moment on, the same for all users.

    Parameters
    ----------
    test, valid
        The moment from which interactions are held out: as a float, such that this share of all interactions is held
        out (more where several happen at that moment); as an int, in seconds since 1970. Validation lies between
        the two moments; none with 0.

    Notes
    -----
    Users who first appear later have an empty history; items that do are left out and counted.
    """
    data = active(data)
    times = known_times(data)
    shares(**{name: at for name, at in (("test", test), ("valid", valid)) if isinstance(at, float)})
    ordered = np.sort(times)
    test_from = _moment("test", test, ordered, len(ordered))
    part = np.where(times >= test_from, TEST, TRAIN)
    if valid:
        before = ordered[: np.searchsorted(ordered, test_from)]
        valid_from = _moment("valid", valid, before, len(ordered))
        part[(times >= valid_from) & (times < test_from)] = VALID
    return split_by(data, part, "interactions after the cut", valid=bool(valid))


def _moment(name: str, at: float | int, ordered: np.ndarray, n: int) -> int:
    """Return the moment given, or the one from which the last ``at * n`` of the times run."""
    start = int(ordered[-min(max(round(at * n), 1), len(ordered))]) if isinstance(at, float) else int(at)
    if not ordered[0] < start <= ordered[-1]:
        raise DataError(
            Argument(name, at),
            f" would hold out all or none of the interactions, whose times run from {ordered[0]} to {ordered[-1]}; "
            "choose another share or time",
        )
    return start


def split(data: Interactions, *, valid_share: float = 0.1) -> Split:
    """Split as a recipe says."""
    return split_time(data, valid=valid_share)
