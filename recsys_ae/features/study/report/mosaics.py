"""Rows of small pictures: what went in, and what came out."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from recsys_ae.features.study.report.charts import drawing
from recsys_ae.features.study.report.parts import Picture

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
    """Draw rows of pictures, ``(n, width)`` bytes each, with a name beside each row and words above the columns."""
    rows = [(title, pixels) for title, pixels in rows if len(pixels)]
    if not rows or not drawable(form):
        return None
    height, width = sides(form)
    n = max(len(pixels) for _, pixels in rows)
    canvas = np.full((len(rows) * (height + GAP) - GAP, n * (width + GAP) - GAP, 3), 255, np.uint8)
    for down, (_, pixels) in enumerate(rows):
        for across, one in enumerate(shaped(pixels, form)):
            top, left = down * (height + GAP), across * (width + GAP)
            canvas[top : top + height, left : left + width] = one
    inches = 4.6 if n <= 12 else 6.5
    tall = inches * 0.8 * canvas.shape[0] / canvas.shape[1] + 0.35
    with drawing(inches, tall) as (figure, save):
        axes = figure.subplots()
        axes.imshow(canvas, interpolation="nearest")
        axes.grid(visible=False)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_yticks([down * (height + GAP) + height / 2 for down in range(len(rows))], [title for title, _ in rows])
        places = [across * (width + GAP) + width / 2 for across in range(len(above))]
        axes.set_xticks(places, list(above))
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        svg, png = save()
    return Picture(name, caption, alt, svg, png)


def drawable(form: Sequence[int]) -> bool:
    """Whether rows of this form are grey or coloured pictures, or grey ones read as sequences."""
    return len(form) == 2 or (len(form) == 3 and form[0] in (1, 3))


def sides(form: Sequence[int]) -> tuple[int, int]:
    """Return height and width."""
    return int(form[-2]), int(form[-1])


def shaped(pixels: np.ndarray, form: Sequence[int]) -> np.ndarray:
    """Return ``(n, height, width, 3)`` bytes."""
    height, width = sides(form)
    channels = form[0] if len(form) == 3 else 1
    images = pixels.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    # Dark on white, as digits are printed, when there is one channel.
    return np.repeat(255 - images, 3, axis=3) if channels == 1 else images


def sprite(pixels: np.ndarray, form: Sequence[int]) -> tuple[str, int]:
    """Return all pictures in one, as the address of a PNG within the page, and how many stand side by side."""
    import matplotlib.image  # noqa: PLC0415

    height, width = sides(form)
    across = math.ceil(math.sqrt(len(pixels)))
    canvas = np.full((math.ceil(len(pixels) / across) * height, across * width, 3), 255, np.uint8)
    for place, one in enumerate(shaped(pixels, form)):
        top, left = (place // across) * height, (place % across) * width
        canvas[top : top + height, left : left + width] = one
    file = io.BytesIO()
    image: Any = canvas
    matplotlib.image.imsave(file, image, format="png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(), across
