"""Images of EMNIST, whose files have rows and columns exchanged; they are read upright."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from recsys_ae.errors import DataError
from recsys_ae.features.data.images import EMNIST, read_named_images
from recsys_ae.features.data.read import read_features

UPRIGHT = np.zeros((3, 4, 5), np.uint8)
UPRIGHT[0, :, 0], UPRIGHT[0, 3, :] = 255, 255  # an L
UPRIGHT[1, 0, :], UPRIGHT[1, :, 2] = 255, 51  # a T
UPRIGHT[2] = np.arange(20).reshape(4, 5)


def idx(path: Path, pixels: np.ndarray) -> Path:
    """Write images in the publisher's format: three dimensions of unsigned bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sides = b"".join(int(side).to_bytes(4, "big") for side in pixels.shape)
    content = b"\0\0\x08\x03" + sides + np.ascontiguousarray(pixels).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def in_layout_of_emnist(path: Path, upright: np.ndarray = UPRIGHT) -> Path:
    return idx(path, upright.transpose(0, 2, 1))


@pytest.mark.parametrize("name", EMNIST)
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("folder", ["own", "emnist"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_of_every_part_stand_upright(tmp_path: Path, name: str, part: str, folder: str, ending: str) -> None:
    place = tmp_path / (name if folder == "own" else folder)
    in_layout_of_emnist(place / f"{name}-{part}-images-idx3-ubyte{ending}")
    found = read_features(f"{name}:{part}", data_dir=tmp_path)
    assert found.form == (1, 4, 5)
    np.testing.assert_allclose(np.asarray(found.matrix).reshape(3, 4, 5) * 255, UPRIGHT, rtol=1e-6)


def test_a_file_under_its_own_name_stands_upright_too(tmp_path: Path) -> None:
    path = in_layout_of_emnist(tmp_path / "emnist-balanced-train-images-idx3-ubyte.gz")
    found = read_features(str(path))
    np.testing.assert_allclose(np.asarray(found.matrix).reshape(3, 4, 5) * 255, UPRIGHT, rtol=1e-6)


def test_mnist_is_not_turned(tmp_path: Path) -> None:
    idx(tmp_path / "mnist" / "train-images-idx3-ubyte", UPRIGHT)
    found = read_features("mnist", data_dir=tmp_path)
    np.testing.assert_allclose(np.asarray(found.matrix).reshape(3, 4, 5) * 255, UPRIGHT, rtol=1e-6)


def test_the_parts_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    in_layout_of_emnist(tmp_path / "emnist" / "emnist-letters-train-images-idx3-ubyte")
    with pytest.raises(DataError, match=r"emnist-balanced is not in .*emnist-balanced-train-images-idx3-ubyte"):
        read_named_images("emnist-balanced", tmp_path)
    with pytest.raises(DataError, match="has the parts train and test, not 'valid'"):
        read_named_images("emnist-letters", tmp_path, "valid")


def test_a_file_of_labels_is_not_read_as_images(tmp_path: Path) -> None:
    """The labels of EMNIST's letters count from 1; the reader of images does not read or renumber them."""
    labels = b"\0\0\x08\x01" + (26).to_bytes(4, "big") + bytes(range(1, 27))
    path = tmp_path / "emnist-letters" / "emnist-letters-train-images-idx3-ubyte"
    path.parent.mkdir()
    path.write_bytes(labels)
    with pytest.raises(DataError, match="is no idx file of images"):
        read_named_images("emnist-letters", tmp_path)
    assert path.read_bytes() == labels
