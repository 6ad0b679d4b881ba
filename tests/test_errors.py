"""Error messages name arguments of Python or options of the command line."""

import pickle

import click
import pytest

from cli.wording import as_option
from recsys_ae.data.reading import Reading
from recsys_ae.errors import Argument, ConfigError, DataError, arguments_named, printable, renamed


def test_python_reads_the_name_and_the_value() -> None:
    error = DataError("set ", Argument("rating"), " or ", Argument("header", value=True))
    assert str(error) == "set rating or header = True"
    assert str(ConfigError(Argument("device", "gpu"), " is not supported")) == "device = 'gpu' is not supported"
    assert str(DataError(Argument("seed", None))) == "seed = None"


def test_a_caller_renames_the_arguments_of_what_it_calls() -> None:
    with (
        pytest.raises(DataError, match="set split_seed, not device"),
        arguments_named(renamed({"seed": "split_seed"})),
    ):
        raise DataError("set ", Argument("seed"), ", not ", Argument("device"))


def test_an_error_of_a_worker_process_keeps_its_parts() -> None:
    error = pickle.loads(pickle.dumps(DataError("set ", Argument("rating", 4))))
    assert str(error) == "set rating = 4"
    assert error.parts == ("set ", Argument("rating", 4))


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (Argument("rating_column"), "--rating-column"),
        (Argument("separator", "; "), "--separator '; '"),
        (Argument("header", value=True), "--header"),
        (Argument("header", value=False), "--no-header"),
        (Argument("hidden", (5, 0)), "--hidden 5,0"),
        (Argument("dropout", 2.0), "--dropout 2"),
        (Argument("dropout", None), "--dropout"),
        (Argument("split_kind", "weak"), "--split weak"),
        (Argument("model"), "DIR"),
        (Argument("unknown", 3), "unknown = 3"),
    ],
)
def test_the_command_line_reads_options_as_they_are_typed(argument: Argument, text: str) -> None:
    names = ("--rating-column", "--separator", "--header/--no-header", "--hidden", "--dropout", "--split")
    params = [*(click.Option([name]) for name in names), click.Argument(["model"], metavar="DIR")]
    assert as_option(argument, params) == text


def test_a_recipe_names_its_own_columns(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("userId,thing\n1,2\n")
    with pytest.raises(DataError, match="set item_column to its name or position"):
        Reading().read_file(path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\x9b2J\x07\x08\x7f\r", r"a\x9b2J\x07\x08\x7f\x0d"),
        ("\u202eabc\u2066\u200f\u200b\ufeff\u2028", r"\u202eabc\u2066\u200f\u200b\ufeff\u2028"),
        (b"\xff\x9b.csv".decode("utf-8", "surrogateescape"), r"\xff\x9b.csv"),
        ("\ud800", r"\ud800"),
        ("tab\tand\nline, ünï 🧍 👩\u200d🔬 می\u200cخواهم", "tab\tand\nline, ünï 🧍 👩\u200d🔬 می\u200cخواهم"),
    ],
)
def test_printable_text_holds_nothing_that_a_terminal_obeys_or_hides(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_an_error_is_one_printable_line() -> None:
    error = DataError("a\x1b[2Jb\nc: set ", Argument("rating", "\x9b"))
    assert str(error) == r"a\x1b[2Jb c: set rating = '\x9b'"
    assert error.parts[0] == "a\x1b[2Jb\nc: set "
