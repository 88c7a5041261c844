// What is on the screen as a picture, and the command that redraws it for a journal.

import { seriesColour } from "./charts.js";
import { save } from "./compare.js";

const WIDTH = 1200, MARGIN = 12;

/** A dialog with everything that can be had of this view. */
export function openExport(app) {
  const pins = app.state.get("pins"), scans = pins.length ? pins : [app.state.get("scan")].filter((scan) => scan !== null);
  const command = document.createElement("code");
  command.className = "command";
  command.id = "export-command";
  command.textContent = `operando figure overview${scans.length ? ` --set scans=${scans.join(",")}` : ""} --format pdf`;
  const buttons = document.createElement("p");
  for (const [text, act] of [["PNG of this view", () => exportPng(app)], ["SVG of this view", () => exportSvg(app)], ["SVG of the measured curve", () => exportCurve(app)]]) {
    const button = document.createElement("button");
    button.textContent = text;
    button.addEventListener("click", act);
    buttons.append(button, " ");
  }
  const text = document.createElement("p");
  text.textContent = "The same for a journal, drawn from the results:";
  app.dialog("Export", buttons, text, command);
}

/** Pieces of the linked view with their places, in the proportions of the page. */
function pieces() {
  const panels = [...document.querySelectorAll("#view-linked .panel canvas")].filter((canvas) => canvas.width > 1 && canvas.offsetParent);
  const whole = document.getElementById("view-linked").getBoundingClientRect(), scale = WIDTH / Math.max(whole.width, 1);
  return {
    height: whole.height * scale,
    items: panels.map((canvas) => {
      const box = canvas.getBoundingClientRect();
      return { canvas, x: (box.left - whole.left) * scale, y: (box.top - whole.top) * scale, width: box.width * scale, height: box.height * scale };
    }),
  };
}

function background() { return getComputedStyle(document.body).backgroundColor; }

function caption() { return `${document.getElementById("title").textContent}  ·  ${document.getElementById("now").value}`; }

function exportPng() {
  const { items, height } = pieces(), ratio = 2, canvas = document.createElement("canvas");
  canvas.width = WIDTH * ratio;
  canvas.height = (height + 30) * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = background();
  context.fillRect(0, 0, WIDTH, height + 30);
  for (const item of items) context.drawImage(item.canvas, item.x, item.y, item.width, item.height);
  context.fillStyle = getComputedStyle(document.body).color;
  context.font = "14px system-ui, sans-serif";
  context.fillText(caption(), MARGIN, height + 20);
  canvas.toBlob((blob) => save(blob, "view.png"), "image/png");
}

function exportSvg() {
  const { items, height } = pieces();
  const images = items.map(({ canvas, x, y, width, height: tall }) => `<image x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${tall.toFixed(1)}" href="${canvas.toDataURL("image/png")}"/>`);
  const text = `<text x="${MARGIN}" y="${height + 20}" font-family="sans-serif" font-size="14" fill="${getComputedStyle(document.body).color}">${escaped(caption())}</text>`;
  saveSvg(WIDTH, height + 30, `<rect width="100%" height="100%" fill="${background()}"/>${images.join("")}${text}`, "view.svg");
}

/** The chosen curve as true vectors: band, line, axes. */
function exportCurve(app) {
  const group = app.group();
  if (!group) return;
  const width = 640, height = 360, left = 80, bottom = 44, top = 16, right = 16;
  const xs = group.series[0].frames.map((index) => app.frameX(group.over, index));
  const all = group.series.flatMap(({ value, low, high }) => [...value, ...low, ...high]).filter((one) => one !== null);
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...all), Math.max(...all)];
  const toX = (x) => left + ((x - x0) / (x1 - x0 || 1)) * (width - left - right), toY = (y) => height - bottom - ((y - y0) / (y1 - y0 || 1)) * (height - top - bottom);
  const points = (values) => values.map((value, n) => (value === null ? null : `${toX(xs[n]).toFixed(2)},${toY(value).toFixed(2)}`)).filter(Boolean);
  const parts = group.series.map(({ value, low, high }, n) => {
    const colour = seriesColour(n);
    return `<polygon points="${[...points(high), ...points(low).reverse()].join(" ")}" fill="${colour}" fill-opacity="0.2"/><polyline points="${points(value).join(" ")}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const x = x0 + share * (x1 - x0), y = y0 + share * (y1 - y0), hours = ((x - x0) / 3600).toPrecision(3);
    return `<text x="${toX(x)}" y="${height - bottom + 16}" text-anchor="middle">${x > 1e6 ? hours : x}</text><text x="${left - 6}" y="${toY(y) + 4}" text-anchor="end">${Number(y.toPrecision(4))}</text>`;
  });
  const frame = `<rect x="${left}" y="${top}" width="${width - left - right}" height="${height - top - bottom}" fill="none" stroke="#000"/>`;
  const names = `<text x="${width / 2}" y="${height - 6}" text-anchor="middle">${x0 > 1e6 ? "time / h" : group.over}</text><text transform="translate(14 ${height / 2}) rotate(-90)" text-anchor="middle">${escaped(`${group.name} / ${group.unit}`)}</text>`;
  saveSvg(width, height, `<rect width="100%" height="100%" fill="#fff"/><g font-family="sans-serif" font-size="12">${parts.join("")}${frame}${ticks.join("")}${names}</g>`, "curve.svg");
}

function saveSvg(width, height, content, name) {
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${Math.round(height)}" viewBox="0 0 ${width} ${Math.round(height)}">${content}</svg>`;
  save(new Blob([text], { type: "image/svg+xml" }), name);
}

function escaped(text) { return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`); }
