"""The map as a picture: a point for each film, and the titles of those that most people know."""

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

SIZE, DPI, COLOURS = (11.0, 8.6), 130, 128
GAP, APART = 6, 75
"""Pixels between two titles, and between two films that are named, so that all parts of the map have names."""
LONG = 24
"""Letters from which on a title is cut at its colon."""


def draw(films: pd.DataFrame, path: Path, titles: int) -> None:
    """Draw films with the columns title, group, x, y and ratings; at most ``titles`` of them get their name."""
    figure = Figure(figsize=SIZE, dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.01, 0.065, 0.98, 0.925))
    axes.axis("off")
    for group in GROUPS:
        own = films[films["group"] == group]
        axes.scatter(own["x"], own["y"], s=13, c=colour_of(group), alpha=0.65, linewidths=0, label=group)
    axes.margins(0.02)
    _name(axes, canvas, films, titles)
    handles, names = axes.get_legend_handles_labels()
    legend = figure.legend(handles, names, loc="lower center", ncols=4, frameon=False, fontsize=10.5, handletextpad=0.2)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
        handle.set_sizes([45])
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def _name(axes: Any, canvas: FigureCanvasAgg, films: pd.DataFrame, titles: int) -> None:
    """Write titles beside their points, first the best known of each group, where none is in the way of another."""
    renderer, taken, written = canvas.get_renderer(), [], 0
    whole, named = axes.get_window_extent(renderer), np.empty((0, 2))
    places = axes.transData.transform(films[["x", "y"]])
    films = films.assign(px=places[:, 0], py=places[:, 1])
    best = films["ratings"] == films.groupby("group")["ratings"].transform("max")
    for film in films.assign(best=best).sort_values(["best", "ratings"], ascending=False).itertuples():
        if written == titles:
            break
        place = np.array([[film.px, film.py]])
        if len(named) and np.hypot(*(named - place).T).min() < APART:
            continue
        for ha, shift in (("left", 6), ("right", -6)):
            text = axes.annotate(
                plain(film.title), (film.x, film.y), (shift, 0), textcoords="offset points", ha=ha, va="center",
                fontsize=9.5, color="#1a1a1a", path_effects=[withStroke(linewidth=2.6, foreground="white")],
            )  # fmt: skip
            box = text.get_window_extent(renderer).padded(GAP)
            inside = whole.x0 < box.x0 and box.x1 < whole.x1 and whole.y0 < box.y0 and box.y1 < whole.y1
            if inside and not any(box.overlaps(other) for other in taken):
                axes.scatter([film.x], [film.y], s=34, c=colour_of(film.group), edgecolors="#1a1a1a", linewidths=0.9)
                taken.append(box)
                named = np.vstack([named, place])
                written += 1
                break
            text.remove()


def plain(title: str) -> str:
    """Return a title as it is said: ``Matrix, The (1999)`` is The Matrix; of a long one what stands before a colon."""
    title = re.sub(r"(\s*\([^)]*\))+$", "", title)
    found = re.match(r"^(.*), (The|A|An)$", title)
    title = f"{found[2]} {found[1]}" if found else title
    episode = re.match(r"^.*: Episode \w+ - (.*)$", title)
    if episode:
        return episode[1]
    return title.split(": ")[0] if len(title) > LONG else title
