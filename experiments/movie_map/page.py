"""Interactive HTML map: shows title and genres of the movie under the pointer, and shows or hides groups of genres."""

import json
from pathlib import Path

import pandas as pd
from genres import GROUPS, OTHER, colour_of

from recsys_ae.storage.atomic import write_text

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A map of movies</title>
<style>
html, body { margin: 0; height: 100%; font: 15px system-ui, sans-serif; color: #1a1a1a; background: #fff; }
#map { position: absolute; inset: 0 0 3.2em 0; width: 100%; height: calc(100% - 3.2em); cursor: crosshair; }
#tip { position: absolute; display: none; pointer-events: none; max-width: 22em; padding: .4em .6em; background: #fff;
  border: 1px solid #888; border-radius: 4px; box-shadow: 0 1px 4px #0003; }
#tip small { color: #555; }
#legend { position: absolute; bottom: 0; left: 0; right: 0; padding: .7em; text-align: center; }
#legend label { margin: 0 .6em; white-space: nowrap; cursor: pointer; }
#legend i { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .3em; }
#legend label.off { opacity: .35; }
</style></head><body>
<canvas id="map" role="img" aria-label="One point per movie; movies with similar content lie near each other"></canvas>
<div id="legend"></div><div id="tip"></div>
<script>
const movies = @MOVIES@;  // title, genres, group, x, y from 0 to 1
const groups = @GROUPS@;  // name, colour
const canvas = document.getElementById("map"), tip = document.getElementById("tip"), off = new Set();
let near = -1;
function place(movie) {
  return [20 + movie[3] * (canvas.clientWidth - 40), 20 + (1 - movie[4]) * (canvas.clientHeight - 40)];
}
function draw() {
  const scale = window.devicePixelRatio || 1, pen = canvas.getContext("2d");
  canvas.width = canvas.clientWidth * scale; canvas.height = canvas.clientHeight * scale;
  pen.scale(scale, scale);
  movies.forEach((movie, number) => {
    if (off.has(movie[2])) return;
    const [x, y] = place(movie);
    pen.globalAlpha = number === near ? 1 : .65;
    pen.fillStyle = groups[movie[2]][1];
    pen.beginPath(); pen.arc(x, y, number === near ? 7 : 3.5, 0, 2 * Math.PI); pen.fill();
  });
}
canvas.addEventListener("mousemove", event => {
  const box = canvas.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
  let best = 15 * 15, closest = -1;
  movies.forEach((movie, number) => {
    if (off.has(movie[2])) return;
    const [x, y] = place(movie), far = (x - px) ** 2 + (y - py) ** 2;
    if (far < best) { best = far; closest = number; }
  });
  if (closest !== near) { near = closest; draw(); }
  tip.style.display = near < 0 ? "none" : "block";
  if (near < 0) return;
  tip.textContent = movies[near][0];
  const genres = document.createElement("small");
  genres.textContent = movies[near][1];
  tip.append(document.createElement("br"), genres);
  tip.style.left = Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(event.clientY + 12, window.innerHeight - tip.offsetHeight - 8) + "px";
});
canvas.addEventListener("mouseleave", () => { near = -1; tip.style.display = "none"; draw(); });
groups.forEach(([name, colour], number) => {
  const label = document.createElement("label"), dot = document.createElement("i");
  dot.style.background = colour;
  label.append(dot, name);
  label.addEventListener("click", () => {
    off.has(number) ? off.delete(number) : off.add(number);
    label.classList.toggle("off"); draw();
  });
  document.getElementById("legend").append(label);
});
window.addEventListener("resize", draw);
draw();
</script></body></html>
"""


def write(movies: pd.DataFrame, path: Path) -> None:
    """Write one page, without further files, of movies with the columns title, genres, group, x and y."""
    names = [*GROUPS, OTHER] if (movies["group"] == OTHER).any() else list(GROUPS)
    x, y = ((movies[axis] - movies[axis].min()) / (movies[axis].max() - movies[axis].min()) for axis in ("x", "y"))
    rows = [
        [title, ", ".join(genres), names.index(group), round(float(a), 4), round(float(b), 4)]
        for title, genres, group, a, b in zip(movies["title"], movies["genres"], movies["group"], x, y, strict=True)
    ]
    # "</" would end the script, even inside a string.
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    groups = json.dumps([[name, colour_of(name)] for name in names])
    write_text(path, PAGE.replace("@MOVIES@", data).replace("@GROUPS@", groups))
