"""Tests of the movie map: groups and colours, short titles, the picture's size, and a page without further files."""

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

HERE = Path(__file__).parents[2] / "experiments/movie_map"
Load = Callable[[str], Any]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return a function that imports a file of the experiment."""
    monkeypatch.syspath_prepend(str(HERE))
    yield importlib.import_module
    for name in ("genres", "page", "picture", "run"):
        sys.modules.pop(name, None)


def movies(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = list(importlib.import_module("genres").GROUPS)
    return pd.DataFrame({
        "title": [f"Movie {number}, The (1999)" for number in range(n)],
        "genres": [("Drama", "War")] * n,
        "group": [names[number % 8] for number in range(n)],
        "ratings": rng.permutation(n),
        "x": rng.normal(size=n),
        "y": rng.normal(size=n),
    })  # fmt: skip


@pytest.mark.parametrize(
    ("genres", "group"),
    [
        (("Drama",), "Drama & romance"),
        (("Comedy", "Drama"), "Comedy"),
        (("Comedy", "Horror"), "Horror"),
        (("Children's", "Comedy", "Fantasy"), "Children's & animation"),
        (("Action", "Sci-Fi", "Thriller"), "Science fiction & fantasy"),
        ((), "No genre"),
    ],
)
def test_a_movie_belongs_to_one_group(load: Load, genres: tuple[str, ...], group: str) -> None:
    assert load("genres").group_of(genres) == group


def test_every_genre_of_movielens_has_a_group_and_each_group_a_colour_of_its_own(load: Load) -> None:
    module = load("genres")
    grouped = {genre for _, members in module.GROUPS.values() for genre in members}
    genres = (
        "Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|Horror|Musical|Mystery|"
        "Romance|Sci-Fi|Thriller|War|Western"
    )
    assert grouped >= set(genres.split("|"))
    assert len({module.colour_of(name) for name in (*module.GROUPS, module.OTHER)}) == 9


@pytest.mark.parametrize(
    ("title", "spoken"),
    [
        ("Matrix, The (1999)", "The Matrix"),
        ("Seven (Se7en) (1995)", "Seven"),
        ("Star Wars: Episode V - The Empire Strikes Back (1980)", "The Empire Strikes Back"),
        ("Terminator 2: Judgment Day (1991)", "Terminator 2"),
        ("Being John Malkovich (1999)", "Being John Malkovich"),
    ],
)
def test_titles_are_written_as_they_are_said(load: Load, title: str, spoken: str) -> None:
    assert load("picture").plain(title) == spoken


def test_the_picture_is_small_enough_for_a_readme(load: Load, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    load("picture").draw(movies(), tmp_path / "map.png", 10)
    assert (tmp_path / "map.png").stat().st_size < 300_000
    with image.open(tmp_path / "map.png") as drawn:
        assert drawn.width > 1000
        assert len(drawn.convert("RGB").getcolors(100_000) or []) > 8
    assert (HERE / "map.png").stat().st_size < 300_000


def test_the_page_holds_all_movies_and_asks_no_network(load: Load, tmp_path: Path) -> None:
    table = movies()
    table.loc[0, "title"] = "</script><b>Evil"
    load("page").write(table, tmp_path / "map.html")
    text = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "http" not in text
    assert text.count("</script>") == 1
    match = re.search(r"const movies = (.*?);  //", text)
    assert match is not None
    rows = json.loads(match[1])
    assert [row[0] for row in rows] == table["title"].tolist()
    x = table["x"].to_numpy()
    np.testing.assert_allclose([row[3] for row in rows], (x - x.min()) / (x.max() - x.min()), atol=1e-4)
