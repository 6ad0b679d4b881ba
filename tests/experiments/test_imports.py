"""Test that experiments import the library but not the command line."""

import ast
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.rglob("*.py")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_experiment_does_not_import_the_command_line(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    assert not [name for name in named if name.split(".")[0] in ("cli", "recsys_ae_cli", "click")]
