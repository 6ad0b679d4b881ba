"""The names that others rely on."""

import subprocess
import sys

import recsys_ae
from recsys_ae import models

PUBLIC = {
    "FeatureEncoder", "Features",
    "Holdout", "Interactions", "Recommendations", "Recommender", "RecsysError", "Report", "Run", "Split",
    "blend", "compare", "evaluate", "load_dataset", "read_interactions", "split_users",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(recsys_ae.__all__) == PUBLIC
    assert set(dir(recsys_ae)) == PUBLIC


def test_every_public_name_can_be_imported() -> None:
    for name in PUBLIC:
        assert getattr(recsys_ae, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(recsys_ae, "AutoMagic")
    assert not hasattr(models, "AutoMagic")


def test_every_model_can_be_imported_by_its_class() -> None:
    for name in models.names():
        spec = models.spec_class(name)
        assert getattr(models, spec.__name__) is spec
        assert models.summary(name).strip()


def test_warnings_are_not_printed_on_import() -> None:
    code = "import recsys_ae\nfor name in recsys_ae.__all__: getattr(recsys_ae, name)"
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
