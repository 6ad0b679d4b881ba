"""A folder of models is their registry: a new file is a new model."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

from recsys_ae.errors import ConfigError
from recsys_ae.spec.hyper import nearest


def names(folder: str) -> tuple[str, ...]:
    """Return the names of all models of a folder, without importing one; a file that begins with ``_`` is none."""
    return tuple(sorted(file.name for file in pkgutil.iter_modules([folder]) if not file.name.startswith("_")))


def summary(folder: str, name: str) -> str:
    """Return a model's docstring, without importing it."""
    source = (Path(folder) / f"{name}.py").read_text(encoding="utf-8")
    return inspect.cleandoc(ast.get_docstring(ast.parse(source)) or "")


def spec_class(package: str, folder: str, name: str, what: str) -> Any:
    """Return the hyper-parameters' class of a model: the one dataclass with ``build`` that its file defines."""
    plain = name.replace("-", "_")
    if plain not in names(folder):
        raise ConfigError(f"there is no {what} {name!r}{nearest(plain, names(folder))}")
    module = importlib.import_module(f"{package}.{plain}")
    (found,) = [
        member
        for member in vars(module).values()
        if inspect.isclass(member)
        and dataclasses.is_dataclass(member)
        and hasattr(member, "build")
        and member.__module__ == module.__name__
    ]
    return found
