"""All interactions after a point in time."""

import numpy as np

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import TEST, TRAIN, VALID, split_by
from recsys_ae.data.splits.checks import active, known_times, shares
from recsys_ae.data.splits.holdout import Split
from recsys_ae.errors import Argument, DataError


def split_time(data: Interactions, *, test: float | int = 0.2, valid: float | int = 0.1) -> Split:
    """Hold out all interactions after a point in time, which is the same for all users.

    Parameters
    ----------
    test, valid
        Start of the held-out interactions. An int is a time in seconds since 1970. A float is a share: the start is
        chosen so that this share of all interactions is held out, or more if several happen at that time. The
        validation part lies between the two times; ``valid=0`` makes none.

    Notes
    -----
    Users who first appear after the start of the test part have an empty history. Targets with items that first appear
    after the training part are dropped and counted.
    """
    data = active(data)
    times = known_times(data)
    shares(**{name: at for name, at in (("test", test), ("valid", valid)) if isinstance(at, float)})
    ordered = np.sort(times)
    test_from = _moment("test", test, ordered, len(ordered))
    assignment = np.where(times >= test_from, TEST, TRAIN)
    if valid:
        earlier = ordered[: np.searchsorted(ordered, test_from)]
        valid_from = _moment("valid", valid, earlier, len(ordered))
        assignment[(times >= valid_from) & (times < test_from)] = VALID
    return split_by(data, assignment, "interactions after the cut", valid=bool(valid))


def _moment(name: str, at: float | int, ordered: np.ndarray, n: int) -> int:
    """Return the time ``at`` if it is an int, else the time at which the last ``at * n`` interactions begin."""
    start = int(ordered[-min(max(round(at * n), 1), len(ordered))]) if isinstance(at, float) else int(at)
    if not ordered[0] < start <= ordered[-1]:
        raise DataError(
            Argument(name, at),
            f" would hold out all or none of the interactions, whose times run from {ordered[0]} to {ordered[-1]}; "
            "choose another share or time",
        )
    return start


def split(data: Interactions, *, valid_share: float = 0.1) -> Split:
    """Split by the options of a recipe."""
    return split_time(data, valid=valid_share)
