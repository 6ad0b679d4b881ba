"""Check of the tuning range of a hyper-parameter."""

from collections.abc import Collection

from recsys_ae.spec.hyper import Hyper


def check_range(hyper: Hyper, names: Collection[str]) -> None:
    """Fail unless the range is within the bounds, and its condition names one of these hyper-parameters."""
    if hyper.search_if is not None:
        assert hyper.search is not None
        assert hyper.search_if[0] in set(names) - {hyper.name}
    if hyper.search is None:
        return
    kind, *rest = hyper.search
    if kind == "choice":
        (values,) = rest
        assert len(values) > 1
        assert len(set(values)) == len(values)
        assert hyper.default in values
        assert not hyper.choices or set(values) <= set(hyper.choices)
        return
    low, high = rest
    assert kind in ("log", "linear", "int")
    assert low < high
    assert hyper.low is None or low >= hyper.low
    assert hyper.high is None or high <= hyper.high
    assert kind != "log" or low > 0
