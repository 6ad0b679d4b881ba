"""Escape codes in ids, titles, columns, paths and settings: commands show them, and terminals do not obey them."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

CODES = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\u2066\x08\x7f\u200b\x85\r"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")
RICH = re.compile("\x1b\\[[0-9;]*m|\x1b\\[\\?25[lh]|\x1b\\[2K|\x1b\\[1A|\r")
"""Codes by which rich draws tables and progress bars."""
ITEMS = [f"i{CODES}{number}" for number in range(12)]
USERS = [f"u{CODES}{number}" for number in range(40)]
FITS = '[[fits]]\nmodels = ["denoising"]\nlatents = [2]\nsteps = ["models"]\n'
FIT = ("fit", "ease", "--no-track", "--min-user-items", "3", "--l2", "5")


def write(path: Path, *rows: tuple[object, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def ratings(path: Path) -> Path:
    rows = [
        (user, item, 1 + (u * i) % 5)
        for u, user in enumerate(USERS)
        for i, item in enumerate(ITEMS)
        if (u * 7 + i * 5) % 3
    ]
    return write(path, ("userId", "itemId", f"stars{CODES}"), *rows)


@pytest.fixture
def fitted(cli: Run, here: Path) -> str:
    """Return the folder of a model whose ids, data and folder have escape codes."""
    data, folder = ratings(here / f"r{CODES}.csv"), f"m{CODES}"
    outcome = cli(*FIT, "--data", data, "--rating-column", f"stars{CODES}", "--out", folder)
    assert outcome.code == 0
    assert not RAW.search(outcome.out + outcome.err)
    return folder


def test_no_command_on_hostile_data_prints_an_escape_code(cli: Run, here: Path, fitted: str) -> None:
    (here / "config.toml").write_text(f"device = {json.dumps(CODES)}\n")
    (here / "wrong.toml").write_text(f"{json.dumps(CODES)} = 1\n")
    (here / "plan.toml").write_text(f'title = {json.dumps(CODES)}\ndata = "f.csv"\n{FITS}')
    write(here / "f.csv", ("item", f"a{CODES}"), *((f"x{CODES}{row}", row % 3) for row in range(40)))
    write(here / "uneven.csv", ("user", "item"), (1, 2), (CODES, 3, 4, 5))
    users = [{"user": f"nobody{CODES}"}, {"user": f"two\nlines{CODES}"}]
    (here / "users.jsonl").write_text("\n".join(map(json.dumps, users)))
    commands: list[tuple[tuple[object, ...], int, str]] = [
        (("data", "describe", here / f"r{CODES}.csv"), 0, "stars\\x1b"),
        (("evaluate", fitted, "--no-track"), 0, ""),
        (("evaluate", fitted, "--no-track", "--json"), 0, "recall"),
        (("similar", fitted, ITEMS[1]), 0, "Similar to i\\x1b]0;owned\\x07"),
        (("similar", fitted, f"no{CODES}"), 1, "\\u202e"),
        (("recommend", fitted, "--users", here / "users.jsonl", "--out", f"top{CODES}.csv"), 0, "two lines"),
        (("recommend", fitted, "--out", f"top{CODES}.csv"), 1, "exists"),
        (("recommend", f"none{CODES}", "--out", "-"), 1, "none\\x1b"),
        ((*FIT, "--data", f"none{CODES}.csv"), 1, "no such file"),
        ((*FIT, "--config", "config.toml"), 1, "is not supported"),
        ((*FIT, "--config", "config.toml", "--help"), 0, "\\u202e"),
        ((*FIT, "--config", "wrong.toml"), 2, "there is no option"),
        (("--debug", *FIT, "--data", f"none{CODES}.csv"), 1, "Traceback"),
        ((f"fit{CODES}",), 2, "there is no command"),
        (("fit", f"ease{CODES}"), 2, "\\x1b"),
        (("data", "fetch", CODES), 1, "there is no data set"),
        (("data", "list", "--data-dir", CODES), 0, "Data folder: \\x1b]0;owned\\x07"),
        (("data", "split", here / f"r{CODES}.csv", "--min-user-items", 3, "--out", f"s{CODES}"), 0, "Saved in s\\x1b"),
        (("data", "describe", here / "uneven.csv"), 1, "row 2"),
        (("study", "plan.toml", "--dry-run"), 0, "owned"),
        (("encode", fitted, "--features", f"f.csv:{CODES}", "--out", "-"), 1, "Error"),
    ]
    for words, code, said in commands:
        outcome = cli(*words)
        output = outcome.out + outcome.err
        assert outcome.code == code, (words, output)
        assert said in output
        assert not RAW.search(output), (words, RAW.findall(output))


def test_titles_are_shown_on_one_line(cli: Run, here: Path) -> None:
    folder = here / "data" / "ml-latest-small"
    rows = [(u, i, (u * i) % 5 + 1, 1000 + u + i) for u in range(1, 60) for i in range(1, 30) if (u + i) % 3]
    write(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"), *rows)
    movies = [(i, f"T{CODES}\nSaved in {i} (1999)", f"A|B{CODES}") for i in range(1, 30)]
    write(folder / "movies.csv", ("movieId", "title", "genres"), *movies)
    write(folder / "tags.csv", ("userId", "movieId", "tag", "timestamp"), *((1, i, CODES, 1) for i in range(1, 30)))
    assert cli(*FIT, "--data", "ml-latest-small", "--data-dir", folder.parent, "--out", "m").code == 0
    known = cli("similar", "m", "9")
    assert "9 T\\x1b]0;owned\\x07" in known.out
    assert len(known.out.splitlines()) == 12
    unknown = cli("similar", "m", "in 9")
    for outcome in (known, unknown):
        assert not RAW.search(outcome.out + outcome.err)
    assert "\n" not in unknown.error


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_receives_only_the_codes_of_rich(fitted: str, here: Path) -> None:
    import pty

    commands = [["similar", fitted, ITEMS[1]], ["recommend", fitted, "--out", "-"]]
    code = f"from recsys_ae_cli.main import main\nassert [main(words) for words in {commands!r}] == [0, 0]"
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=child, stdout=child, stderr=child, env=environment, cwd=here
    ) as process:
        os.close(child)
        output = b""
        while block := _read(parent):
            output += block
    os.close(parent)
    assert process.returncode == 0, output
    text = RICH.sub("", output.decode())
    assert "Similar to i\\x1b]0;owned\\x07" in text
    assert '"user","rank","item","score"' in text
    assert not RAW.search(text)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 2**16)
    except OSError:  # the program has ended
        return b""


def test_what_is_written_to_a_file_or_a_pipe_keeps_the_exact_ids(cli: Run, fitted: str, program: Run) -> None:
    assert cli("recommend", fitted, "--k", 2, "--out", "top.jsonl").code == 0
    lines = Path("top.jsonl").read_text("utf-8").strip().split("\n")
    assert {json.loads(line)["user"] for line in lines} == {*USERS}
    assert cli("recommend", fitted, "--k", 2, "--out", "top.csv").code == 0
    piped = program("recommend", fitted, "--k", 2, "--out", "-")
    assert piped.code == 0
    with Path("top.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["user"] for row in rows} == {*USERS}
    assert {row["item"] for row in rows} <= {*ITEMS}


@pytest.mark.parametrize("warned", ["default", "always"])
def test_warnings_of_the_library_are_printable(warned: str) -> None:
    code = (
        "import sys, warnings\n"
        "from recsys_ae_cli.commands._terminal import printable_streams\n"
        "with printable_streams():\n"
        f"    warnings.warn({CODES!r})\n"
        f"    print({CODES!r})\n"
        "print('after')\n"
    )
    ended = subprocess.run([sys.executable, "-W", warned, "-c", code], capture_output=True, check=True)
    assert not RAW.search((ended.stdout + ended.stderr).decode())
    assert ended.stdout.decode().endswith("after\n")
    assert b"\\x1b]0;owned\\x07" in ended.stderr
