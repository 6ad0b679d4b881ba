"""Tables of item features in several files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsys_ae.errors import DataError
from recsys_ae.features.data.read import divided, read_features
from recsys_ae.features.data.table_places import has_tables

YEARS = pd.DataFrame({"item": range(1, 21), "year": range(1990, 2010), "genre": ["a", "b"] * 10})


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Return a folder with the table in two parts, one of them compressed."""
    folder = tmp_path / "items"
    folder.mkdir()
    YEARS[:12].to_csv(folder / "part-0.csv", index=False)
    YEARS[12:].to_csv(folder / "part-1.csv.gz", index=False)
    return folder


@pytest.mark.parametrize("place", ["{}:year", "{}/*.csv*:year", "file://{}:year"])
def test_a_table_in_parts_has_the_features_of_one_file(parts: Path, place: str) -> None:
    YEARS.to_csv(parts.parent / "one.csv", index=False)
    one = read_features(f"{parts.parent / 'one.csv'}:year")
    several = read_features(place.format(parts))
    np.testing.assert_array_equal(several.matrix, one.matrix)
    assert several.ids.tolist() == one.ids.tolist()


def test_an_item_in_two_parts_is_refused(parts: Path) -> None:
    YEARS[:1].to_csv(parts / "part-2.csv", index=False)
    with pytest.raises(DataError, match="id 1 "):
        read_features(f"{parts}:year")


def test_a_damaged_part_is_named(parts: Path) -> None:
    (parts / "part-2.csv").write_text("item,genre\n21,a\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"part-2\.csv: it has no column year"):
        read_features(f"{parts}:year")


def test_a_folder_with_pictures_is_read_as_pictures_though_it_has_a_table(parts: Path) -> None:
    Image.new("RGB", (4, 4)).save(parts / "1.png")
    assert not has_tables(parts)
    assert read_features(str(parts)).form == (3, 64, 64)


@pytest.mark.parametrize(
    ("source", "name", "columns"),
    [
        ("s3://bucket/items", "s3://bucket/items", []),
        ("s3://bucket/items:year,genre", "s3://bucket/items", ["year", "genre"]),
        ("-:year", "-", ["year"]),
    ],
)
def test_the_colon_of_an_address_separates_no_columns(source: str, name: str, columns: list[str]) -> None:
    assert divided(source) == (name, columns)
