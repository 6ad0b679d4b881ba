"""Options of feature readers: the size of pictures, and the number of steps of a history."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_ae.errors import ConfigError, RecsysError
from recsys_ae.features.data.read import read_features


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for place in range(3):
        image.fromarray(np.full((10, 7, 3), 80 * place, np.uint8)).save(folder / f"{place}.png")
    return folder


def test_pictures_are_scaled_to_the_size_asked_for(pictures: Path) -> None:
    assert read_features(str(pictures)).form == (3, 64, 64)
    small = read_features(str(pictures), image_size=5)
    assert small.form == (3, 5, 5)
    np.testing.assert_allclose(np.asarray(small.matrix)[1], 80 / 255, rtol=1e-6)


def test_as_many_last_steps_count_as_are_asked_for() -> None:
    usual, short = (read_features("sample:histories", history_steps=steps) for steps in (None, 4))
    assert usual.form == (50, 2)
    assert short.form == (4, 2)
    assert short.lengths is not None
    assert usual.lengths is not None
    np.testing.assert_array_equal(short.lengths, np.minimum(usual.lengths, 4))
    for row in range(20):
        steps = np.asarray(usual.matrix)[row].reshape(50, 2)[: usual.lengths[row]]
        last = np.asarray(short.matrix)[row].reshape(4, 2)[: short.lengths[row]]
        # Both keep the last of more than 50 steps; the days in both count from the previous step.
        np.testing.assert_allclose(last, steps[-4:], rtol=1e-6)


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("films.csv", {"image_size": 32}, r"image_size = 32 is for a folder of pictures, which .*films\.csv is not"),
        ("sample:genres", {"history_steps": 9}, "history_steps = 9 is for NAME:histories, which sample:genres is not"),
        ("sample:histories", {"image_size": 32}, "image_size = 32 is for a folder of pictures"),
        ("mnist", {"image_size": 14}, "image_size = 14 is for a folder of pictures, which mnist is not"),
        ("sample:histories", {"history_steps": 0}, "steps = 0 must be at least 1"),
    ],
)
def test_a_size_that_nothing_has_is_refused(tmp_path: Path, source: str, options: dict[str, Any], said: str) -> None:
    if source.endswith(".csv"):
        (tmp_path / source).write_text("id,a\n1,2\n")
        source = str(tmp_path / source)
    with pytest.raises(RecsysError, match=said):
        read_features(source, **options)


def test_pictures_without_a_pixel_are_refused(pictures: Path) -> None:
    with pytest.raises(ConfigError, match="image_size = 0 must be at least 1"):
        read_features(str(pictures), image_size=0)
