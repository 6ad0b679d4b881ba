"""Layout of the repository: sizes of folders, entries of registries, and places of tests."""

import ast
import dataclasses
import inspect
import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from recsys_ae import models
from recsys_ae.features import models as feature_models
from tests import conftest
from tests.import_graph import ROOT

MOST_FILES = 20
REGISTRIES = ["recsys_ae/models", "recsys_ae/features/models", "recsys_ae/data/catalog", "cli/commands"]
# Models without a paper, so there is nothing to compare them with: their tests are in tests/models.
WITHOUT_A_PAPER = {"popularity"}
WITHOUT_A_MIRROR = {"fidelity", "compatibility", "pretended"}
TESTS = sorted(path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py"))
ABOUT_THE_WHOLE = {"architecture", "layout", "packaging", "public_surface", "readme"}


def test_no_folder_holds_more_than_twenty_files() -> None:
    paths = [path for top in ("recsys_ae", "cli") for path in (ROOT / top).rglob("*.py")]
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in paths)
    assert {folder: n for folder, n in counts.items() if n > MOST_FILES and folder not in REGISTRIES} == {}


def entries(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).iterdir() if path.suffix == ".py" and not path.name.startswith("_"))


@pytest.mark.parametrize("folder", REGISTRIES)
def test_a_registry_is_a_flat_folder(folder: str) -> None:
    assert not [path for path in (ROOT / folder).iterdir() if path.is_dir() and path.name != "__pycache__"]


@pytest.mark.parametrize("registry", [models, feature_models], ids=["models", "features.models"])
def test_a_registry_of_models_holds_models_only(registry: ModuleType) -> None:
    folder = Path(str(registry.__file__)).parent.relative_to(ROOT).as_posix()
    assert registry.names() == tuple(path.stem for path in entries(folder))
    for name in registry.names():
        assert dataclasses.is_dataclass(registry.spec_class(name))


# What every file of a registry defines; those of models are asked for by their registry above.
DEFINED = {"recsys_ae/data/catalog": "DATASETS", "recsys_ae/data/splits/kinds": "split", "cli/commands": "command"}


@pytest.mark.parametrize("path", [path for folder in DEFINED for path in entries(folder)], ids=lambda path: path.stem)
def test_a_registry_holds_entries_only(path: Path) -> None:
    nodes = ast.parse(path.read_text("utf-8")).body
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    names |= {ast.unparse(target) for node in nodes if isinstance(node, ast.Assign) for target in node.targets}
    assert DEFINED[path.parent.relative_to(ROOT).as_posix()] in names


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_a_test_lies_where_what_it_tests_lies(test: Path) -> None:
    top = test.parts[0]
    if top in WITHOUT_A_MIRROR:
        return
    if len(test.parts) == 1:
        name = test.stem.removeprefix("test_")
        assert name in ABOUT_THE_WHOLE or (ROOT / "recsys_ae" / f"{name}.py").exists()
        return
    home = ROOT if top in ("cli", "experiments") else ROOT / "recsys_ae"
    assert (home / test.parent).is_dir()


def imported_models(test: Path) -> set[str]:
    """Return the modules of models, of both wings, that a test imports, by class or by module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "tests" / test).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("recsys_ae"):
            package = import_module(str(node.module))
            names |= {_home(package, alias.name) for alias in node.names}
    return {name for name in names if name.startswith(("recsys_ae.models", "recsys_ae.features.models"))}


def _home(package: ModuleType, name: str) -> str:
    """Return the module that a name comes from: ``recsys_ae.models.ease`` for ``EASE``."""
    member = getattr(package, name)
    return member.__name__ if inspect.ismodule(member) else str(getattr(member, "__module__", package.__name__))


FIDELITY = [test for test in TESTS if test.parts[0] == "fidelity"]


@pytest.mark.parametrize("test", FIDELITY, ids=str)
def test_a_fidelity_test_is_about_models(test: Path) -> None:
    """Tests that compare a model with its paper, by formulas or published numbers, are in ``tests/fidelity``."""
    assert imported_models(test)
    wing = "recsys_ae.features." if test.parts[1] == "features" else "recsys_ae.models"
    assert all(name.startswith(wing) for name in imported_models(test))


def test_every_model_is_compared_with_its_paper() -> None:
    compared = {name for test in FIDELITY for name in imported_models(test)}
    every = {f"recsys_ae.models.{name}" for name in models.names() if name not in WITHOUT_A_PAPER}
    every |= {f"recsys_ae.features.models.{name}" for name in feature_models.names()}
    assert every - compared == set()


def test_the_page_is_one_page_and_its_tables_have_short_cells() -> None:
    lines = (ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()
    assert len(lines) <= 130
    cells = [cell.strip() for line in lines if line.startswith("|") for cell in line.split("|")]
    assert not [cell for cell in cells if len(cell) > 200]


def test_the_page_names_only_files_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    named = re.findall(r"`((?:recsys_ae|cli|tests|experiments)/[\w./]*)`", text)
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("name", ["Makefile", "pyproject.toml", "CONTRIBUTING.md", "README.md", ".ci/run"])
def test_paths_of_tests_that_a_file_names_exist(name: str) -> None:
    named = re.findall(r"tests/[\w./-]*\w(?=[\s\"'`,)]|$)", (ROOT / name).read_text("utf-8"))
    assert not [path for path in named if "NAME" not in path and not (ROOT / path).exists()]


def test_slow_tests_are_listed_by_files_that_exist() -> None:
    assert conftest.SECONDS
    assert not [path for path in conftest.SECONDS if not path.is_file()]
