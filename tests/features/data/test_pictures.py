"""Single pictures: bit depths, modes, orientation, transparency, frames, and errors that name the file."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.errors import DataError
from recsys_ae.features.data.images import read_image_folder
from recsys_ae.features.data.pictures import ANIMATED, CLEAR, MOST_PIXELS, TURNED, read_picture

image = pytest.importorskip("PIL.Image")
RAMP = np.linspace(0, 1, 64).reshape(8, 8)
CORNER = np.zeros((4, 4, 3), np.uint8)
CORNER[0, 0] = 255


def tiff(values: np.ndarray, *, bits: int, kind: int = 1, photometric: int = 1) -> bytes:
    """Return a little-endian grey TIFF; kinds are 1 unsigned, 2 signed, 3 floating-point."""
    height, width = values.shape
    if bits == 12:  # two values in three bytes
        pairs = values.reshape(-1, 2).astype(int)
        packed = [[a >> 4, (a & 15) << 4 | b >> 8, b & 255] for a, b in pairs]
        body = np.array(packed, np.uint8).tobytes()
    else:
        body = values.astype(f"<{'?uif'[kind]}{bits // 8}").tobytes()
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, height)]
    tags += [(279, len(body)), (339, kind)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, number) for tag, number in tags)
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + struct.pack("<H", len(tags)) + directory + bytes(4)


def read(path: Path, size: int = 8, **options: Any) -> np.ndarray:
    return read_picture(path, size, **options)[0]


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_grey_pictures_of_16_bits_go_from_0_to_1(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ramp.{ending}"
    image.fromarray((RAMP * 65535).astype(np.uint16)).save(path)
    found = read(path)
    assert found.shape == (3, 8, 8)
    np.testing.assert_allclose(found[0], RAMP, atol=2e-5)
    np.testing.assert_array_equal(found[1:], found[:2])
    assert read(path, grey=True).shape == (1, 8, 8)
    assert read(path, 4).mean() == pytest.approx(0.5, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(low=st.integers(0, 65535), high=st.integers(0, 65535))
def test_any_pair_of_16_bit_greys_keeps_its_share_of_white(tmp_path_factory: Any, low: int, high: int) -> None:
    path = tmp_path_factory.mktemp("grey") / "a.png"
    image.fromarray(np.array([[low, high]], np.uint16)).save(path)
    pixels = read(path, 2, grey=True)[0, 0]
    np.testing.assert_allclose(pixels, [low / 65535, high / 65535], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "right"),
    [
        (tiff(np.round(RAMP * 4095), bits=12), RAMP),
        (tiff(np.round(RAMP * 65535), bits=16, photometric=0), 1 - RAMP),
        (tiff(np.round(RAMP * 255), bits=8, photometric=0), 1 - RAMP),
        (tiff(RAMP, bits=32, kind=3), RAMP),
        (tiff(RAMP, bits=32, kind=3, photometric=0), 1 - RAMP),
    ],
    ids=["12 bits", "16 bits, 0 is white", "8 bits, 0 is white", "float", "float, 0 is white"],
)
def test_values_are_shares_of_their_bit_depth(tmp_path: Path, content: bytes, right: np.ndarray) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    np.testing.assert_allclose(read(tmp_path / "a.tif", grey=True)[0], right, atol=2e-3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (tiff(RAMP * 3000, bits=32, kind=2), "signed or 32-bit integers, from 0 to 3,000, which do not tell black"),
        (tiff(RAMP * 3000, bits=16, kind=2), "signed or 32-bit integers, from 0 to 3,000, which do not tell black"),
        (tiff(RAMP * 255, bits=32, kind=3), "floating-point values from 0 to 255; expected 0"),
        (tiff(RAMP - 0.5, bits=32, kind=3), r"floating-point values from -0\.5 to 0\.5; expected 0"),
        (tiff(RAMP * np.nan, bits=32, kind=3), "floating-point values from nan to nan; expected 0"),
    ],
)
def test_values_that_do_not_tell_black_from_white_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "odd.tif").write_bytes(content)
    with pytest.raises(DataError, match=rf"odd\.tif has {said}"):
        read(tmp_path / "odd.tif")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_every_mode_becomes_red_green_and_blue(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png")
    plain = image.new("RGB", (8, 8), "white")
    plain.convert(mode).save(path)
    np.testing.assert_allclose(read(path), 1, atol=0.01)
    image.new("RGB", (8, 8), "black").convert(mode).save(path)
    np.testing.assert_allclose(read(path), 0, atol=0.01)


def opaque_in_places(kind: str) -> Any:
    """Return a red picture of 4 × 4 whose lower half is transparent; black lies under the glass."""
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2] = [255, 0, 0, 255]
    picture = image.fromarray(pixels)
    if kind == "RGBA":
        return picture
    if kind == "LA":
        return picture.convert("LA")
    palette = image.fromarray((pixels[..., 3] > 0).astype(np.uint8), "L").convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.info["transparency"] = 0
    return palette


@pytest.mark.parametrize(("kind", "ending"), [("RGBA", "png"), ("RGBA", "webp"), ("LA", "png"), ("P", "gif")])
def test_transparent_pixels_are_shown_on_white(tmp_path: Path, kind: str, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    opaque_in_places(kind).save(path, **({"lossless": True, "exact": True} if ending == "webp" else {}))
    pixels, changes = read_picture(path, 4)
    assert changes == (CLEAR,)
    np.testing.assert_allclose(pixels[:, 2:], 1, atol=0.01)
    if kind != "LA":
        np.testing.assert_allclose(pixels[:, :2], np.broadcast_to([[[1.0]], [[0]], [[0]]], (3, 2, 4)), atol=0.01)
    image.new("RGBA", (4, 4), (255, 0, 0, 255)).save(tmp_path / "b.png")
    assert read_picture(tmp_path / "b.png", 4)[1] == ()


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16"])
def test_a_transparent_colour_is_no_error(tmp_path: Path, mode: str) -> None:
    colour = (0, 0, 0) if mode == "RGB" else 0
    image.new(mode, (4, 4)).save(tmp_path / "a.png", transparency=colour)
    assert read_picture(tmp_path / "a.png", 4)[0].shape == (3, 4, 4)


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (1, (0, 0)),
        (2, (0, 3)),
        (3, (3, 3)),
        (4, (3, 0)),
        (5, (0, 0)),
        (6, (0, 3)),
        (7, (3, 3)),
        (8, (3, 0)),
        (9, (0, 0)),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_pictures_are_turned_as_their_exif_orientation_says(
    tmp_path: Path, orientation: int, corner: tuple[int, int], deep: bool
) -> None:
    exif = image.Exif()
    exif[0x0112] = orientation
    picture = image.fromarray(CORNER[..., 0].astype(np.uint16) * 257 if deep else CORNER)
    picture.save(tmp_path / "a.png", exif=exif)
    pixels, changes = read_picture(tmp_path / "a.png", 4)
    assert np.unravel_index(pixels[0].argmax(), (4, 4)) == corner
    assert changes == ((TURNED,) if 1 < orientation < 9 else ())


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, ending: str) -> None:
    frames = [image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    path = tmp_path / f"a.{ending}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    pixels, changes = read_picture(path, 8)
    assert changes == (ANIMATED,)
    np.testing.assert_allclose(pixels.mean(axis=(1, 2)), [1, 0, 0], atol=0.05)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def saved(kind: str) -> bytes:
    stream = io.BytesIO()
    image.effect_noise((40, 40), 80).convert("RGB").save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("huge.png", png(20_000, 9_000), f"has more than {MOST_PIXELS:,} pixels; scale it down"),
        ("wide.png", png(20_000, 2**30), f"has more than {MOST_PIXELS:,} pixels; scale it down"),
        ("half.png", saved("PNG")[:900], "is no picture, or damaged"),
        ("half.jpg", saved("JPEG")[:900], "is no picture, or damaged: image file is truncated"),
        ("none.png", png(8, 8), "is no picture, or damaged"),
        ("bad.png", png(8, 8, chunk(b"IDAT", b"no zlib")), "is no picture, or damaged"),
        ("text.png", b"no picture", "is no picture, or of a kind that Pillow cannot read; leave it out"),
        ("empty.png", b"", "is no picture, or of a kind that Pillow cannot read; leave it out"),
        (
            "loop.tif",
            struct.pack("<2sHIHHHII", b"II", 42, 8, 1, 256, 4, 1, 8),
            "is no picture, or",
        ),
    ],
)
def test_pictures_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_image_folder(tmp_path, size=8)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)
