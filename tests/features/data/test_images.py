"""Folders of pictures: the files that are used, those that are not, and ids; and damaged idx files."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from recsys_ae.errors import DataError
from recsys_ae.features.data.idx import idx_length, read_idx_array
from recsys_ae.features.data.images import read_idx, read_image_folder


def picture(path: Path, grey: int = 90) -> None:
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.new("L", (4, 4), grey).save(path)


def test_files_that_are_not_used_are_counted_and_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.PNG")
    picture(tmp_path / ".hidden.png")
    picture(tmp_path / "sub" / "b.png")
    (tmp_path / "._a.png").write_bytes(b"metadata of macOS")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = read_image_folder(tmp_path, size=4)
    assert found.ids.tolist() == ["a"]
    (remark,) = found.remarks
    assert remark.startswith(f"5 files in {tmp_path} are not used; only pictures in the folder itself are read: ")
    for name in ("._a.png", ".hidden.png", "gone.png", "notes.txt", "sub/b.png"):
        assert name in remark


def test_files_beside_and_below_sub_folders_are_counted(tmp_path: Path) -> None:
    picture(tmp_path / "cats" / "1.png")
    picture(tmp_path / "dogs" / "1.png")
    picture(tmp_path / "dogs" / "young" / "2.png")
    picture(tmp_path / "__MACOSX" / "1.png")
    picture(tmp_path / ".cache" / "1.png")
    (tmp_path / "labels.csv").write_text("a,b\n")
    found = read_image_folder(tmp_path, size=4)
    assert found.ids.tolist() == ["cats/1", "dogs/1"]
    assert found.remarks[0].startswith(f"4 files in {tmp_path} are not used; only pictures in its sub-folders are read")


def test_sub_folders_may_be_links(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "1.png")
    picture(tmp_path / "all" / "dogs" / "1.png")
    (tmp_path / "all" / "cats").symlink_to(tmp_path / "elsewhere")
    found = read_image_folder(tmp_path / "all", size=4)
    assert (found.ids.tolist(), found.remarks) == (["cats/1", "dogs/1"], ())


def test_a_folder_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no picture in .*; expected files that end in \.png, .*\.tiff$"):
        read_image_folder(tmp_path)
    picture(tmp_path / "a" / "b" / "c.png")
    with pytest.raises(DataError, match=r"it holds 1 other files: a/b/c\.png"):
        read_image_folder(tmp_path)


def test_pictures_that_are_changed_are_counted(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name in ("1", "2", "3"):
        picture(tmp_path / f"{name}.png")
    exif = image.Exif()
    exif[0x0112] = 6
    image.new("RGBA", (4, 4), (9, 9, 9, 0)).save(tmp_path / "4.png", exif=exif)
    assert read_image_folder(tmp_path, size=4).remarks == (
        "1 of 4 pictures are transparent in places, which are shown white",
        "1 of 4 pictures are turned upright, as their EXIF orientation says",
    )


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (("12.png", "3.png"), [12, 3]),
        (("007.png", "3.png"), ["007", "3"]),
        (("12345678901234567890.png", "3.png"), ["12345678901234567890", "3"]),
        (("a.b.png", "c.jpg"), ["a.b", "c"]),
    ],
)
def test_names_are_ids(tmp_path: Path, names: tuple[str, ...], ids: list[object]) -> None:
    for name in names:
        picture(tmp_path / name)
    assert read_image_folder(tmp_path, size=4).ids.tolist() == ids


def test_names_that_are_no_ids_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "cat.jpg")
    picture(tmp_path / "cat.png")
    with pytest.raises(DataError, match=r"cat\.png and cat\.jpg have the same id, 'cat'; rename or remove one"):
        read_image_folder(tmp_path)
    (tmp_path / "cat.jpg").unlink()
    os.rename(os.fsencode(tmp_path / "cat.png"), os.fsencode(tmp_path) + b"/caf\xe9.png")  # noqa: PTH104
    with pytest.raises(DataError, match=r"the file name 'caf\\udce9\.png' is not valid Unicode; rename it"):
        read_image_folder(tmp_path)


# Idx files


def idx(*sides: int, dimensions: int | None = None, kind: int = 8) -> bytes:
    header = bytes([0, 0, kind, len(sides) if dimensions is None else dimensions])
    return header + b"".join(side.to_bytes(4, "big") for side in sides)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (idx(2, 3, 4) + bytes(23), "is damaged: 2 images of 3 × 4 are not 23 bytes; fetch or write the file again"),
        (idx(2, 3, 4) + bytes(25), "is damaged: 2 images of 3 × 4 are not more bytes"),
        (idx(2**32 - 1, 2**32 - 1, 9), "is damaged: 4,294,967,295 images of 4,294,967,295 × 9 are not 16 bytes"),
        (idx(0, 28, 28), "holds no images: its size is 0 × 28 × 28"),
        (idx(3, 0, 28), "holds no images: its size is 3 × 0 × 28"),
        (idx(2, 3) + bytes(40), "is no idx file of images: expected three dimensions of unsigned bytes"),
        (idx(2, 3, 4, kind=13) + bytes(96), "is no idx file of images: expected three dimensions of unsigned bytes"),
        (b"", "is no idx file of images"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "is no idx file of images"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_idx_files_are_named(tmp_path: Path, content: bytes, said: str, packed: bool) -> None:
    path = tmp_path / "a-idx3-ubyte"
    path.write_bytes(gzip.compress(content) if packed else content)
    if "16 bytes" in said and packed:
        said = "is damaged"
    with pytest.raises(DataError, match=said) as caught:
        read_idx(path)
    assert str(caught.value).startswith(str(path))


def test_damaged_gzip_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a-idx1-ubyte.gz"
    content = gzip.compress(idx(1000) + np.random.default_rng(0).integers(0, 256, 1000).astype(np.uint8).tobytes())
    path.write_bytes(content)
    assert len(read_idx_array(path, "labels", 1)) == idx_length(path, "labels", 1) == 1000
    for damaged in (content[:-200], content[:300] + b"\0" + content[301:], content[:12]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a-idx1-ubyte\.gz: the file is truncated or damaged|is no idx file"):
            read_idx_array(path, "labels", 1)
