"""Tests of the experiment runner: resumed runs, checks of the data, dry runs, and valid settings of all experiments."""

import importlib
import io
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

import click
import numpy as np
import pytest

from recsys_ae.data import named
from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.synthetic.generate import synthesize
from recsys_ae.metrics import parse
from recsys_ae.models import spec_class
from recsys_ae_cli import hyper_options
from recsys_ae_cli.commands.fit import command as fit
from recsys_ae_cli.main import main as cli

HERE = Path(__file__).parents[2] / "experiments"
PLANS = sorted(HERE.glob("*/experiment.toml"))
MODELS = [path for plan in PLANS for path in sorted(plan.parent.glob("*.toml")) if path != plan]
CHECKS = {
    *("interactions read", "users read", "items read", "train users", "items", "train interactions", "fingerprint"),
    *("validation users", "validation targets", "test users", "test targets"),
}
PLAN = """
metrics = ["ndcg@100", "recall@20"]
baseline = "popularity"
[options]
data = "sample"
min-rating = 4
valid-users = 100
test-users = 100
"""
POPULARITY, EASE = 'model = "popularity"\n', 'model = "ease"\nl2 = 50.0\n'
DAE = 'model = "mult_dae"\nepochs = 3\nlatent = 8\n'
Experiments = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return the program as a module."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delenv("RECSYS_AE_DATA", raising=False)
    yield importlib.import_module("run")
    for name in ("run", "dry_run", "measured"):
        sys.modules.pop(name, None)


@pytest.fixture
def commands(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Run the commands of an experiment in this process; return the list of commands."""
    commands: list[list[str]] = []

    def watched(command: list[str]) -> tuple[str, float, float]:
        commands.append(command[1:])
        with redirect_stdout(io.StringIO()) as output:
            code = cli(command[1:])
        if code:
            raise SystemExit(f"failed: {command}")
        return output.getvalue(), 1.0, 2.0

    monkeypatch.setattr(run, "watched", watched)
    return commands


@pytest.fixture
def tiny(run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of an experiment on the synthetic sample, with popularity and EASE."""
    monkeypatch.setattr(run, "HERE", tmp_path)
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name, text in (("experiment", PLAN), ("popularity", POPULARITY), ("ease", EASE)):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def fitted(commands: list[list[str]]) -> list[str]:
    return [command[1] for command in commands if command[0] == "fit"]


def option(command: list[str], name: str) -> str:
    return command[len(command) - command[::-1].index(name)]


def test_a_finished_model_is_not_run_again(
    run: ModuleType, tiny: Path, commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run.main(["tiny", "--no-track"])
    assert fitted(commands) == ["ease", "popularity"]
    assert [command[0] for command in commands] == ["fit", "evaluate"] * 2
    shown = capsys.readouterr().out
    rows = [line.split(" | ") for line in shown.splitlines() if line.startswith("| ")]
    # The best model comes first; the baseline has no difference from itself.
    assert [row[0] for row in rows] == ["| model", "| ease", "| popularity"]
    assert float(rows[1][3].split()[0]) > 0
    assert rows[2][3] == "–"
    commands.clear()
    run.main(["tiny", "--no-track"])
    assert commands == []
    assert capsys.readouterr().out == shown
    (tiny / "ease.toml").write_text(EASE.replace("50", "60"), encoding="utf-8")
    run.main(["tiny", "--no-track"])
    assert fitted(commands) == ["ease"]
    commands.clear()
    # A model that was fitted but not evaluated before an interruption is only evaluated.
    (tiny / "results/ease.test.json").unlink()
    run.main(["tiny", "--no-track"])
    assert [command[0] for command in commands] == ["evaluate"]


def test_a_blend_mixes_other_models_of_the_experiment(run: ModuleType, tiny: Path, commands: list[list[str]]) -> None:
    (tiny / "mix.toml").write_text('model = "blend"\nof = ["ease", "popularity"]\nscale = "rank"\n', encoding="utf-8")
    run.main(["tiny", "mix", "--no-track"])
    assert [command[:2] for command in commands[:2]] == [["fit", "ease"], ["fit", "popularity"]]
    results = tiny / "results"
    assert commands[2][:5] == ["blend", str(results / "ease"), str(results / "popularity"), "--scale", "rank"]
    assert commands[3][:2] == ["evaluate", str(results / "mix")]
    commands.clear()
    (tiny / "ease.toml").write_text(EASE.replace("50", "60"), encoding="utf-8")
    run.main(["tiny", "mix", "--no-track"])
    assert [command[0] for command in commands] == ["fit", "blend", "evaluate"]
    plan = PLAN.replace("[options]", "[refit]\nsplit-seed = 1\n[options]", 1)
    (tiny / "experiment.toml").write_text(plan, encoding="utf-8")
    with pytest.raises(SystemExit, match="mix: the weights of a blend cannot be chosen on data that its models"):
        run.main(["tiny", "mix", "--no-track"])


def test_other_data_are_refused_before_any_fit(run: ModuleType, tiny: Path, commands: list[list[str]]) -> None:
    check = '[check]\n"test users" = 100\nitems = 599\n"items read" = 600\n"users read" = 2001\n'
    (tiny / "experiment.toml").write_text(PLAN + check, encoding="utf-8")
    with pytest.raises(SystemExit, match="the data are not those of the experiment: ") as caught:
        run.main(["tiny", "--no-track"])
    message = str(caught.value)
    assert "users read: 2001 expected, 2000 found" in message
    assert "test users" not in message
    assert "items read" not in message
    assert commands == []


def test_a_refit_includes_the_validation_part_that_selected_the_epochs(
    run: ModuleType, tiny: Path, commands: list[list[str]]
) -> None:
    (tiny / "experiment.toml").write_text(PLAN + "[refit]\nvalid-users = 0\n", encoding="utf-8")
    (tiny / "mult_dae.toml").write_text(DAE, encoding="utf-8")
    run.main(["tiny", "--no-track", "ease", "mult_dae"])
    # EASE has no epochs to choose.
    assert fitted(commands) == ["ease", "mult_dae", "mult_dae"]
    closed, chosen, refit = (command for command in commands if command[0] == "fit")
    assert (option(closed, "--valid-users"), option(closed, "--out")) == ("0", str(tiny / "results/ease"))
    assert option(chosen, "--valid-users") == "100"
    assert option(refit, "--valid-users") == "0"
    epochs = run.read(tiny / "results/mult_dae.chosen.fit.json", chosen_mark(tiny))["best epoch"]
    assert option(refit, "--epochs") == str(epochs)
    assert run.read(tiny / "results/mult_dae.fit.json", chosen_mark(tiny))["epochs"] == epochs
    commands.clear()
    # Only models that were not fitted to the validation users can be evaluated on them.
    run.main(["tiny", "--no-track", "--on", "valid", "ease", "mult_dae"])
    assert fitted(commands) == ["ease"]
    evaluated = [command[1] for command in commands if command[0] == "evaluate"]
    assert evaluated == [str(tiny / f"results/{name}.chosen") for name in ("ease", "mult_dae")]


def chosen_mark(folder: Path) -> str:
    import json

    return str(json.loads((folder / "results/mult_dae.chosen.fit.json").read_text(encoding="utf-8"))["mark"])


def test_an_unknown_model_is_refused_with_the_available_ones(
    run: ModuleType, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run.main(["tiny", "eas"])
    assert "no model 'eas'; available: ease, popularity" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run.main(["tiny", "--dry-run"])
    assert "--dry-run needs a [dry_run]" in capsys.readouterr().err


def test_a_command_is_timed_and_its_failure_ends_the_run(run: ModuleType) -> None:
    text, seconds, peak = run.watched([sys.executable, "-c", "print('done')"])
    assert (text, seconds > 0, peak > 1) == ("done\n", True, True)
    with pytest.raises(SystemExit, match="failed after"):
        run.watched([sys.executable, "-c", "raise SystemExit(3)"])


@pytest.mark.parametrize("name", ["ml20m", "netflix", "msd"])
def test_a_dry_run_reads_its_synthetic_data_and_leaves_no_files(
    name: str, run: ModuleType, commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(HERE.rglob("*"))
    run.main([name, "popularity", "--dry-run", "0.001"])
    assert [command[0] for command in commands] == ["fit", "evaluate"]
    assert "| popularity | 0." in capsys.readouterr().out
    folder = Path(option(commands[0], "--data-dir"))
    assert not folder.exists()
    assert [path for path in sorted(HERE.rglob("*")) if "__pycache__" not in path.parts] == [
        path for path in before if "__pycache__" not in path.parts
    ]


@pytest.mark.parametrize("name", ["ml-20m", "netflix", "msd"])
def test_synthetic_data_are_read_as_they_were_written(name: str, run: ModuleType, tmp_path: Path) -> None:
    dry_run = importlib.import_module("dry_run")
    synthetic = synthesize(60, 40, 600)
    dry_run.WRITERS[name](synthetic, tmp_path)
    data, source = named.load(name, data_dir=tmp_path).interactions, synthetic.interactions
    columns = np.unique(source.matrix.indices)
    assert data.shape == (60, len(columns))
    if name == "msd":  # its users and songs get new ids, in another order
        in_order = [table.matrix.data[np.argsort(table.order)].tolist() for table in (data, source)]
        assert in_order[0] == in_order[1]
        assert [len(str(ids[0])) for ids in (data.users, data.items)] == [40, 18]
        return
    assert data.timestamps is not None
    assert source.timestamps is not None
    assert (data.users.tolist(), data.items.tolist()) == (source.users.tolist(), source.items[columns].tolist())
    assert (data.matrix != source.matrix[:, columns]).nnz == 0
    unit = 86_400 if name == "netflix" else 1
    assert data.timestamps.tolist() == (source.timestamps // unit * unit).tolist()


def test_a_dry_run_trains_for_one_epoch_and_goes_on_after_a_failure(
    run: ModuleType, tiny: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny / "experiment.toml").write_text(PLAN + "[dry_run]\n", encoding="utf-8")
    (tiny / "mult_dae.toml").write_text(DAE, encoding="utf-8")
    (tiny / "ease.toml").write_text(EASE.replace("50", "-1"), encoding="utf-8")
    monkeypatch.setattr(run, "rehearse", lambda plan, scale, folder: plan)
    with pytest.raises(SystemExit, match="ease: failed"):
        run.main(["tiny", "ease", "mult_dae", "--dry-run"])
    assert fitted(commands) == ["ease", "mult_dae"]
    assert option(commands[1], "--epochs") == "1"
    assert not (tiny / "results").exists()


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.parent.name)
def test_every_experiment_is_valid(path: Path) -> None:
    plan = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(plan) <= {"metrics", "baseline", "options", "refit", "check", "dry_run"}
    assert set(plan.get("check", {})) <= CHECKS
    assert set(plan.get("dry_run", {})) <= {"users", "items", "interactions"}
    for name in plan["metrics"]:
        parse(name)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_model_of_an_experiment_is_valid(run: ModuleType, path: Path) -> None:
    plan = tomllib.loads((path.parent / "experiment.toml").read_text(encoding="utf-8"))
    config = tomllib.loads(path.read_text(encoding="utf-8"))
    if "of" in config:
        assert set(config) == {"model", "of", "scale"}
        assert config["scale"] in ("standard", "rank")
        assert all(path.with_stem(member).exists() for member in config["of"])
        return
    name = config["model"]
    command = fit.get_command(click.Context(fit), name)
    assert command is not None
    for options in (plan["options"], plan["options"] | plan.get("refit", {})):
        words = run.Experiment._data(options)
        with command.make_context(name, [*words, "--config", str(path)]) as context:
            # Both refuse values out of bounds and options that contradict each other.
            spec_class(name)(**hyper_options.values(spec_class(name), context.params))
            DataRecipe.from_options(context.params)
