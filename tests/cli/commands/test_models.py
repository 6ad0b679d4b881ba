"""List of the models."""

from recsys_ae import models
from tests.cli.conftest import Run


def test_models_are_listed_with_what_they_are_and_when_to_use_them(cli: Run) -> None:
    outcome = cli("models")
    assert outcome.code == 0
    described, used = outcome.out.split("when to use\n")
    for name in models.names():
        typed = name.replace("_", "-")
        assert f"\n{typed} " in described
        assert models.registry.usage(name) in used


def test_autoencoders_are_listed_without_an_empty_table(cli: Run) -> None:
    outcome = cli("autoencoders")
    assert outcome.code == 0
    assert "when to use" not in outcome.out
