// All spectra at once: lattice spacing to the right (as in the spectrum above it), time downwards.

import { cividis, themed } from "./colours.js";
import { seriesColour } from "./charts.js";
import { Raster, fit } from "./slices.js";

const BOTTOM = 18;

export class HeatMap {
  constructor(canvas, choose) {
    Object.assign(this, { canvas, choose, data: null, chosen: 0, style: "map", left: 56, right: 8 });
    this.context = canvas.getContext("2d");
    this.raster = new Raster();
    canvas.addEventListener("click", (event) => this.#pick(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** `frames`: state of each spectrum, for the times at the left. */
  show(data, spectra) {
    this.data = data;
    this.spectra = spectra;
    this.bins = data ? data.intensity.length / data.header.frames.length : 0;
    if (data) this.#paint();
    this.draw();
  }

  #paint() {
    const table = new Uint32Array(256);
    for (let byte = 1; byte < 256; byte++) {
      const [r, g, b] = cividis((byte - 1) / 254);
      table[byte] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    }
    this.raster.bytes([this.data.header.frames.length, this.bins], this.data.intensity, table);
  }

  /** `range`: lattice spacings shown; `left`, `right`: margins in CSS pixels, all as in the spectrum above. */
  set(chosen, { range, left, right } = {}) {
    Object.assign(this, { chosen, range, left: left ?? this.left, right: right ?? this.right });
    this.draw();
  }

  #area() {
    const ratio = window.devicePixelRatio || 1;
    return { ratio, x: this.left * ratio, y: 2, width: this.canvas.width - (this.left + this.right) * ratio, height: this.canvas.height - BOTTOM * ratio };
  }

  draw() {
    const { canvas, context, data } = this;
    fit(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!data) return;
    const area = this.#area(), { low, high } = data.header, [from, to] = this.range ?? [low, high];
    context.save();
    context.beginPath();
    context.rect(area.x, area.y, area.width, area.height);
    context.clip();
    if (this.style === "map") this.#drawMap(area, low, high, from, to);
    else this.#drawWaterfall(area, low, high, from, to);
    this.#drawLines(area, from, to);
    context.restore();
    this.#drawAxes(area, from, to);
  }

  #drawMap(area, low, high, from, to) {
    const { context } = this, perA = area.width / (to - from);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.raster.canvas, area.x + (low - from) * perA, area.y, (high - low) * perA, area.height);
    const row = this.data.header.frames.indexOf(this.chosen), step = area.height / this.data.header.frames.length;
    if (row < 0) return;
    context.strokeStyle = "#ffffff";
    context.lineWidth = 1.5 * area.ratio;
    context.strokeRect(area.x + 1, area.y + row * step - 0.5, area.width - 2, Math.max(step, 3) + 1);
  }

  #drawWaterfall(area, low, high, from, to) {
    const { context, bins } = this, frames = this.data.header.frames, peak = this.#peak(area);
    const every = Math.ceil(frames.length / 60);
    frames.forEach((frame, row) => {
      if (row % every && frame !== this.chosen) return;
      context.strokeStyle = frame === this.chosen ? themed("mark") : themed("ink");
      context.globalAlpha = frame === this.chosen ? 1 : 0.55;
      context.lineWidth = (frame === this.chosen ? 1.8 : 0.8) * area.ratio;
      context.beginPath();
      for (let bin = 0; bin < bins; bin++) {
        const byte = this.data.intensity[row * bins + bin];
        if (!byte) continue;
        const x = area.x + ((low + ((bin + 0.5) / bins) * (high - low) - from) / (to - from)) * area.width;
        context.lineTo(x, this.#rowAt(area, row) - ((byte - 1) / 254) * peak);
      }
      context.stroke();
    });
    context.globalAlpha = 1;
  }

  /** Height of the strongest peak of a waterfall. */
  #peak(area) { return Math.max(Math.min((5 * area.height) / this.data.header.frames.length, 0.4 * area.height), 0.2 * area.height); }

  /** Where the row of a spectrum is: its middle in the map, its base line in the waterfall. */
  #rowAt(area, row) {
    const above = this.style === "map" ? 0 : this.#peak(area), share = (row + (this.style === "map" ? 0.5 : 1)) / this.data.header.frames.length;
    return area.y + above + share * (area.height - above);
  }

  #drawLines(area, from, to) {
    const { lines } = this.data.header, phases = [...new Set(lines.map((line) => line.phase))];
    for (const { phase, d } of lines) {
      const x = area.x + ((d - from) / (to - from)) * area.width;
      this.context.fillStyle = seriesColour(phases.indexOf(phase) + 1);
      this.context.fillRect(x - area.ratio / 2, area.y, area.ratio * 1.5, 7 * area.ratio);
    }
  }

  #drawAxes(area, from, to) {
    const { context } = this, frames = this.data.header.frames;
    context.fillStyle = themed("soft");
    context.font = `${11 * area.ratio}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    const step = [0.02, 0.05, 0.1, 0.2, 0.5, 1].find((s) => (to - from) / s < 9) ?? 1;
    for (let d = Math.ceil(from / step) * step; d < to; d += step) {
      context.fillText(d.toFixed(step < 0.1 ? 2 : 1), area.x + ((d - from) / (to - from)) * area.width, this.canvas.height - 2);
    }
    context.textAlign = "left";
    context.fillText("d / Å", 4 * area.ratio, this.canvas.height - 2);
    context.textAlign = "right";
    context.textBaseline = "middle";
    const count = Math.max(1, Math.min(frames.length, Math.floor((area.height - (this.style === "map" ? 0 : this.#peak(area))) / (15 * area.ratio))));
    for (let n = 0; n < count; n++) {
      const row = Math.floor(((n + 0.5) * frames.length) / count);
      context.fillText(this.#label(frames[row]), area.x - 4 * area.ratio, this.#rowAt(area, row));
    }
  }

  #label(frame) {
    const start = this.spectra[frame]?.start;
    return start ? new Date(start).toISOString().slice(11, 16) : String(frame);
  }

  #pick(event) {
    if (!this.data) return;
    const box = this.canvas.getBoundingClientRect(), area = this.#area(), frames = this.data.header.frames;
    const y = (event.clientY - box.top) * area.ratio, rows = frames.map((_, row) => Math.abs(this.#rowAt(area, row) - y));
    this.choose(frames[rows.indexOf(Math.min(...rows))]);
  }

  #key(event) {
    const by = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (!by || !this.data) return;
    event.preventDefault();
    event.stopPropagation();
    const frames = this.data.header.frames, row = frames.indexOf(this.chosen);
    this.choose(frames[Math.min(frames.length - 1, Math.max(0, row + by))]);
  }
}
