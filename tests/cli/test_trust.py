"""Models that somebody else saved: the data that they name are read only if the user names them."""

import shutil
from pathlib import Path

import pytest

from recsys_ae import Recommender
from recsys_ae.data import download, named
from recsys_ae.errors import DataError
from tests.cli.conftest import FAST, RATED, Outcome, Run

EXPLICIT = ("--min-user-items", "3", "--no-track", *RATED)


@pytest.fixture
def theirs(cli: Run, here: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with models that another user saved, and the data file that they name."""
    home = here / "theirs"
    home.mkdir()
    data = home / "ratings.csv"
    data.write_bytes(ratings.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        for name in ("ease", "popularity"):
            assert cli("fit", name, "--data", data, *FAST, "--out", home / name).code == 0
        assert cli("fit", "autorec", "--data", data, *EXPLICIT, "--out", home / "autorec").code == 0
    (here / "mine.csv").write_bytes(data.read_bytes())
    return home


@pytest.fixture
def nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a file is read as interactions, or a data set is looked for or downloaded."""
    from recsys_ae.data.reading import Reading

    def read(*args: object, **_: object) -> None:
        raise AssertionError(f"{args} was read")

    monkeypatch.setattr(Reading, "read_file", read)
    for module, name in ((named, "load"), (named, "download"), (named, "find"), (download, "fetch")):
        monkeypatch.setattr(module, name, read)


def refused(outcome: Outcome) -> str:
    assert (outcome.code, outcome.out) == (1, "")
    return outcome.error


COMMANDS = {
    "evaluate": ("evaluate", "{}/ease", "--no-track"),
    "recommend": ("recommend", "{}/ease", "--out", "-"),
    "predict": ("predict", "{}/autorec", "--pairs", "pairs.csv", "--out", "-"),
    "blend": ("blend", "{}/ease", "{}/popularity", "--out", "mixed", "--weights", "1,1"),
}


def words(command: str, home: Path) -> list[str]:
    return [word.format(home) for word in COMMANDS[command]]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_asks_for_the_data_of_a_model_of_somebody_else(
    command: str, cli: Run, theirs: Path, here: Path, nothing_is_read: None
) -> None:
    (here / "pairs.csv").write_text("user,item\nu1,film 0\n")
    error = refused(cli(*words(command, theirs)))
    assert error == (
        "Error: the model was saved by somebody else, or by an earlier version, so the data that the model names are "
        f"not read ('{theirs}/ratings.csv'); give --data, or load and save the model again if you trust it"
    )
    assert not (here / "mixed").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_with_the_data_the_command_works(command: str, cli: Run, theirs: Path, here: Path) -> None:
    (here / "pairs.csv").write_text("user,item\nu1,film 0\n")
    (theirs / "ratings.csv").unlink()
    outcome = cli(*words(command, theirs), "--data", "mine.csv")
    assert outcome.code == 0, outcome.err
    if command == "blend":  # it is the user's own, and names the data that the user named
        assert cli("evaluate", "mixed", "--no-track").code == 0
        assert Recommender.load("mixed").recipe.data == str(here / "mine.csv")


def test_commands_that_follow_nothing_work(cli: Run, theirs: Path, here: Path, nothing_is_read: None) -> None:
    assert cli("similar", theirs / "ease", "film 0").code == 0


def test_histories_of_the_user_need_no_data_of_the_fit(cli: Run, theirs: Path, here: Path) -> None:
    (theirs / "ratings.csv").unlink()
    (here / "new.csv").write_text("userId,itemId,rating\nme,film 1,5\nme,film 3,5\n")
    assert cli("recommend", theirs / "ease", "--histories", "new.csv", "--out", "-").code == 0


def test_an_own_model_is_followed_wherever_it_is_moved_or_copied(cli: Run, here: Path, ratings: Path) -> None:
    assert cli("fit", "ease", "--data", ratings, *FAST, "--out", "own").code == 0
    shutil.copytree(here / "own", here / "copy")
    (here / "own").rename(here / "moved")
    for folder in ("copy", "moved"):
        assert cli("evaluate", folder, "--no-track").code == 0


def test_a_model_that_is_saved_again_is_the_users_own(cli: Run, theirs: Path, here: Path) -> None:
    Recommender.load(theirs / "ease").save(here / "trusted")
    assert cli("evaluate", "trusted", "--no-track").code == 0


def test_no_download_begins_for_a_data_set_that_a_model_names(
    cli: Run, theirs: Path, here: Path, nothing_is_read: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Recommender.load(theirs / "ease")
    (here / "data").mkdir()
    model.notes["source"] = {"data": "ml-100k", "data_dir": str(here / "data"), "split": "strong"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(theirs / "state"))
        model.save(here / "named")
    for options in ((), ("--data-dir", "data")):
        for command in (("evaluate", "named", "--no-track"), ("recommend", "named", "--out", "-")):
            error = refused(cli(*command, *options))
            assert "are not read ('ml-100k'); give --data ml-100k, or load" in error
    with pytest.raises(DataError, match="give data = 'ml-100k', or load and save the model again"):
        Recommender.load(here / "named").recipe.load()
    assert list((here / "data").iterdir()) == []
    # The name of a data set is the word of the user, and then the folder is theirs too.
    recipe = Recommender.load(here / "named").recipe.at("ml-100k")
    assert (recipe.named, recipe.data_dir, recipe.doubt) == (True, None, None)


def test_a_test_part_is_asked_for_as_well(cli: Run, here: Path, ratings: Path) -> None:
    lines = ratings.read_text("utf-8").splitlines(keepends=True)
    (here / "train.csv").write_text("".join(lines[:1] + lines[1::2]), "utf-8")
    (here / "test.csv").write_text("".join(lines[:1] + lines[2::2]), "utf-8")
    given = ("--split", "given", "--data", "train.csv", "--test-data", "test.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(here / "other"))
        assert cli("fit", "ease", *given, "--no-track", "--out", "given").code == 0
    for options in ((), ("--data", "train.csv"), ("--test-data", "test.csv")):
        error = refused(cli("evaluate", "given", "--no-track", *options))
        assert f"('{here}/train.csv' and '{here}/test.csv'); give --data and --test-data, or load" in error
    assert cli("evaluate", "given", "--no-track", "--data", "train.csv", "--test-data", "test.csv").code == 0


def test_a_damaged_key_is_named(cli: Run, here: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(here / "state"))
    assert cli("fit", "ease", "--data", ratings, *FAST, "--out", "own").code == 0
    key = here / "state" / "recsys_ae" / "key"
    key.write_text("short")
    error = refused(cli("evaluate", "own", "--no-track"))
    assert f"your key {key} is damaged (delete it), so the data that the model names are not read" in error
    assert cli("evaluate", "own", "--no-track", "--data", ratings).code == 0


def test_notes_of_other_types_are_not_used(cli: Run, theirs: Path, here: Path) -> None:
    model = Recommender.load(theirs / "ease")
    for number, titles in enumerate(
        ("titles", ["one"], [1] * len(model.items), {"a": 1}, None, [[]] * len(model.items))
    ):
        model.notes |= {"titles": titles, "fingerprint": [1], "source": "the shop", "mlflow": [1]}
        model.save(here / f"noted{number}")
        assert cli("similar", f"noted{number}", "film 0").code == 0
        assert "has no data recipe" in refused(cli("evaluate", f"noted{number}", "--no-track"))
