"""Columns and format of other data that a file resembles: told once, they are found again."""

from pathlib import Path
from typing import Any

import pytest

from recsys_ae.data.reading import Reading

READER = {"user_column": "reader", "item_column": "isbn", "rating_column": "none"}


@pytest.mark.parametrize(
    ("fit", "own", "text", "expected"),
    [
        (READER, {}, "isbn,reader,stars\ni,u,3\n", READER),
        (READER, {}, "user,item,stars\nu,i,3\n", {"rating_column": "none"}),
        (READER, {}, "reader,item,none\nu,i,3\n", {"user_column": "reader", "rating_column": "none"}),
        (READER, {"item_column": "stars"}, "isbn,reader,stars\ni,u,3\n", {**READER, "item_column": "stars"}),
        (READER, {"header": False}, "1,2\n", {"header": False, "rating_column": "none"}),
        ({"user_column": 1, "item_column": 0}, {}, "5,7\n", {"user_column": 1, "item_column": 0}),
        ({"user_column": 1, "item_column": 0}, {}, "user,item\n5,7\n", {}),
        ({"user_column": 1, "item_column": 0, "header": False}, {}, "i,u\n", {"user_column": 1, "item_column": 0,
                                                                              "header": False}),
        ({"separator": "~"}, {}, "user~item\n5~7\n", {"separator": "~"}),
        ({"separator": "~"}, {}, "user,item\n5,7\n", {}),
        ({"separator": " "}, {}, "user id,item id,rating\n5,7,1\n", {}),
        ({}, {}, "user,item\n5,7\n", {}),
    ],
)  # fmt: skip
def test_options_that_the_file_can_be_read_with_are_taken_over(
    tmp_path: Path, fit: dict[str, Any], own: dict[str, Any], text: str, expected: dict[str, Any]
) -> None:
    path = tmp_path / "new.csv"
    path.write_text(text)
    assert Reading(**own).like(Reading(**fit), path) == Reading(**expected)


def test_an_encoding_is_taken_over_if_the_file_needs_it(tmp_path: Path) -> None:
    fitted = Reading(encoding="latin-1", user_column="lecteur·é")
    for encoding, expected in (("latin-1", "latin-1"), ("utf-8", "utf-8")):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes("lecteur·é,item\nu,é\n".encode(encoding))
        assert Reading().like(fitted, path) == Reading(encoding=expected, user_column="lecteur·é")
        assert Reading().like(fitted, path).read_file(path).items.tolist() == ["é"]
