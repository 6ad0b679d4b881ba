"""Command-line options of hyper-parameters."""

from dataclasses import dataclass
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner

from recsys_ae.models import names
from recsys_ae.spec.hyper import hp
from recsys_ae_cli import hyper_options
from recsys_ae_cli.commands import fit
from recsys_ae_cli.framework import Command
from tests.cli.conftest import Run


@dataclass(frozen=True, kw_only=True)
class Example:
    """Every type that a hyper-parameter may have."""

    epochs: int = hp(3, "passes over the data", low=1)
    lr: float = hp(1e-3, "learning rate", low=0, high=1)
    hidden: tuple[int, ...] = hp((600, 200), "widths", low=1)
    kind: Literal["a", "b"] = hp("a", "which one")
    tied: bool = hp(False, "one matrix for both ways")
    limit: int | None = hp(None, "no more than this")
    monitor: str = hp("ndcg@100", "what decides")


def parsed(*args: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    params = list(hyper_options.options(Example))  # type: ignore[arg-type]
    command = Command("example", params=list(params), callback=lambda **given: found.update(given))
    result = CliRunner().invoke(command, args)
    assert result.exit_code == 0, result.output
    return hyper_options.values(Example, found)  # type: ignore[arg-type]


def test_what_is_not_given_keeps_its_default() -> None:
    assert Example(**parsed()) == Example()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["--hidden", "30,20"], {"hidden": (30, 20)}),
        (["--hidden", "30", "--hidden", "20"], {"hidden": (30, 20)}),
        (["--hidden", ""], {"hidden": ()}),
        (["--tied"], {"tied": True}),
        (["--no-tied"], {"tied": False}),
        (["--kind", "b", "--lr", "5e-2"], {"kind": "b", "lr": 0.05}),
        (["--limit", "7"], {"limit": 7}),
    ],
)
def test_every_type_is_read(typed: list[str], meant: dict[str, Any]) -> None:
    assert parsed(*typed) == {**vars(Example()), **meant}


def test_the_help_says_meaning_type_default_and_bounds() -> None:
    params = list(hyper_options.options(Example))  # type: ignore[arg-type]
    shown = " ".join(CliRunner().invoke(Command("example", params=list(params)), ["--help"]).output.split())
    assert "--epochs INTEGER Passes over the data. [default: 3; at least 1]" in shown
    assert "--lr FLOAT Learning rate. [default: 0.001; 0 to 1]" in shown
    assert "--hidden INTEGER,... Widths. [default: 600,200; at least 1]" in shown
    assert "--kind [a|b] Which one. [default: a]" in shown
    assert "--tied / --no-tied One matrix for both ways. [default: no]" in shown


@pytest.mark.parametrize("name", names())
def test_no_model_has_an_option_that_all_models_have(name: str) -> None:
    command = fit.command.get_command(click.Context(fit.command), name)
    assert command is not None
    opts = [opt for param in command.params for opt in (*param.opts, *param.secondary_opts)]
    assert len(opts) == len(set(opts))


def test_fit_help_lists_the_models_and_what_all_of_them_take(cli: Run) -> None:
    shown = cli("fit", "--help").out
    for name in names():
        assert f"\n  {name.replace('_', '-')} " in shown
    assert "--split-recipe" in shown
    assert "--batch-size" not in shown


@pytest.mark.parametrize("name", ["mult-vae", "mult_vae"])
def test_the_help_of_a_model_has_its_own_options_too(cli: Run, name: str) -> None:
    shown = " ".join(cli("fit", name, "--help").out.split())
    assert "--dropout FLOAT Dropout rate of the input interactions. [default: 0.3; 0 to 0.99]" in shown
    assert "--split-recipe" in shown


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--latent", "0"), "--latent 0 is out of bounds; expected at least 1"),
        (("--dropout", "nan"), "--dropout nan"),
        (("--hidden", "5,0"), "--hidden 5,0 is out of bounds; expected at least 1"),
        (("--hidden", "5,six"), "'six' is not a valid integer"),
        (("--epochs", "many"), "'many' is not a valid integer"),
        (("--lr-schedule", "cosinus"), "'cosinus' is not one of"),
    ],
)
def test_a_value_out_of_bounds_is_wrong_usage(cli: Run, typed: tuple[str, str], said: str) -> None:
    outcome = cli("fit", "mult-vae", *typed)
    assert outcome.code == 2
    assert said in outcome.error
