"""Public names of the packages."""

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

import recsys_ae
from recsys_ae import models

FACES = {
    "recsys_ae": {
        "Checkpoint", "DataRecipe", "FeatureEncoder", "Features", "Holdout", "Interactions", "MLflowTracker",
        "RecsysError", "Recommendations", "Recommender", "Report", "Run", "Split", "blend", "compare", "evaluate",
        "load_dataset", "read_interactions", "split_users",
    },
    "recsys_ae.data": {
        "DataRecipe", "Dataset", "Holdout", "Interactions", "MinInteractions", "MinRating", "Split", "apply",
        "load_dataset", "read_interactions", "split_given", "split_interactions", "split_last", "split_liang2018",
        "split_ratings", "split_time", "split_users", "synthesize",
    },
    "recsys_ae.models": {
        "History", "Model", "Rows", "Shape", "Spec", "TrainableModel", "TrainableSpec", "hp", "names", "spec_class",
        "summary",
    },
    "recsys_ae.evaluation": {
        "Comparison", "Estimate", "Leaderboard", "Ranker", "Report", "Verdict", "compare", "evaluate",
        "evaluate_lists", "gate", "leaderboard",
    },
    "recsys_ae.features": {"FeatureEncoder", "Features", "histories", "joined", "read_features", "read_labels"},
    "recsys_ae.tuning": {"Trial", "Tuned", "Watch", "refit", "tune"},
}  # fmt: skip
MOST = 70


def face(name: str) -> ModuleType:
    return importlib.import_module(name)


def specs() -> set[str]:
    """Return the names of the classes of all models that come with the package."""
    return {models.spec_class(name).__name__ for name in models.registry.built_in()}


@pytest.mark.parametrize("name", FACES)
def test_the_public_names_are_these(name: str) -> None:
    expected = FACES[name] | (specs() if name == "recsys_ae.models" else set())
    assert set(face(name).__all__) == expected
    assert len(face(name).__all__) == len(expected)
    assert set(dir(face(name))) >= expected


def test_they_are_few_enough_to_know() -> None:
    assert sum(map(len, FACES.values())) <= MOST


@pytest.mark.parametrize("name", FACES)
def test_every_public_name_can_be_imported_and_says_what_it_is(name: str) -> None:
    for public in face(name).__all__:
        assert getattr(face(name), public).__doc__, public


@pytest.mark.parametrize("name", [name for name in FACES if name != "recsys_ae"])
def test_a_name_means_the_same_in_every_face(name: str) -> None:
    for public in FACES[name] & FACES["recsys_ae"]:
        assert getattr(face(name), public) is getattr(recsys_ae, public)


@pytest.mark.parametrize("name", FACES)
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    assert not hasattr(face(name), "AutoMagic")


def test_every_model_can_be_imported_by_its_class() -> None:
    for name in models.names():
        spec = models.spec_class(name)
        assert getattr(models, spec.__name__) is spec
        assert models.summary(name).strip()


@pytest.mark.parametrize("name", FACES)
def test_a_face_imports_no_torch_until_a_name_of_it_is_used(name: str) -> None:
    code = f"import sys, {name}\ndir({name})\nprint('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "False\n", "")


def test_all_names_of_a_face_come_with_a_star() -> None:
    code = "from recsys_ae.models import *\nfrom recsys_ae import *\nRecommender(EASE(l2=5.0))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_warnings_are_not_printed_on_import() -> None:
    code = "import recsys_ae\nfor name in recsys_ae.__all__: getattr(recsys_ae, name)"
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
