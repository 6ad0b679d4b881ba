"""Tracker protocol."""

from pathlib import Path

from recsys_ae.tracking import MLflowTracker, NoTracker, Tracker


def members(kind: type) -> set[str]:
    names = {name for base in kind.__mro__ if base is not object for name in vars(base)}
    return {name for name in names if not name.startswith("_") or name in ("__enter__", "__exit__")}


def test_every_tracker_has_all_of_the_protocol(tmp_path: Path) -> None:
    expected = members(Tracker) - {"_is_protocol"}
    assert expected <= members(NoTracker)
    tracker = MLflowTracker(uri=f"sqlite:///{tmp_path / 'never.db'}")
    assert expected <= members(MLflowTracker) | set(vars(tracker))


def test_no_tracker_takes_everything_and_keeps_nothing(tmp_path: Path) -> None:
    with NoTracker() as tracker:
        tracker.parameters({"latent": 3})
        tracker.metrics({"loss": 0.5}, step=1)
        tracker.picture([{"loss": 0.5}], best=(1, "ndcg@100"))
        tracker.child("fit", parameters={"latent": 3}, metrics={"rmse": 1.0})
        tracker.artefact(tmp_path)
    assert (tracker.run_id, tracker.uri, list(tracker.failures)) == (None, "", [])
    assert not list(tmp_path.iterdir())
