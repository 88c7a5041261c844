// Curves over time and lattice spacing, drawn by uPlot in the page's colours.

import { themed } from "./colours.js";

const SERIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
const SERIES_DARK = ["#5db7ee", "#ff9d5c", "#4fd1a5", "#e6a3cb"];
const SHADE = { charge: "rgb(230 159 0 / 14%)", discharge: "rgb(86 180 233 / 16%)" };

export function seriesColour(number) {
  const dark = document.documentElement.dataset.theme === "dark";
  return (dark ? SERIES_DARK : SERIES)[number % SERIES.length];
}

function axis(label, more = {}) {
  return {
    label, labelSize: 16, size: 46, font: "11px system-ui, sans-serif", labelFont: "11px system-ui, sans-serif",
    stroke: () => themed("soft"), grid: { stroke: () => themed("edge"), width: 0.5 }, ticks: { stroke: () => themed("edge"), size: 4 }, ...more,
  };
}

/** A chart that follows the size of its element. `options.series`, `options.axes` as in uPlot. */
export class Chart {
  constructor(element, options, data) {
    this.element = element;
    this.plot = new window.uPlot({ ...options, width: 100, height: 60, legend: { show: false }, padding: options.padding ?? [6, 8, 0, 0] }, data, element);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(element);
    this.fit();
  }

  fit() {
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth > 10 && clientHeight > 10) this.plot.setSize({ width: clientWidth, height: clientHeight });
  }

  destroy() {
    this.observer.disconnect();
    this.plot.destroy();
  }
}

function utc(seconds) { return new Date(seconds * 1000).toISOString(); }

/** Labels of a time axis in UTC: the day where it changes. */
function timeValues(plot, splits) {
  let day = "";
  return splits.map((value) => {
    const text = utc(value), today = text.slice(5, 10), label = text.slice(11, 16);
    const first = today !== day;
    day = today;
    return first ? `${label}\n${today}` : label;
  });
}

export function timeAxis(timed) { return timed ? axis("", { size: 40, labelSize: 0, values: timeValues }) : axis("scan", { size: 30 }); }

/** Shading of charges and discharges behind a time chart. */
function shadeSteps(steps) {
  return (plot) => {
    const { ctx, bbox } = plot;
    for (const { kind, start, end } of steps) {
      if (!SHADE[kind] || start === null) continue;
      const left = Math.max(plot.valToPos(start / 1000, "x", true), bbox.left), right = Math.min(plot.valToPos(end / 1000, "x", true), bbox.left + bbox.width);
      if (right <= left) continue;
      ctx.fillStyle = SHADE[kind];
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
  };
}

function verticalLine(plot, x, colour) {
  const { ctx, bbox } = plot, left = plot.valToPos(x, "x", true);
  if (left < bbox.left || left > bbox.left + bbox.width) return;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(left, bbox.top);
  ctx.lineTo(left, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

/** Voltage and current with the scans numbered on the voltage. `marks`: [{x, y, number}], x in seconds. */
export function cellChart(element, cell, steps, marks, current, choose) {
  const data = [cell.time, cell.voltage, cell.current];
  const options = {
    cursor: { sync: { key: "time", setSeries: false }, drag: { x: true, y: false }, points: { show: false } },
    scales: { x: { time: true } },
    axes: [timeAxis(true), axis("voltage / V", { values: ticks }), axis("current / mA", { scale: "mA", side: 1, size: 60, grid: { show: false }, values: ticks })],
    series: [{}, { label: "voltage", stroke: () => themed("ink"), width: 1.2 }, { label: "current", scale: "mA", stroke: () => seriesColour(0), width: 1 }],
    hooks: {
      drawClear: [shadeSteps(steps)],
      draw: [(plot) => { drawMarks(plot, marks, current()); }],
      ready: [(plot) => onClick(plot, (x) => choose(nearest(marks, x)))],
    },
  };
  return new Chart(element, options, data);
}

function nearest(marks, x) {
  return marks.reduce((best, mark) => (best === null || Math.abs(mark.x - x) < Math.abs(best.x - x) ? mark : best), null)?.number ?? null;
}

/** Calls with the x value of a click that was no drag. */
function onClick(plot, act) {
  let from = null;
  plot.over.addEventListener("pointerdown", (event) => { from = event.clientX; });
  plot.over.addEventListener("click", (event) => {
    if (from !== null && Math.abs(event.clientX - from) > 3) return;
    act(plot.posToVal(event.clientX - plot.over.getBoundingClientRect().left, "x"));
  });
}

/** Dots for all scans; numbers where there is room. */
function drawMarks(plot, marks, chosen) {
  const { ctx, bbox } = plot, ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${10 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "alphabetic";
  let last = -Infinity;
  for (const { x, y, number } of marks) {
    const left = plot.valToPos(x, "x", true), top = y === null ? bbox.top + 12 * ratio : plot.valToPos(y, "y", true);
    const is = number === chosen;
    ctx.fillStyle = is ? themed("mark") : themed("accent");
    ctx.beginPath();
    ctx.arc(left, top, (is ? 5 : 2.5) * ratio, 0, 2 * Math.PI);
    ctx.fill();
    if (is || left - last > 22 * ratio) {
      ctx.fillText(String(number), left, Math.max(top - 7 * ratio, bbox.top + 9 * ratio));
      if (!is) last = left;
    }
  }
  const here = marks.find((mark) => mark.number === chosen);
  ctx.restore();
  if (here) verticalLine(plot, here.x, themed("mark"));
}

/** One group of curves with its 95 % bands. `xs`: seconds or frame numbers; `current()` the x of what is shown. */
export function curveChart(element, group, xs, timed, steps, current, choose) {
  const data = [xs], series = [{}], bands = [];
  group.series.forEach((one, n) => {
    const base = series.length, colour = () => seriesColour(n);
    data.push(one.value, one.high, one.low);
    series.push({ label: one.name, stroke: colour, width: 1.4, points: { show: xs.length < 60, size: 4 }, spanGaps: false });
    for (let k = 0; k < 2; k++) series.push({ stroke: "transparent", width: 0, points: { show: false } });
    bands.push({ series: [base + 1, base + 2], fill: () => `${seriesColour(n)}30` });
  });
  const options = {
    cursor: { sync: { key: "time", setSeries: false }, points: { show: false } },
    scales: { x: { time: timed } },
    axes: [timeAxis(timed), axis(group.unit, { size: 62, values: ticks })],
    series, bands,
    hooks: {
      drawClear: [timed ? shadeSteps(steps) : () => {}],
      draw: [(plot) => { const x = current(); if (x !== null) verticalLine(plot, x, themed("mark")); }],
      ready: [(plot) => onClick(plot, choose)],
    },
  };
  return new Chart(element, options, data);
}

/** Numbers of an axis with as many digits as tell them apart. */
function ticks(plot, splits) {
  const largest = Math.max(...splits.map(Math.abs)), step = Math.abs((splits[1] ?? 0) - (splits[0] ?? 0)) || largest || 1;
  const power = largest >= 1e5 || largest < 1e-2 ? Math.floor(Math.log10(largest || 1)) : 0;
  const digits = Math.max(0, Math.min(8, power - Math.floor(Math.log10(step) + 1e-9)));
  return splits.map((value) => (value === 0 ? "0" : power ? `${(value / 10 ** power).toFixed(digits)}e${power}` : value.toFixed(digits)));
}

/** A number in few signs. */
export function short(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size && (size >= 1e5 || size < 1e-3)) return value.toExponential(1).replace("e+", "e");
  return String(Number(value.toPrecision(5)));
}

/** One spectrum: counts, background, fit, and the named lines. */
export function spectrumChart(element, getLines) {
  const options = {
    cursor: { drag: { x: true, y: false }, points: { show: false } },
    scales: { x: { time: false } },
    axes: [axis("", { size: 22, labelSize: 0 }), axis("counts / Å", { size: 56, values: ticks })],
    series: [{}, { label: "counts", stroke: () => themed("ink"), width: 1 }, { label: "background", stroke: () => themed("soft"), width: 1, dash: [4, 3] }, { label: "fit", stroke: () => seriesColour(1), width: 1.4 }],
    hooks: { draw: [(plot) => drawLines(plot, getLines())] },
  };
  return new Chart(element, options, [[0, 1], [null, null], [null, null], [null, null]]);
}

/** Ticks of the fitted lines with their names where there is room. */
function drawLines(plot, lines) {
  const { ctx, bbox } = plot, ratio = devicePixelRatio;
  const phases = [...new Set(lines.map((line) => line.phase))];
  ctx.save();
  ctx.font = `${9.5 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  const taken = [];
  for (const { phase, hkl, d } of lines) {
    const left = plot.valToPos(d, "x", true);
    if (left < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.fillStyle = ctx.strokeStyle = seriesColour(phases.indexOf(phase) + 1);
    ctx.fillRect(left - ratio / 2, bbox.top, ratio, 7 * ratio);
    if (taken.some((other) => Math.abs(other - left) < 13 * ratio)) continue;
    taken.push(left);
    ctx.save();
    ctx.translate(left + 3 * ratio, bbox.top + 10 * ratio);
    ctx.rotate(Math.PI / 2);
    ctx.fillText(`${phase} ${hkl}`, 0, 0);
    ctx.restore();
  }
  ctx.restore();
}

/** A small curve without axes' labels, for the quality strips. */
export function stripChart(element, xs, values, limits, timed) {
  const options = {
    padding: [6, 8, 6, 0],
    cursor: { sync: { key: "time", setSeries: false }, points: { show: false } },
    scales: { x: { time: timed } },
    axes: [{ show: false }, axis("", { size: 54, labelSize: 0, values: ticks })],
    series: [{}, { stroke: () => themed("accent"), width: 1.3, points: { show: xs.length < 60, size: 4 }, spanGaps: false }],
    hooks: { draw: [(plot) => limits.filter((limit) => limit !== null).forEach((limit) => drawLimit(plot, limit))] },
  };
  return new Chart(element, options, [xs, values]);
}

function drawLimit(plot, limit) {
  const { ctx, bbox } = plot, top = plot.valToPos(limit, "y", true);
  if (top < bbox.top || top > bbox.top + bbox.height) return;
  ctx.save();
  ctx.strokeStyle = themed("bad");
  ctx.setLineDash([4, 3]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, top);
  ctx.lineTo(bbox.left + bbox.width, top);
  ctx.stroke();
  ctx.restore();
}
