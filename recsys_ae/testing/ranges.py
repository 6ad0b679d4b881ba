"""Check of the tuning range of a hyper-parameter."""

from collections.abc import Collection
from typing import Any

from recsys_ae.spec.hyper import Hyper


def check_range(hyper: Hyper, names: Collection[str]) -> None:
    """Fail unless the range is within the bounds, and its condition names one of these hyper-parameters."""
    if hyper.search_if is not None:
        assert hyper.search is not None, f"{hyper.name} has a condition, and no range"
        assert hyper.search_if[0] in set(names) - {hyper.name}, f"{hyper.name}: {hyper.search_if[0]} is unknown"
    if hyper.search is None:
        return
    ends: Any
    kind, *ends = hyper.search
    assert kind in ("log", "linear", "int", "choice"), hyper.name
    if kind == "choice":
        (values,) = ends
        assert len(set(values)) == len(values) > 1, hyper.name
        assert hyper.default in values, hyper.name
        assert not hyper.choices or set(values) <= set(hyper.choices), hyper.name
        return
    low, high = ends
    assert low < high, hyper.name
    assert hyper.low is None or low >= hyper.low, hyper.name
    assert hyper.high is None or high <= hyper.high, hyper.name
    assert kind != "log" or low > 0, hyper.name
