"""The map as a page of its own: a film's title and genres where the pointer is, and genres to be shown or hidden."""

import json
from pathlib import Path

import pandas as pd
from genres import GROUPS, OTHER, colour_of

from recsys_ae.storage.atomic import write_text

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A map of films</title>
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
<canvas id="map" role="img" aria-label="A point for each film; films of alike content lie near each other"></canvas>
<div id="legend"></div><div id="tip"></div>
<script>
const films = @FILMS@;  // title, genres, group, x, y from 0 to 1
const groups = @GROUPS@;  // name, colour
const canvas = document.getElementById("map"), tip = document.getElementById("tip"), off = new Set();
let near = -1;
function place(film) {
  return [20 + film[3] * (canvas.clientWidth - 40), 20 + (1 - film[4]) * (canvas.clientHeight - 40)];
}
function draw() {
  const scale = window.devicePixelRatio || 1, pen = canvas.getContext("2d");
  canvas.width = canvas.clientWidth * scale; canvas.height = canvas.clientHeight * scale;
  pen.scale(scale, scale);
  films.forEach((film, number) => {
    if (off.has(film[2])) return;
    const [x, y] = place(film);
    pen.globalAlpha = number === near ? 1 : .65;
    pen.fillStyle = groups[film[2]][1];
    pen.beginPath(); pen.arc(x, y, number === near ? 7 : 3.5, 0, 2 * Math.PI); pen.fill();
  });
}
canvas.addEventListener("mousemove", event => {
  const box = canvas.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
  let best = 15 * 15, found = -1;
  films.forEach((film, number) => {
    if (off.has(film[2])) return;
    const [x, y] = place(film), far = (x - px) ** 2 + (y - py) ** 2;
    if (far < best) { best = far; found = number; }
  });
  if (found !== near) { near = found; draw(); }
  tip.style.display = near < 0 ? "none" : "block";
  if (near < 0) return;
  tip.textContent = films[near][0];
  const more = document.createElement("small");
  more.textContent = films[near][1];
  tip.append(document.createElement("br"), more);
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


def write(films: pd.DataFrame, path: Path) -> None:
    """Write films with the columns title, genres, group, x and y as one page that needs nothing else."""
    names = [*GROUPS, OTHER] if (films["group"] == OTHER).any() else list(GROUPS)
    x, y = ((films[axis] - films[axis].min()) / (films[axis].max() - films[axis].min()) for axis in ("x", "y"))
    rows = [
        [title, ", ".join(genres), names.index(group), round(float(a), 4), round(float(b), 4)]
        for title, genres, group, a, b in zip(films["title"], films["genres"], films["group"], x, y, strict=True)
    ]
    # In a script, "</" would end it wherever it stands.
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    groups = json.dumps([[name, colour_of(name)] for name in names])
    write_text(path, PAGE.replace("@FILMS@", data).replace("@GROUPS@", groups))
