"use strict";
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => head.firstElementChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(one => one.setAttribute("aria-sort", one === head ? (up ? "ascending" : "descending") : "none"));
    const rows = [...table.tBodies[0].rows].map((row, order) => ({row, order, value: row.cells[place].dataset.value}));
    const numbers = rows.every(({value}) => value === undefined || (value !== "" && !isNaN(value)));
    rows.sort((a, b) => {
      if (a.value === undefined || b.value === undefined) return (a.value === undefined) - (b.value === undefined) || a.order - b.order;
      const by = numbers ? a.value - b.value : a.value.localeCompare(b.value, undefined, {numeric: true});
      return (up ? by : -by) || a.order - b.order;
    });
    table.tBodies[0].append(...rows.map(({row}) => row));
  }));
}
for (const figure of document.querySelectorAll("figure.map")) {
  const svg = figure.querySelector("svg"), tip = figure.querySelector(".tip"), ring = svg.querySelector(".ring");
  const sprite = document.getElementById(svg.dataset.sprite);
  const points = [...svg.querySelectorAll("circle:not(.ring)")];
  const places = points.map(point => [point.cx.baseVal.value, point.cy.baseVal.value]);
  const order = places.map((_, place) => place).sort((a, b) => places[a][0] - places[b][0]);
  let shown = -1;
  const show = place => {
    shown = place;
    const point = points[place], [x, y] = places[place];
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    tip.replaceChildren();
    if (sprite) {
      const {across, height, width} = svg.dataset, scale = 2, picture = document.createElement("i");
      picture.style.cssText = `width:${width * scale}px;height:${height * scale}px;` +
        `background-image:url(${sprite.src});background-size:${across * width * scale}px auto;` +
        `background-position:${-(place % across) * width * scale}px ${-Math.floor(place / across) * height * scale}px`;
      tip.append(picture);
    }
    tip.append(`${point.dataset.name}${point.dataset.label ? `: ${point.dataset.label}` : ""}`);
    tip.hidden = false;
    const box = svg.getBoundingClientRect(), home = figure.getBoundingClientRect();
    const left = box.left - home.left + (x + .02) / 1.04 * box.width, top = box.top - home.top + (y + .02) / 1.04 * box.height;
    tip.style.left = `${Math.max(0, Math.min(left + 12, box.width - tip.offsetWidth))}px`;
    tip.style.top = `${top + 12 + tip.offsetHeight > box.height ? top - 12 - tip.offsetHeight : top + 12}px`;
  };
  const hide = () => {
    tip.hidden = true;
    ring.setAttribute("cx", -1);
  };
  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * 1.04 - .02, y = (event.clientY - box.top) / box.height * 1.04 - .02;
    let best = -1, least = .05 ** 2;
    places.forEach(([a, b], place) => {
      const distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < least) [best, least] = [place, distance];
    });
    if (best < 0) hide(); else if (best !== shown || tip.hidden) show(best);
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    const at = shown < 0 ? (step > 0 ? -1 : 0) : order.indexOf(shown);
    show(order[(at + step + order.length) % order.length]);
  });
}
