"""Models of other packages on the command line."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.plug_in import install, run

HEAVY = "print([name for name in ('torch', 'pandas', 'numpy', 'my_plugin') if name in sys.modules], file=sys.stderr)"


def recsys_ae(*args: str, path: Path | None, cwd: Path) -> "CompletedProcess[str]":
    code = f"import sys\nfrom recsys_ae_cli.main import main\ncode = main(sys.argv[1:])\n{HEAVY}\nsys.exit(code)"
    return run(["-c", code, *args], path, cwd)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def fitted(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cwd = tmp_path_factory.mktemp("work")
    outcome = recsys_ae("fit", "my-model", "--out", "model", "--no-track", path=site, cwd=cwd)
    assert outcome.returncode == 0, outcome.stderr
    assert "Fitting the model my-model on" in outcome.stdout
    return cwd / "model"


def test_the_list_of_models_names_the_package_and_imports_nothing(site: Path, tmp_path: Path) -> None:
    outcome = recsys_ae("models", path=site, cwd=tmp_path)
    assert (outcome.returncode, outcome.stderr) == (0, "[]\n")
    rows = [" ".join(line.split()) for line in outcome.stdout.splitlines()]
    assert "my-model from the package my-plugin" in rows
    assert "my-model" not in recsys_ae("models", path=None, cwd=tmp_path).stdout


def test_the_help_of_a_plug_in_is_made_from_its_file(site: Path, tmp_path: Path) -> None:
    shown = " ".join(recsys_ae("fit", "my-model", "--help", path=site, cwd=tmp_path).stdout.split())
    assert "Neighbours: items that the same users interact with." in shown
    assert "--l2 FLOAT|auto Added to each norm; auto is the mean count of an item. [default: auto; at least 0]" in shown


def test_the_saved_spec_holds_the_number_and_the_metadata_the_rule(fitted: Path) -> None:
    config = json.loads((fitted / "config.json").read_text(encoding="utf-8"))
    assert (config["model"], config["packages"]) == ("my_model", {"my_model": "my-plugin"})
    assert config["spec"]["l2"] == config["facts"]["interactions"] / config["facts"]["items"]
    assert config["facts"]["rules"] == {"l2": "auto"}


def test_a_dry_run_resolves_and_a_wrong_word_is_wrong_usage(site: Path, tmp_path: Path) -> None:
    assert recsys_ae("fit", "my-model", "--dry-run", path=site, cwd=tmp_path).returncode == 0
    outcome = recsys_ae("fit", "my-model", "--l2", "all", path=site, cwd=tmp_path)
    assert outcome.returncode == 2
    assert "'all' is not a valid float" in outcome.stderr


def test_a_plug_in_is_evaluated_and_recommends_like_any_model(site: Path, fitted: Path) -> None:
    outcome = recsys_ae("recommend", "model", "--out", "top.csv", path=site, cwd=fitted.parent)
    assert outcome.returncode == 0, outcome.stderr
    assert (fitted.parent / "top.csv").stat().st_size > 1000


def test_loading_without_the_package_says_which_one_is_missing(fitted: Path) -> None:
    outcome = recsys_ae("evaluate", "model", path=None, cwd=fitted.parent)
    assert outcome.returncode == 1
    said = "Error: model was fitted with the model 'my_model' of the package 'my-plugin', which is not installed"
    assert outcome.stderr.splitlines()[0] == said


def test_a_blend_says_which_package_its_member_is_from(site: Path, fitted: Path) -> None:
    cwd = fitted.parent
    members = "my-model,ease"
    outcome = recsys_ae("fit", "blend", "--members", members, "--out", "blend", "--no-track", path=site, cwd=cwd)
    assert outcome.returncode == 0, outcome.stderr
    outcome = recsys_ae("similar", "blend", "1", path=None, cwd=cwd)
    assert outcome.stderr.startswith("Error: blend was fitted with the model 'my_model' of the package 'my-plugin'")


def test_a_plug_in_cannot_take_the_name_of_another_model(site: Path, tmp_path: Path) -> None:
    other = install(tmp_path / "site", "rival", "ease = rival:MySpec\nmy_model = rival:MySpec")
    outcome = run(
        ["-c", "import sys\nsys.path.append(sys.argv.pop())\nfrom recsys_ae_cli.main import main\nmain(['models'])",
         str(other)], site, tmp_path,
    )  # fmt: skip
    assert outcome.stderr.splitlines() == [
        "Note: the model 'ease' of the package rival is ignored: its name is taken by recsys_ae",
        "Note: the model 'my_model' of the package rival is ignored: its name is taken by the package my-plugin",
    ]
    assert "rival" not in outcome.stdout
    outcome = recsys_ae("fit", "ease", "--dry-run", path=other, cwd=tmp_path)
    assert outcome.stderr.startswith(
        "Note: the model 'ease' of the package rival is ignored: its name is taken by recsys_ae\n"
    )
