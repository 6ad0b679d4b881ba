"""Scatter plot of the movies, with the titles of the most rated ones."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from genres import GROUPS, colour_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from recsys_ae.storage.atomic import whole_file

SIZE, DPI, COLOURS = (11.0, 8.6), 130, 128
GAP, APART = 6, 75
"""Pixels between two titles, and between two movies with titles, so that titles are spread over the map."""
LONG = 24
"""Number of letters above which a title is cut at its colon."""


def draw(movies: pd.DataFrame, path: Path, titles: int) -> None:
    """Draw movies with the columns title, group, x, y and ratings; write at most ``titles`` titles."""
    figure = Figure(figsize=SIZE, dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.01, 0.065, 0.98, 0.925))
    axes.axis("off")
    for group in GROUPS:
        members = movies[movies["group"] == group]
        axes.scatter(members["x"], members["y"], s=13, c=colour_of(group), alpha=0.65, linewidths=0, label=group)
    axes.margins(0.02)
    _name(axes, canvas, movies, titles)
    handles, names = axes.get_legend_handles_labels()
    legend = figure.legend(handles, names, loc="lower center", ncols=4, frameon=False, fontsize=10.5, handletextpad=0.2)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
        handle.set_sizes([45])
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with whole_file(path) as partial:
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(partial, optimize=True)


def _name(axes: Any, canvas: FigureCanvasAgg, movies: pd.DataFrame, titles: int) -> None:
    """Write titles next to their points where they do not overlap; the most rated movie of each group comes first."""
    renderer, boxes, written = canvas.get_renderer(), [], 0
    frame, named_points = axes.get_window_extent(renderer), np.empty((0, 2))
    pixels = axes.transData.transform(movies[["x", "y"]])
    movies = movies.assign(px=pixels[:, 0], py=pixels[:, 1])
    best = movies["ratings"] == movies.groupby("group")["ratings"].transform("max")
    for movie in movies.assign(best=best).sort_values(["best", "ratings"], ascending=False).itertuples():
        if written == titles:
            break
        point = np.array([[movie.px, movie.py]])
        if len(named_points) and np.hypot(*(named_points - point).T).min() < APART:
            continue
        for ha, shift in (("left", 6), ("right", -6)):
            text = axes.annotate(
                plain(movie.title), (movie.x, movie.y), (shift, 0), textcoords="offset points", ha=ha, va="center",
                fontsize=9.5, color="#1a1a1a", path_effects=[withStroke(linewidth=2.6, foreground="white")],
            )  # fmt: skip
            box = text.get_window_extent(renderer).padded(GAP)
            inside = frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1
            if inside and not any(box.overlaps(drawn) for drawn in boxes):
                axes.scatter([movie.x], [movie.y], s=34, c=colour_of(movie.group), edgecolors="#1a1a1a", linewidths=0.9)
                boxes.append(box)
                named_points = np.vstack([named_points, point])
                written += 1
                break
            text.remove()


def plain(title: str) -> str:
    """Return a title as people say it: ``Matrix, The (1999)`` is The Matrix, and a long title ends at its colon."""
    title = re.sub(r"(\s*\([^)]*\))+$", "", title)
    match = re.match(r"^(.*), (The|A|An)$", title)
    title = f"{match[2]} {match[1]}" if match else title
    episode = re.match(r"^.*: Episode \w+ - (.*)$", title)
    if episode:
        return episode[1]
    return title.split(": ")[0] if len(title) > LONG else title
