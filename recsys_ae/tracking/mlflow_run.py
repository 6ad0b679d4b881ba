"""Run in an MLflow store: parameters, metrics, artefacts, child runs and end."""

import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys_ae.errors import ConfigError
from recsys_ae.tracking.loss_curve import loss_curve
from recsys_ae.tracking.mlflow_models import arguments
from recsys_ae.tracking.mlflow_names import Names, batches
from recsys_ae.tracking.mlflow_stores import check_artefacts

MOST_AT_ONCE = 1000
"""Maximum number of metrics in one request."""
NOT_FINITE = "not_finite."


class StoredRun:
    """Run in an MLflow store, new or existing.

    Artefacts are written only inside ``folders`` (see `check_artefacts`). A repeated request changes nothing, because
    it has the same names and the same time.
    """

    def __init__(
        self,
        *,
        uri: str,
        folders: list[str] | None,
        experiment: Mapping[str, str | None],
        run_name: str | None,
        run_id: str | None,
        goes_on: bool,
        time: int,
    ) -> None:
        import mlflow  # noqa: PLC0415
        from mlflow import MlflowClient  # noqa: PLC0415

        mlflow.set_tracking_uri(uri)  # address for servers that store the artefacts themselves
        self.client: Any = MlflowClient(tracking_uri=uri)
        self.keeps_status = run_id is not None and not goes_on
        run = self._interrupted(run_id) if goes_on else None if run_id is None else self.client.get_run(run_id)
        if run is None:
            run = self.client.create_run(self._experiment(experiment), start_time=time, run_name=run_name)
        self.id: str = run.info.run_id
        self.experiment_id: str = run.info.experiment_id
        self._place, self._folders = run.info.artifact_uri, folders
        self._writer = Writer(self.client, run)
        self.children: dict[tuple[str, int], Writer] = {}

    def parameters(self, values: Mapping[str, str]) -> None:
        """Write parameters."""
        self._writer.parameters(values)

    def metrics(self, values: Mapping[str, float], step: int | None, time: int) -> None:
        """Write the metrics of an epoch, or of the run."""
        self._writer.metrics([(0 if step is None else step, values)], time)

    def child(
        self, run_name: str, parameters: Mapping[str, str], epochs: Sequence[Mapping[str, float]], time: int
    ) -> None:
        """Write a finished child run; the last of ``epochs`` also holds its final metrics."""
        key = (run_name, time)
        if key not in self.children:  # a repeated request creates no second run
            tags = {"mlflow.parentRunId": self.id}
            run = self.client.create_run(self.experiment_id, start_time=time, run_name=run_name, tags=tags)
            self.children[key] = Writer(self.client, run)
        child = self.children[key]
        child.parameters(parameters)
        child.metrics(list(enumerate(epochs, 1)), time)
        self.client.set_terminated(child.id, "FINISHED", time)

    def artefact(self, path: str) -> None:
        """Save a file, or a folder under its name."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: PLC0415

        if not Path(path).exists():
            raise FileNotFoundError(f"{path} does not exist")
        # The client would ask the store for the address again, and might get another one.
        check_artefacts(self._place, self._folders, Path(path).name)
        repository: Any = get_artifact_repository(self._place)
        if Path(path).is_dir():
            repository.log_artifacts(path, Path(path).name)
        else:
            repository.log_artifact(path)

    def dataset(self, name: str, digest: str, source: str, profile: Mapping[str, int]) -> None:
        """Write down the data of the run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415

        data = Dataset(name, digest, "local", json.dumps({"uri": source}), profile=json.dumps(dict(profile)))
        tag = InputTag("mlflow.data.context", "training")
        self.client.log_inputs(self.id, datasets=[DatasetInput(data, [tag])])

    def model(self, described: Mapping[str, Any], name: str, registered_name: str | None) -> None:
        """Log an MLflow model that is described by `mlflow_models.Described`, and register it under a name."""
        import mlflow.pyfunc  # noqa: PLC0415
        from mlflow.models import Model  # noqa: PLC0415

        check_artefacts(self._place, self._folders)
        check_artefacts(self.client.get_experiment(self.experiment_id).artifact_location, self._folders)
        mlflow.set_experiment(experiment_id=self.experiment_id)  # of this process, whose model it becomes
        Model.log(
            artifact_path=None,
            name=name,
            flavor=mlflow.pyfunc,
            run_id=self.id,
            registered_model_name=registered_name,
            **arguments(described),
        )

    def text(self, text: str, file: str) -> None:
        """Save a text as a file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            path.write_text(text, encoding="utf-8")
            self.artefact(str(path))

    def loss_curve(self, history: Sequence[Mapping[str, float]], best: tuple[int, str] | None) -> None:
        """Draw the loss curve and save it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "loss_curve.png"
            loss_curve(history, path, best=best)
            self.artefact(str(path))

    def finish(self, status: str, time: int) -> None:
        """End a new run; an existing run keeps its status."""
        if not self.keeps_status:
            self.client.set_terminated(self.id, status, time)

    def _interrupted(self, run_id: str | None) -> Any:
        """Return a run that is running again; None if the store does not have it."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            run = self.client.get_run(run_id)
            if run.info.lifecycle_stage == "deleted":
                return None
            self.client.update_run(run_id, status="RUNNING")
            return run
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _experiment(self, chosen: Mapping[str, str | None]) -> str:
        """Return the id of the chosen experiment; one that is chosen by its name alone is created if it is missing."""
        id, name = chosen["id"], chosen["name"]
        experiment = self.client.get_experiment(id) if name is None else self.client.get_experiment_by_name(name)
        if experiment is None:
            return self._created(name)
        if id not in (None, experiment.experiment_id):
            raise ConfigError(
                f"the experiment {name} has the id {experiment.experiment_id}, not {id}; unset MLFLOW_EXPERIMENT_ID or "
                "MLFLOW_EXPERIMENT_NAME"
            )
        if experiment.lifecycle_stage == "deleted":
            raise ConfigError(
                f"the experiment {experiment.name} is deleted; restore it with `mlflow experiments restore "
                f"--experiment-id {experiment.experiment_id}`, or set MLFLOW_EXPERIMENT_NAME to another name"
            )
        return str(experiment.experiment_id)

    def _created(self, name: str | None) -> str:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            return str(self.client.create_experiment(name))
        except MlflowException:
            # Another run may have created it in the meantime.
            experiment = self.client.get_experiment_by_name(name)
            if experiment is None:
                raise
            return str(experiment.experiment_id)


class Writer:
    """Writer of the parameters, metrics and tags of one run, in requests that MLflow accepts."""

    def __init__(self, client: Any, run: Any) -> None:
        self.client, self.id = client, run.info.run_id
        self._parameters, self._metrics, self._tags = map(Names, (run.data.params, run.data.metrics, run.data.tags))

    def parameters(self, values: Mapping[str, str]) -> None:
        """Write parameters."""
        from mlflow.entities import Param  # noqa: PLC0415

        for batch in batches({self._parameters.of(given): text for given, text in values.items()}):
            self.client.log_batch(self.id, params=[Param(name, text) for name, text in batch])

    def metrics(self, steps: Sequence[tuple[int, Mapping[str, float]]], time: int) -> None:
        """Write the metrics of some epochs.

        A number that is not finite becomes the tag ``not_finite.<name>``, because stores change it to another number.
        """
        from mlflow.entities import Metric, RunTag  # noqa: PLC0415

        numbers = [(self._metrics.of(given), value, step) for step, values in steps for given, value in values.items()]
        finite = [Metric(name, value, time, step) for name, value, step in numbers if math.isfinite(value)]
        tags = {
            self._tags.of(f"{NOT_FINITE}{name}"): f"{value}{f' at step {step}' if step else ''}"
            for name, value, step in numbers
            if not math.isfinite(value)
        }
        for batch in _pieces(finite, MOST_AT_ONCE):
            self.client.log_batch(self.id, metrics=batch)
        for batch in batches(tags):
            self.client.log_batch(self.id, tags=[RunTag(name, text) for name, text in batch])


def _pieces(values: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    return (values[start : start + most] for start in range(0, len(values), most))
