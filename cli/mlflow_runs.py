"""MLflow runs of fits, evaluations and studies; a failure of tracking is a warning at the end."""

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from recsys_ae.errors import ArtefactError, MissingPackageError

from .display import note

if TYPE_CHECKING:
    from recsys_ae.data.interactions import Interactions
    from recsys_ae.evaluation import Report
    from recsys_ae.features.encoder import FeatureEncoder
    from recsys_ae.features.study.report import StudyReport
    from recsys_ae.features.study.runner import Outcome
    from recsys_ae.recommender.recommender import Recommender
    from recsys_ae.tracking import Tracker
    from recsys_ae.tuning.trial import Trial


class Tracking:
    """The tracker of a fit, and the address of its run."""

    def __init__(self, tracker: "Tracker") -> None:
        self.tracker = tracker

    @classmethod
    @contextmanager
    def of_fit(cls, *, on: bool, name: str, interrupted: str | None = None) -> Iterator["Tracking"]:
        """Start a run, or go on with an interrupted one, unless tracking is off or MLflow is missing."""
        from recsys_ae.tracking import MLflowTracker, NoTracker  # noqa: PLC0415

        tracker: Tracker = NoTracker()
        try:
            tracker = (
                MLflowTracker(run_name=name, run_id=interrupted, goes_on=interrupted is not None) if on else tracker
            )
        except MissingPackageError as error:
            note(f"Warning: {error}")
        with tracker:
            yield cls(tracker)

    @property
    def address(self) -> dict[str, str] | None:
        """Id and store of the run, to be saved with the model; without the store if its address has a password."""
        run_id, uri = self.tracker.run_id, self.tracker.uri
        if run_id is None:
            return None
        return {"run_id": run_id} if "@" in uri else {"run_id": run_id, "uri": uri}

    def warn(self, registered_name: str | None = None) -> None:
        """Print a warning about everything that did not reach the store.

        If the model had to be registered, raise an `ArtefactError` instead, since others wait for it.
        """
        if registered_name is not None and self.tracker.failures:
            failures = "; ".join(self.tracker.failures)
            raise ArtefactError(f"the model is saved, but --register {registered_name} failed: {failures}")
        _warn(self.tracker)

    def finish(self, model: "Recommender | FeatureEncoder", folder: Path, registered_name: str | None = None) -> None:
        """Log the loss curve and the saved model, and register it as an MLflow model under a name."""
        best = model.history.best
        self.tracker.picture(model.history, best=None if best is None else (best.epoch, best.monitor))
        self.tracker.artefact(folder)
        if registered_name is not None:
            self.register(folder, registered_name)

    def register(self, folder: Path, name: str) -> None:
        """Log a saved recommender as an MLflow model, and register it under a name."""
        from recsys_ae.serving.pyfunc import described  # noqa: PLC0415

        self.tracker.model(described(folder.absolute()), "model", name)

    def child(self, outcome: "Outcome") -> None:
        """Log a fit of a study as a run nested in the run of the study."""
        if not outcome.made:
            return
        fit = outcome.work.fit
        numbers = {
            f"{measure}/{name}": float(value)
            for measure, values in outcome.numbers.items()
            for name, value in values.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        chosen = {**fit.identity, "latent": fit.latent, "steps": list(outcome.work.steps)}
        self.tracker.child(outcome.name, parameters=chosen, history=outcome.history, metrics=numbers)

    def trial(self, trial: "Trial") -> None:
        """Log a trial of a search as a run nested in the run of the search."""
        numbers = {"value": trial.value, "standard_error": trial.standard_error, "seconds": trial.seconds}
        self.tracker.child(
            f"{trial.number} {trial.model}",
            parameters={"model": trial.model, "status": trial.status, **trial.settings},
            metrics={name: float(value) for name, value in numbers.items() if value is not None},
        )

    def study(self, report: "StudyReport") -> None:
        """Log the report of a study."""
        self.tracker.artefact(report.html)
        self.tracker.artefact(report.json)


def refuse_register(settings: Mapping[str, Any]) -> None:
    """Raise a usage error if a model is to be registered without tracking or without MLflow."""
    if settings.get("register") is None:
        return
    if not settings["track"]:
        raise click.UsageError("--register needs tracking; leave out --no-track", click.get_current_context())
    if importlib.util.find_spec("mlflow") is None:
        raise MissingPackageError("--register needs the package mlflow: pip install mlflow")


def log_data(tracker: "Tracker", data: "Interactions") -> None:
    """Log the data of a fit: their name, fingerprint, place and counts."""
    if data.origin is not None:
        users, items = data.shape
        place = str(data.origin.recipe["data"])
        counts = {"users": users, "items": items, "interactions": data.nnz}
        tracker.dataset(Path(place).name or place, data.origin.fingerprint, place, counts)


def report(notes: Mapping[str, Any], results: "Report", on: str, named: str | None = None, *, asked: bool) -> None:
    """Add a report to the run of a fit, whose address is in the notes of the model.

    A fit that was not tracked has no run. That is worth a line if the report was asked for (``asked``), or if the fit
    was meant to be tracked.

    The address is saved with the model, which anybody may have made. So only the store that the user has named or set
    is contacted, and only if it is the store of the address.
    """
    address, options = notes.get("mlflow"), notes.get("options")
    if address is None:
        if asked or (isinstance(options, Mapping) and options.get("track") is True):
            note(
                "Warning: the report was not added to MLflow: the fit of this model has no run there; "
                "fit it again with --track"
            )
        return
    from recsys_ae.tracking import MLflowTracker, mlflow_stores  # noqa: PLC0415

    refusal = _refusal(address, mlflow_stores.absolute(named) if named else mlflow_stores.own_store())
    if refusal is not None or not isinstance(address, Mapping):
        note(f"Warning: the report was not added to MLflow: {refusal}")
        return
    try:
        tracker = MLflowTracker(run_id=address["run_id"], uri=named, contained=True if named else None)
    except MissingPackageError as error:
        note(f"Warning: {error}")
        return
    with tracker, TemporaryDirectory() as folder:
        tracker.metrics(_numbers(results, on))
        path = Path(folder) / f"{on}_report.json"
        path.write_text(results.to_json(), encoding="utf-8")
        tracker.artefact(path)
    _warn(tracker)


def _refusal(address: object, store: str) -> str | None:
    """Return the reason why a report is not added to the run that a model names; None if it is added."""
    from recsys_ae.tracking.mlflow_stores import is_plain_id, local_path, same_store, shown  # noqa: PLC0415

    run_id, uri = (address.get("run_id"), address.get("uri")) if isinstance(address, Mapping) else (None, None)
    if not is_plain_id(run_id) or not isinstance(uri, str | None):
        return "the run that is saved with the model is not an id with the address of a store"
    if uri is not None and not same_store(uri, store):
        return (
            f"the model names the store {shown(uri)}, but yours is {shown(store)}; nothing was sent. If you trust "
            "that store, give its address with --tracking-uri"
        )
    file = local_path(store)
    if file is not None and not file.exists():
        return f"the store of the run does not exist: {shown(store)}"
    return None


def _numbers(results: "Report", on: str) -> dict[str, float]:
    """Return the mean and the standard error of each metric."""
    numbers = {f"{on}/{name}": summary.mean for name, summary in results.summary.items()}
    return numbers | {
        f"{on}/{name}_standard_error": summary.standard_error for name, summary in results.summary.items()
    }


def _warn(tracker: "Tracker") -> None:
    if tracker.failures:
        note(f"Warning: tracking failed: {'; '.join(tracker.failures)}")
