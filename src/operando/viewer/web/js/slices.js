// A plane of a volume on a canvas, with overlay, cross-hair, scale bar, tracked features and the ruler.

import { changePixels, greyTable, labelTable, trustTable } from "./colours.js";
import { AXES, across, distance, extent, factorFor, lengthText, mapping, planeNumber, planeShape, roundLength } from "./geometry.js";

const CROSS = "rgb(255 220 80 / 85%)", RULER = "#7dff9c", TRACK = "#ff6ad5";

/** Bytes to pixels on a hidden canvas, kept until the bytes or the table change. */
export class Raster {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
  }

  draw([rows, columns], pixelAt) {
    if (this.canvas.width !== columns || this.canvas.height !== rows || !this.data) {
      this.canvas.width = columns;
      this.canvas.height = rows;
      this.data = this.context.createImageData(columns, rows);
      this.pixels = new Uint32Array(this.data.data.buffer);
    }
    pixelAt(this.pixels);
    this.context.putImageData(this.data, 0, 0);
    return this.canvas;
  }

  bytes(shape, bytes, table) {
    return this.draw(shape, (pixels) => { for (let i = 0; i < bytes.length; i++) pixels[i] = table[bytes[i]]; });
  }
}

/** Sets the canvas's own size to what it takes on the screen; true if that changed. */
export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width === width && canvas.height === height) return false;
  canvas.width = width;
  canvas.height = height;
  return true;
}

/** The grey window of the state in bytes of one image. */
export function windowInBytes(image, [low, high]) {
  const perByte = (image.high - image.low) / 255;
  return [(low - image.low) / perByte, (high - image.low) / perByte];
}

export function placeImage(context, raster, image, axis, factor, map) {
  const { row, column } = across(axis);
  const [rows, columns] = planeShape(image, axis, factor);
  const left = map.toX(extent(image, column)[0]), top = map.toY(extent(image, row)[0]);
  context.imageSmoothingEnabled = map.scale * image.spacing[column] * factor < 1.5;
  context.drawImage(raster, left, top, columns * factor * image.spacing[column] * map.scale, rows * factor * image.spacing[row] * map.scale);
}

/** Loads and draws one orthogonal plane. `source` gives planes, `state` says which. */
export class SliceView {
  constructor(canvas, axis, source, state, queue) {
    Object.assign(this, { canvas, axis, source, state, queue });
    this.context = canvas.getContext("2d", { alpha: false });
    this.base = new Raster();
    this.over = new Raster();
    this.shown = null;
  }

  image(name = "volume", scan = this.state.get("scan")) { return this.source.image(name, scan); }

  /** Brings the plane up to date; `coarse` while something is being dragged. Resolves when it is on the canvas. */
  update(coarse) {
    const image = this.image();
    if (!image) {
      this.shown = null;
      this.draw();
      return Promise.resolve();
    }
    const wanted = this.#wanted(image, coarse);
    const kept = wanted.parts.map((part) => this.source.peek(...part));
    if (kept.every(Boolean)) {
      this.#show(wanted, kept);
      return Promise.resolve();
    }
    return this.queue.run(async () => {
      const parts = await Promise.all(wanted.parts.map((part) => this.source.plane(...part)));
      this.#show(wanted, parts);
    });
  }

  #wanted(image, coarse) {
    const { axis, state } = this, scan = state.get("scan"), overlay = this.#overlay(scan);
    const place = state.get("cursor")[AXES.indexOf(axis)];
    const part = (name, of) => {
      const one = this.image(name, of), factor = factorFor(one, axis, coarse ? 2 : 1);
      return [name, of, axis, factor, planeNumber(one, axis, factor, place)];
    };
    const parts = [part("volume", scan)];
    if (overlay === "change") parts.push(part("labels", state.get("reference")), part("labels", scan));
    else if (overlay !== "none") parts.push(part(overlay, scan));
    return { image, scan, overlay, parts };
  }

  /** The overlay that is possible for this scan. */
  #overlay(scan) {
    const wanted = this.state.get("overlay");
    if (wanted === "change") return this.image("labels") && this.image("labels", this.state.get("reference")) ? wanted : "none";
    return wanted !== "none" && this.image(wanted, scan) ? wanted : "none";
  }

  #show(wanted, bytes) {
    this.shown = { ...wanted, bytes };
    this.paint();
  }

  /** From bytes to pixels: after a new plane, window or colour map. */
  paint() {
    const { shown, state } = this;
    if (!shown) return;
    const [, , axis, factor] = shown.parts[0];
    const table = greyTable(...windowInBytes(shown.image, state.get("window")), state.get("colours"));
    this.base.bytes(planeShape(shown.image, axis, factor), shown.bytes[0], table);
    if (shown.overlay !== "none") this.#paintOverlay(shown);
    this.draw();
  }

  #paintOverlay({ overlay, parts, bytes, scan }) {
    const [name, , axis, factor] = parts[parts.length - 1];
    const shape = planeShape(this.image(name, scan) ?? this.image(name), axis, factor);
    const phases = this.source.overview.phases;
    if (overlay === "change") {
      this.over.draw(shape, (pixels) => pixels.set(changePixels(bytes[1], bytes[2], this.source.anode())));
    } else {
      this.over.bytes(shape, bytes[1], overlay === "labels" ? labelTable(phases) : trustTable());
    }
  }

  map() {
    const image = this.shown?.image ?? this.image();
    const { width, height } = this.canvas;
    return mapping(image, this.axis, width, height, this.state.get("zoom"), this.state.get("centre"));
  }

  /** Puts everything on the canvas; cheap. */
  draw() {
    const { context, canvas, shown } = this;
    fit(canvas);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!shown) {
      this.#say("no volume of this scan yet");
      return;
    }
    const map = this.map();
    placeImage(context, this.base.canvas, shown.image, this.axis, shown.parts[0][3], map);
    if (shown.overlay !== "none") {
      const [name, of, , factor] = shown.parts[shown.parts.length - 1];
      const image = this.image(name, of);
      if (image) placeImage(context, this.over.canvas, image, this.axis, factor, map);
    }
    this.#drawCross(map);
    this.#drawTracks(map);
    this.#drawRuler(map);
    this.#drawScale(map);
  }

  #say(text) {
    this.context.fillStyle = "#ccc";
    this.context.font = `${13 * (window.devicePixelRatio || 1)}px system-ui, sans-serif`;
    this.context.textAlign = "center";
    this.context.fillText(text, this.canvas.width / 2, this.canvas.height / 2);
  }

  #line(points, colour, width = 1) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width * (window.devicePixelRatio || 1);
    context.beginPath();
    points.forEach(([x, y], n) => (n ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  }

  #drawCross(map) {
    const cursor = this.state.get("cursor"), { width, height } = this.canvas;
    const x = Math.round(map.toX(cursor[map.column])) + 0.5, y = Math.round(map.toY(cursor[map.row])) + 0.5, gap = 9;
    for (const line of [[[0, y], [x - gap, y]], [[x + gap, y], [width, y]], [[x, 0], [x, y - gap]], [[x, y + gap], [x, height]]]) this.#line(line, CROSS);
  }

  /** Tracked features within 25 µm of this plane. */
  #drawTracks(map) {
    const normal = AXES.indexOf(this.axis), cursor = this.state.get("cursor");
    for (const { name, positions } of this.source.overview.tracks) {
      const position = positions[this.state.get("scan")];
      if (!position || position.some((v) => v === null) || Math.abs(position[normal] - cursor[normal]) > 25) continue;
      const x = map.toX(position[map.column]), y = map.toY(position[map.row]);
      this.context.strokeStyle = TRACK;
      this.context.lineWidth = 1.5;
      this.context.beginPath();
      this.context.arc(x, y, 6, 0, 2 * Math.PI);
      this.context.stroke();
      this.#text(name, x + 9, y - 6, TRACK);
    }
  }

  #drawRuler(map) {
    const ruler = this.state.get("ruler");
    if (!ruler || ruler.axis !== this.axis) return;
    const ends = ruler.ends.map((end) => [map.toX(end[map.column]), map.toY(end[map.row])]);
    this.#line(ends, RULER, 2);
    for (const [x, y] of ends) this.#line([[x - 4, y - 4], [x + 4, y + 4]], RULER, 2);
    if (ends.length === 2) this.#text(lengthText(distance(...ruler.ends)), ends[1][0] + 8, ends[1][1] + 4, RULER);
  }

  #drawScale(map) {
    const ratio = window.devicePixelRatio || 1, { width, height } = this.canvas;
    const length = roundLength(width / map.scale), right = width - 10 * ratio, y = height - 10 * ratio;
    this.#line([[right - length * map.scale, y], [right, y]], "#000", 5);
    this.#line([[right - length * map.scale + 1, y], [right - 1, y]], "#fff", 3);
    this.context.textAlign = "right";
    this.#text(length >= 1000 ? `${length / 1000} mm` : `${length} µm`, right, y - 6 * ratio, "#fff");
    this.context.textAlign = "left";
    this.#text(AXES.filter((a) => a !== this.axis).join(" ↓ ") + " →", 6 * ratio, 15 * ratio, "#fff");
  }

  #text(text, x, y, colour) {
    const { context } = this, ratio = window.devicePixelRatio || 1;
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    context.lineWidth = 3 * ratio;
    context.strokeStyle = "rgb(0 0 0 / 75%)";
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }

  /** Position in µm (z, y, x) of a pointer event; the third coordinate is that of the cross-hair. */
  position(event) {
    const box = this.canvas.getBoundingClientRect(), map = this.map();
    const position = [...this.state.get("cursor")];
    position[map.column] = map.fromX(((event.clientX - box.left) / box.width) * this.canvas.width);
    position[map.row] = map.fromY(((event.clientY - box.top) / box.height) * this.canvas.height);
    return position;
  }

  /** Grey value under a position, or null outside; one byte's step exact. */
  value(position) {
    const { shown } = this;
    if (!shown) return null;
    const [, , axis, factor] = shown.parts[0], { row, column } = across(axis), { image } = shown;
    const place = (k) => Math.floor(Math.round((position[k] - image.origin[k]) / image.spacing[k]) / factor);
    const [rows, columns] = planeShape(image, axis, factor), r = place(row), c = place(column);
    if (r < 0 || c < 0 || r >= rows || c >= columns) return null;
    return image.low + (shown.bytes[0][r * columns + c] * (image.high - image.low)) / 255;
  }
}
