"""Options from a TOML file."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def options(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "notes.json").read_text(encoding="utf-8"))["options"]
    return found


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default(cli: Run, here: Path, ratings: Path) -> None:
    (here / "run.toml").write_text(
        f"""
        model = "mult-vae"
        out = "model"
        [data]
        data = {str(ratings)!r}
        min_user_items = 3
        [mult-vae]
        latent = 3
        hidden = [6, 5]
        epochs = 7
        lr = 1e-4
        [run]
        no-track = true
        quiet = true
        """
    )
    outcome = cli("fit", "--config", "run.toml", "--epochs", 2, "--latent", "4")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    found = options(here / "model")
    wanted = {"epochs": 2, "latent": 4, "hidden": [6, 5], "lr": 1e-4, "min-user-items": 3, "dropout": 0.3}
    assert {name: found[name.replace("-", "_")] for name in wanted} == wanted
    assert found["track"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latnt = 3", "did you mean latent?"),
        ("[split]\nvalid_user = 3", "did you mean valid-users?"),
        ("latent = 0", "--latent 0 is out of bounds"),
        ("latent = 2.5", "'2.5' is not a valid integer"),
        ("latent = true", "must be a value"),
        ("latent = [1, 2]", "must be a single value"),
        ("quiet = 'yes'", "must be true or false"),
        ("hidden = ['a']", "'a' is not a valid integer"),
        ("a = 1\n[x]\na = 2", "sets a twice"),
        ("latent = ", "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_wrong_usage(cli: Run, here: Path, text: str, said: str) -> None:
    (here / "run.toml").write_text(text)
    outcome = cli("fit", "mult-vae", "--config", "run.toml")
    assert outcome.code == 2
    assert said in outcome.error


def test_a_missing_file_is_wrong_usage(cli: Run) -> None:
    outcome = cli("fit", "ease", "--config", "nowhere.toml")
    assert outcome.code == 2
    assert "nowhere.toml" in outcome.error


def test_a_file_of_deep_tables_is_one_line(cli: Run, here: Path) -> None:
    (here / "deep.toml").write_text("l2 = " + "[" * 100_000)
    assert "--config deep.toml is not TOML" in cli("fit", "ease", "--config", "deep.toml").error
    assert "deep.toml is not TOML" in cli("study", "deep.toml").error


EDLAE = {"l2": 300.0, "dropout": 0.33, "user_discount": 0.0, "scaling": 0.0, "popularity_discount": 0.0}
"""Settings of the paper."""


def spec(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "config.json").read_text(encoding="utf-8"))["spec"]
    return found


@pytest.mark.parametrize(
    ("words", "file", "changed"),
    [
        (("--preset", "paper"), "", {}),
        (("--preset", "paper", "--l2", 7), "", {"l2": 7.0}),
        (("--l2", 7, "--preset", "paper"), "", {"l2": 7.0}),
        ((), "preset = 'paper'\nl2 = 8", {"l2": 8.0}),
        (("--preset", "paper"), "l2 = 8\ndropout = 0.25", {"l2": 8.0, "dropout": 0.25}),
        (("--preset", "paper", "--dropout", 0.5), "l2 = 8\ndropout = 0.25", {"l2": 8.0, "dropout": 0.5}),
    ],
)
def test_options_win_over_a_preset(
    cli: Run, here: Path, ratings: Path, words: tuple[object, ...], file: str, changed: dict[str, object]
) -> None:
    given = ("--data", ratings, "--min-user-items", 3, "--out", "model", "--no-track", "--quiet")
    for config in [("--config", "run.toml"), ()] if not file else [("--config", "run.toml")]:
        (here / "run.toml").write_text(file)
        outcome = cli("fit", "edlae", *words, *given, *config, "--overwrite")
        assert (outcome.code, outcome.err) == (0, "")
        found = spec(here / "model")
        assert {name: found[name] for name in EDLAE} == {**EDLAE, **changed}
    assert options(here / "model")["preset"] == "paper"


def test_presets_of_lists_and_words(cli: Run, here: Path, ratings: Path) -> None:
    given = ("--data", ratings, "--min-user-items", 3, "--out", "model", "--no-track", "--quiet", "--epochs", 1)
    for words, expected in (((), [600]), (("--hidden", "5,4"), [5, 4]), (("--hidden", ""), [])):
        assert cli("fit", "mult-vae", "--preset", "paper", *words, *given, "--overwrite").code == 0
        assert spec(here / "model")["hidden"] == expected


def test_an_unknown_preset_is_wrong_usage(cli: Run) -> None:
    outcome = cli("fit", "ease", "--preset", "papre")
    assert outcome.code == 2
    assert "'papre' is not 'paper'" in outcome.error
    assert "No such option '--preset'" in cli("fit", "popularity", "--preset", "paper").error
