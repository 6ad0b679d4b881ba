"""Single pictures as pixels from 0 to 1: upright, opaque and of one size."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from recsys_ae.data.readers.bounded.bounds import refuse_beyond_memory, refuse_expansion
from recsys_ae.errors import DataError, MissingPackageError
from recsys_ae.features.data.checks import errors_of

Changes: TypeAlias = tuple[str, ...]
MOST_PIXELS = 178_956_970
"""Largest number of pixels of a picture, as in Pillow; decoded, they take half a gigabyte."""
CHANNELS, COPIES = 4, 3
"""Bytes of a pixel, at most, and number of copies of the pixels that are in memory at the same time."""
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
ORIENTATION, BITS, PHOTOMETRIC = 0x0112, 258, 262
"""Tags of EXIF and TIFF: the orientation, the bits of a value, and whether 0 is white or black."""
TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
ANIMATED = "have several frames; only the first is used"
TURNED = "are turned upright, as their EXIF orientation says"
CLEAR = "are transparent in places, which are shown white"


def read_picture(path: Path, size: int, *, grey: bool = False) -> tuple[np.ndarray, Changes]:
    """Return the pixels of a picture, ``(channels, size, size)`` float32 from 0 to 1, and how it was changed.

    Values are divided by the largest one of their bit depth: 255, or 65,535 in grey pictures of 16 bits. Floating-point
    values are read as they are. A picture is turned as its EXIF orientation says, transparent pixels are shown on
    white, and of an animation the first frame is read.

    Raises
    ------
    DataError
        If it is no picture, damaged or too large, or if its values do not tell black from white: integers of 32 bits,
        or floating-point values that are not from 0 to 1.
    """
    try:
        image = import_module("PIL.Image")
    except ImportError as error:
        raise MissingPackageError("reading pictures needs the package pillow: pip install pillow") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on damaged metadata, and on more than half of the pixels allowed
            with image.open(path) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise image.DecompressionBombError
                with errors_of(path):
                    size_in_memory = picture.width * picture.height * CHANNELS
                    refuse_expansion(size_in_memory, path.stat().st_size, way_out="; scale it down before reading it")
                    refuse_beyond_memory(COPIES * size_in_memory, "the picture")
                picture.load()
                changes = (ANIMATED,) if getattr(picture, "is_animated", False) and picture.format != "MPO" else ()
                return _pixels(picture, path, size, grey=grey, image=image, changes=changes)
    except DataError:
        raise
    except image.DecompressionBombError as error:
        raise DataError(f"{path} has more than {MOST_PIXELS:,} pixels; scale it down before reading it") from error
    except image.UnidentifiedImageError as error:
        raise DataError(f"{path} is no picture, or of a kind that Pillow cannot read; leave it out") from error
    except Exception as error:  # the decoders of Pillow raise errors of any class on damaged files
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is no picture, or damaged: {why}; repair it, or leave it out") from error


def _pixels(
    picture: Any, path: Path, size: int, *, grey: bool, image: Any, changes: Changes
) -> tuple[np.ndarray, Changes]:
    if picture.mode[0] in "IF":
        wide = image.fromarray(_wide(picture, path))
        turned, changes = _upright(wide, picture, image, changes)
        values = np.clip(np.asarray(turned.resize((size, size))), 0, 1)
        return np.broadcast_to(values, (1 if grey else 3, size, size)), changes
    turned, changes = _upright(picture, picture, image, changes)
    if picture.has_transparency_data:
        turned = turned.convert("RGBA")
        if turned.getextrema()[3][0] < 255:
            changes = (*changes, CLEAR)
        turned = image.alpha_composite(image.new("RGBA", turned.size, "white"), turned)
    scaled = turned.convert("L" if grey else "RGB").resize((size, size))
    values = np.asarray(scaled).reshape(size, size, -1).transpose(2, 0, 1)
    return values.astype(np.float32) / 255, changes


def _upright(pixels: Any, picture: Any, image: Any, changes: Changes) -> tuple[Any, Changes]:
    """Return the pixels turned as the EXIF data of the picture say."""
    turn = TURNS.get(picture.getexif().get(ORIENTATION, 1))
    return (pixels, changes) if turn is None else (pixels.transpose(image.Transpose[turn]), (*changes, TURNED))


def _wide(picture: Any, path: Path) -> np.ndarray:
    """Return the values of a grey picture of 16 bits or of 32-bit floating-point numbers as float32 from 0 to 1."""
    tags = getattr(picture, "tag_v2", {})
    values = np.asarray(picture, np.float32)
    if picture.mode == "I" and picture.format == "TIFF":
        raise DataError(
            f"{path} has signed or 32-bit integers, from {values.min():,.0f} to {values.max():,.0f}, which do not tell "
            "black from white; save it with 8 or 16 bits, or as floating-point numbers from 0 to 1"
        )
    if picture.mode == "F":
        if not (values.min() >= 0 and values.max() <= 1):  # NaN is neither
            raise DataError(
                f"{path} has floating-point values from {values.min():g} to {values.max():g}; expected 0 (black) to 1 "
                "(white): divide them by the value of white"
            )
    else:
        bits = tags.get(BITS, (16,))[0]
        values = values / np.float32(2**bits - 1)
    return 1 - values if tags.get(PHOTOMETRIC) == 0 else values
