"""A saved recommender as an MLflow model: ``mlflow models serve``, ``mlflow.pyfunc.load_model`` and ``spark_udf``.

The folder holds data only. MLflow loads it by this module, which must be installed where it is loaded, so that nothing
is unpickled and no code comes from the folder.

In Spark, each row has a user and the list of their items, and gets lists of items and scores. Written for MLflow's
interface, and not run, because Spark was not at hand::

    kind = "items array<long>, scores array<double>"
    top = mlflow.pyfunc.spark_udf(
        spark, "models:/shop/1", result_type=kind, env_manager="local", params={"k": 20}
    )
    histories = events.groupBy("user").agg(collect_list("item").alias("items"))
    lists = histories.select("user", top(struct("user", "items")).alias("list")).select("user", "list.*")
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from recsys_ae.errors import ArtefactError, MissingPackageError
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.serving.answers import DEFAULTS, Answers
from recsys_ae.tracking.mlflow_models import ANY, Described, arguments

MODULE = "recsys_ae.serving.pyfunc"
FOLDER = "recommender"
"""Folder of the saved model in that of the MLflow model."""
PACKAGES = ("recsys-ae", "torch", "numpy", "scipy", "pandas", "safetensors")


class Served:
    """A recommender with the interface that MLflow calls."""

    def __init__(self, model: Recommender) -> None:
        self.answers = Answers.of(model)

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return recommendations; see `Answers.table`."""
        return self.answers.table(model_input, params)


def _load_pyfunc(path: str) -> Served:
    """Load a model for MLflow."""
    return Served(Recommender.load(path))


def save_model(model: Recommender | str | Path, path: str | Path, **others: Any) -> None:
    """Save a recommender as an MLflow model.

    Parameters
    ----------
    model
        Fitted recommender, or the folder of a saved one.
    path
        Folder of the MLflow model; it must not exist.
    others
        Further arguments of ``mlflow.pyfunc.save_model``, such as ``metadata``.

    Raises
    ------
    ArtefactError
        If the folder of the model is no saved recommender.
    MissingPackageError
        If MLflow is not installed.
    """
    with _saved(model) as folder:
        _mlflow().pyfunc.save_model(path=str(path), **arguments(described(folder)), **others)


def log_model(model: Recommender | str | Path, name: str = "model", **others: Any) -> Any:
    """Log a recommender as an MLflow model of the active run, and register it if ``registered_model_name`` is given.

    Parameters
    ----------
    model
        Fitted recommender, or the folder of a saved one.
    name
        Name of the model in the run.
    others
        Further arguments of ``mlflow.pyfunc.log_model``, such as ``registered_model_name``.

    Returns
    -------
    ModelInfo
        MLflow's description, with the address in ``model_uri``.
    """
    with _saved(model) as folder:
        return _mlflow().pyfunc.log_model(name=name, **arguments(described(folder)), **others)


def described(folder: Path) -> Described:
    """Return the description of a saved model for MLflow: loader, data, signature, example and requirements."""
    items = json.loads((folder / "items.json").read_text("utf-8"))
    return {
        "loader_module": MODULE,
        "data_path": str(folder),
        # Ids and ratings have any form, which the model itself checks: MLflow would refuse 5 where 5.0 is expected.
        "inputs": ["user", "item", "items", "rating"],
        "outputs": {"user": ANY, "rank": "long", "item": ANY, "score": "double"},
        "params": {
            "k": ("long", DEFAULTS["k"]),
            "exclude_seen": ("boolean", DEFAULTS["exclude_seen"]),
            "allow": ("string[]", []),
            "deny": ("string[]", []),
        },
        "example": {"user": ["somebody"], "item": [items["values"][0]]},
        "requirements": list(_requirements()),
    }


def _requirements() -> Iterator[str]:
    """Yield the installed versions, without their builds, which package indexes do not have."""
    for package in PACKAGES:
        try:
            yield f"{package}=={version(package).partition('+')[0]}"
        except PackageNotFoundError:
            continue


@contextmanager
def _saved(model: Recommender | str | Path) -> Iterator[Path]:
    """Yield the folder of the saved model, under the name that it has in the MLflow model."""
    if isinstance(model, Recommender):
        with tempfile.TemporaryDirectory() as home:
            model.save(Path(home) / FOLDER)
            yield Path(home) / FOLDER
        return
    folder = Path(model)
    if not (folder / "config.json").is_file():
        raise ArtefactError(f"{folder} is not the folder of a saved model")
    yield folder


def _mlflow() -> ModuleType:
    try:
        import mlflow.pyfunc  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError("an MLflow model needs the package mlflow: pip install mlflow") from error
    return mlflow
