"""Mosaics of small pictures, such as originals and their reconstructions."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from recsys_ae.report.charts import drawing
from recsys_ae.report.parts import Picture

GAP = 2


def mosaic(
    name: str,
    rows: Sequence[tuple[str, np.ndarray]],
    form: Sequence[int],
    *,
    caption: str,
    alt: str,
    above: Sequence[str] = (),
) -> Picture | None:
    """Draw rows of pictures, ``(n, width)`` bytes each, with a name next to each row and ``above`` the columns.

    Return None if there is nothing to draw, or if rows of this form are no pictures.
    """
    rows = [(title, pixels) for title, pixels in rows if len(pixels)]
    if not rows or not drawable(form):
        return None
    height, width = sides(form)
    n = max(len(pixels) for _, pixels in rows)
    canvas = np.full((len(rows) * (height + GAP) - GAP, n * (width + GAP) - GAP, 3), 255, np.uint8)
    for down, (_, pixels) in enumerate(rows):
        for across, image in enumerate(shaped(pixels, form)):
            y, x = down * (height + GAP), across * (width + GAP)
            canvas[y : y + height, x : x + width] = image
    inches = 4.6 if n <= 12 else 6.5
    tall = inches * 0.8 * canvas.shape[0] / canvas.shape[1] + 0.35
    with drawing(inches, tall) as (figure, save):
        axes = figure.subplots()
        axes.imshow(canvas, interpolation="nearest")
        axes.grid(visible=False)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_yticks([down * (height + GAP) + height / 2 for down in range(len(rows))], [title for title, _ in rows])
        centres = [across * (width + GAP) + width / 2 for across in range(len(above))]
        axes.set_xticks(centres, list(above))
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        svg, png = save()
    return Picture(name, caption, alt, svg, png, drawn=False)


def drawable(form: Sequence[int]) -> bool:
    """Return True if rows of this form are grey or coloured pictures, or grey ones read as sequences."""
    return len(form) == 2 or (len(form) == 3 and form[0] in (1, 3))


def sides(form: Sequence[int]) -> tuple[int, int]:
    """Return the height and width of a picture of this form."""
    return int(form[-2]), int(form[-1])


def shaped(pixels: np.ndarray, form: Sequence[int]) -> np.ndarray:
    """Return pixels ``(n, width)`` as pictures, ``(n, height, width, 3)`` bytes."""
    height, width = sides(form)
    channels = form[0] if len(form) == 3 else 1
    images = pixels.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    # Grey pictures are shown dark on white, as digits are printed.
    return np.repeat(255 - images, 3, axis=3) if channels == 1 else images


def sprite(pixels: np.ndarray, form: Sequence[int]) -> tuple[str, int]:
    """Return all pictures in one PNG, as a data URL, and the number of pictures in a row."""
    import matplotlib.image  # noqa: PLC0415

    height, width = sides(form)
    across = math.ceil(math.sqrt(len(pixels)))
    canvas = np.full((math.ceil(len(pixels) / across) * height, across * width, 3), 255, np.uint8)
    for index, picture in enumerate(shaped(pixels, form)):
        y, x = (index // across) * height, (index % across) * width
        canvas[y : y + height, x : x + width] = picture
    file = io.BytesIO()
    image: Any = canvas
    matplotlib.image.imsave(file, image, format="png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(), across
