"""Columns are told once: files that go with a model have those of its fit, in any format."""

import csv
import gzip
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run

BOOKS = ["0306406152", "080442957X", "123456789", "55555", "777", "0x1"]
FIT = ("--no-track", "--quiet", "--min-user-items", 1, "--valid-users", 2, "--test-users", 2)


@pytest.fixture
def library(cli: Run, here: Path) -> Path:
    """Return the folder of a model whose data have columns of other names, separated by ``~``."""
    lines = ["loan~reader~isbn"]
    lines += [f"{u}{b}~r{u}~{book}" for u in range(20) for b, book in enumerate(BOOKS) if (u + b) % 3]
    (here / "loans.txt").write_text("\n".join(lines))
    columns = ("--user-column", "reader", "--item-column", "isbn", "--separator", "~")
    assert cli("fit", "ease", "--data", "loans.txt", *columns, *FIT, "--out", "model").code == 0
    return here / "model"


def lists(outcome: object) -> dict[str, list[str]]:
    assert outcome.code == 0, outcome.err  # type: ignore[attr-defined]
    found: dict[str, list[str]] = {}
    for row in csv.DictReader(outcome.out.splitlines()):  # type: ignore[attr-defined]
        found.setdefault(row["user"], []).append(row["item"])
    return found


@pytest.mark.parametrize("form", ["csv", "tsv", "txt", "parquet", "jsonl", "csv.gz"])
@pytest.mark.parametrize("names", [("isbn", "reader"), ("item_id", "user_id")])
def test_histories_need_no_options(cli: Run, here: Path, library: Path, form: str, names: tuple[str, str]) -> None:
    frame = pd.DataFrame({names[0]: BOOKS[:2], names[1]: ["new", "new"]})
    path = here / f"new.{form}"
    if form == "parquet":
        frame.to_parquet(path)
    elif form == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        text = frame.to_csv(index=False, sep={"tsv": "\t", "txt": "~"}.get(form, ","))
        path.write_bytes(gzip.compress(text.encode()) if form.endswith("gz") else text.encode())
    found = lists(cli("recommend", library, "--histories", path, "--k", 4, "--out", "-"))
    assert sorted(found["new"]) == sorted(BOOKS[2:])


def test_explicit_options_come_before_the_columns_of_the_fit(cli: Run, here: Path, library: Path) -> None:
    (here / "new.csv").write_text(f"reader,isbn,who\nx,{BOOKS[0]},new\ny,{BOOKS[1]},new\n")
    arguments = ("recommend", library, "--histories", "new.csv", "--k", 1, "--out", "-")
    assert list(lists(cli(*arguments))) == ["x", "y"]
    assert list(lists(cli(*arguments, "--user-column", "who"))) == ["new"]
    outcome = cli(*arguments, "--user-column", "nobody")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: new.csv: --user-column nobody: there is no such column")


def test_lists_of_users_and_items_have_the_columns_of_the_fit(cli: Run, here: Path, library: Path) -> None:
    pd.DataFrame({"town": ["a", "b"], "reader": ["r3", "r4"]}).to_parquet(here / "users.parquet")
    (here / "allow.tsv").write_text(f"isbn\treader\n{BOOKS[0]}\tr3\n{BOOKS[1]}\tr4\n")
    (here / "deny.jsonl").write_text('{"isbn": "777"}\n')
    arguments = ("recommend", library, "--users", "users.parquet", "--include-seen", "--out", "-")
    assert lists(cli(*arguments, "--allow", "allow.tsv")) == {"r3": BOOKS[:1], "r4": BOOKS[1:2]}
    denied = lists(cli(*arguments, "--deny", "deny.jsonl"))
    assert {book for books in denied.values() for book in books} == set(BOOKS) - {"777"}


def test_pairs_have_the_columns_of_the_fit(cli: Run, here: Path) -> None:
    rows = [f"{u},{i},{(u * i) % 5 + 1}" for u in range(20) for i in range(12) if (u + i) % 4]
    (here / "rated.csv").write_text("\n".join(["reader,isbn,stars", *rows]))
    columns = ("--user-column", "reader", "--item-column", "isbn", "--rating-column", "stars")
    fit = ("fit", "autorec", "--data", "rated.csv", *columns, *FIT[:-4], "--latent", 2, "--epochs", 2)
    assert cli(*fit, "--out", "rated").code == 0
    (here / "pairs.txt").write_text("isbn|reader\n3|1\n4|2\n")
    (here / "new.tsv").write_text("isbn\tstars\treader\n3\t5\t1\n3\t1\t2\n")
    for more in ((), ("--histories", "new.tsv")):
        outcome = cli("predict", "rated", "--pairs", "pairs.txt", *more, "--out", "-")
        assert outcome.code == 0, outcome.err
        assert [line.split(",")[:2] for line in outcome.out.splitlines()[1:]] == [["1", "3"], ["2", "4"]]


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--histories", "reader,isbn\nnew,\n", "new.csv: item (column isbn) in row 1 is missing"),
        ("--users", "town,date\na,b\n", "new.csv: no column was recognised as the user; set --user-column"),
        ("--allow", "reader,isbn\nr1,55555\n,777\n", "new.csv: user (column reader) in row 2 is missing"),
        ("--deny", "reader,town\nr1,b\n", "new.csv: no column was recognised as the item; set --item-column"),
    ],
)
def test_errors_name_file_column_row_and_option(
    cli: Run, here: Path, library: Path, option: str, text: str, said: str
) -> None:
    (here / "new.csv").write_text(text)
    outcome = cli("recommend", library, option, "new.csv", "--out", "-")
    assert outcome.code == 1
    assert said in outcome.err.splitlines()[-1]
