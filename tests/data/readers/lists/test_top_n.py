"""Files of top-N lists: columns by name, by position or by usual names, in every format."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_ae.data.reading import Reading
from recsys_ae.errors import ConfigError, DataError

ROWS = {"user": [1, 1, 2], "item": ["a", "b", "a"], "rank": [1, 2, 1]}


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(name): column.tolist() for name, column in frame.items()}


@pytest.mark.parametrize("form", ["csv", "tsv", "csv.gz", "jsonl", "parquet"])
def test_every_format_gives_the_same_lists(tmp_path: Path, form: str) -> None:
    path, frame = tmp_path / f"lists.{form}", pd.DataFrame(ROWS)
    if form == "parquet":
        frame.to_parquet(path)
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    else:
        text = frame.to_csv(index=False, sep="\t" if form == "tsv" else ",").encode()
        path.write_bytes(gzip.compress(text) if form.endswith("gz") else text)
    assert columns(Reading().read_top_n(path)) == ROWS


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("user,rank,item,score,title", {"user": 0, "item": 2, "rank": 1}),
        ("user_id:token,item_id:token,score:float", {"user": 0, "item": 1, "score": 2}),
        ("movieId,userId,prediction", {"user": 1, "item": 0, "score": 2}),
        ("uid,iid,r_ui,est", {"user": 0, "item": 1, "score": 3}),
        ("user,item,rating,position", {"user": 0, "item": 1, "rank": 3}),
    ],
)
def test_usual_names_are_recognised(tmp_path: Path, header: str, roles: dict[str, int]) -> None:
    width = header.count(",") + 1
    path = write(tmp_path / "lists.csv", header + "\n" + ",".join(map(str, range(width))) + "\n")
    assert columns(Reading().read_top_n(path)) == {role: [position] for role, position in roles.items()}


def test_columns_may_be_named_or_numbered(tmp_path: Path) -> None:
    path = write(tmp_path / "lists.csv", "who,at,what,points\nx,1,y,0.5\n")
    reading = Reading(user_column="who", item_column=2)
    assert columns(reading.read_top_n(path, rank_column="at")) == {"user": ["x"], "item": ["y"], "rank": [1]}
    assert columns(reading.read_top_n(path, score_column=3)) == {"user": ["x"], "item": ["y"], "score": [0.5]}
    plain = write(tmp_path / "plain.csv", "1,7,2.5\n1,8,2.4\n")
    assert columns(Reading().read_top_n(plain, score_column=2))["score"] == [2.5, 2.4]


def test_names_of_the_fit_are_looked_for_first(tmp_path: Path) -> None:
    path = write(tmp_path / "lists.csv", "klient,item,product,rank\n1,2,3,1\n")
    fitted = Reading(user_column="klient", item_column="product")
    assert columns(Reading().read_top_n(path, fitted=fitted)) == {"user": [1], "item": [3], "rank": [1]}
    assert columns(Reading(item_column="item").read_top_n(path, fitted=fitted))["item"] == [2]


def test_a_missing_score_is_kept_for_the_evaluation_and_markers_of_it_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "lists.csv", "user,item,score\n1,a,NaN\n1,b,\n1,c,2\n")
    score = Reading(missing="skip").read_top_n(path)["score"]
    assert score.isna().tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("user,item\n1,2\n", {}, "no column was recognised as the rank or the score; set rank_column or score_column"),
        ("1,7,2\n", {}, "there are 3 columns, counted from 0"),
        ("user,item,rank\n1,2,1\n", {"rank_column": "place"}, "rank_column = 'place': there is no such column"),
        ("user,item,rank\n1,2,1\n", {"score_column": 7}, "score_column = 7"),
        ("name,rank,item\n1,2,1\n", {}, "no column was recognised as the user"),
        ("user;item;score\n1;2;0,5\n", {}, "if the comma is a decimal point, set decimal = ','"),
        ("", {}, "the file is empty"),
    ],
)
def test_files_that_are_no_lists_are_refused(tmp_path: Path, content: str, options: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "lists.csv", content)
    with pytest.raises(DataError) as error:
        Reading().read_top_n(path, **options)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


def test_ranks_and_scores_cannot_both_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rank_column = 'r' and score_column = 's': expected one of them"):
        Reading().read_top_n(tmp_path / "any.csv", rank_column="r", score_column="s")
    with pytest.raises(DataError, match="there is no such file"):
        Reading().read_top_n(tmp_path / "any.csv")
