"""MLflow models: a saved model, as it is described to MLflow."""

from collections.abc import Mapping
from typing import Any, TypedDict

import pandas as pd

ANY = "any"
"""Type of a column whose values have any form."""


class Described(TypedDict):
    """A saved model in JSON values.

    ``loader_module`` loads it from ``data_path``. ``inputs`` are columns of any form, all of which may be missing;
    ``outputs`` are columns with their types, ``params`` have types and defaults, lists for a type that ends in ``[]``.
    ``example`` is a table of inputs, and ``requirements`` are packages with their versions.
    """

    loader_module: str
    data_path: str
    inputs: list[str]
    outputs: dict[str, str]
    params: dict[str, tuple[str, Any]]
    example: dict[str, list[Any]]
    requirements: list[str]


def arguments(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``mlflow.pyfunc.save_model`` for a model that is described by `Described`."""
    from mlflow.models import ModelSignature  # noqa: PLC0415
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, schema  # noqa: PLC0415

    any_form: Any = schema.AnyType
    inputs: list[Any] = [ColSpec(any_form(), name, required=False) for name in described["inputs"]]
    outputs: list[Any] = [
        ColSpec(any_form() if kind == ANY else kind, name) for name, kind in described["outputs"].items()
    ]
    params = [
        ParamSpec(name, kind.removesuffix("[]"), default, shape=(-1,) if kind.endswith("[]") else None)
        for name, (kind, default) in described["params"].items()
    ]
    return {
        "loader_module": described["loader_module"],
        "data_path": described["data_path"],
        "signature": ModelSignature(Schema(inputs), Schema(outputs), ParamSchema(params)),
        "input_example": pd.DataFrame(described["example"]),
        "pip_requirements": list(described["requirements"]),
    }
