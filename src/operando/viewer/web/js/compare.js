// Two states side by side with their difference, and the row of pinned states.

import { differencePixels, greyTable } from "./colours.js";
import { AXES, factorFor, mapping, planeNumber, planeShape } from "./geometry.js";
import { Raster, fit, placeImage, windowInBytes } from "./slices.js";

const $ = (id) => document.getElementById(id);
const SHARE_OF_WINDOW = 0.5;

export class Compare {
  constructor(app) {
    this.app = app;
    this.rasters = Object.fromEntries(["before", "after", "change"].map((name) => [name, new Raster()]));
    $("reference").addEventListener("change", () => app.state.set({ reference: Number($("reference").value) }));
    $("across").addEventListener("change", () => app.state.set({ across: $("across").value }));
    $("pins-export").addEventListener("click", () => this.exportRow());
    new ResizeObserver(() => this.show()).observe($("view-compare"));
  }

  part(scan) {
    const { state, source } = this.app, axis = state.get("across"), image = source.image("volume", scan);
    const factor = factorFor(image, axis, 1);
    return { image, axis, factor, part: ["volume", scan, axis, factor, planeNumber(image, axis, factor, state.get("cursor")[AXES.indexOf(axis)])] };
  }

  async show() {
    const { state, source } = this.app, scans = source.scans();
    if (state.get("tab") !== "compare" || !scans.length) return;
    $("reference").replaceChildren(...scans.map((scan) => new Option(`scan ${scan}`, scan)));
    $("reference").value = state.get("reference");
    $("across").value = state.get("across");
    const before = this.part(state.get("reference")), after = this.part(state.get("scan"));
    const [a, b] = await Promise.all([source.plane(...before.part), source.plane(...after.part)]);
    this.#draw("before", before, a);
    this.#draw("after", after, b);
    this.#drawChange(before, after, a, b);
    $("caption-before").textContent = this.caption(state.get("reference"));
    $("caption-after").textContent = this.caption(state.get("scan"));
    await this.#showPins();
  }

  caption(scan) {
    const frame = this.app.source.overview.scans[scan];
    return [`scan ${scan}`, frame.start && new Date(frame.start).toISOString().slice(0, 16).replace("T", " "), frame.step,
      frame.voltage !== null && `${frame.voltage.toFixed(3)} V`].filter(Boolean).join(", ");
  }

  #place(canvas, raster, { image, axis, factor }) {
    fit(canvas);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    placeImage(context, raster, image, axis, factor, mapping(image, axis, canvas.width, canvas.height, 1, [0, 0, 0]));
  }

  #table(image) { return greyTable(...windowInBytes(image, this.app.state.get("window")), this.app.state.get("colours")); }

  #draw(name, one, bytes) {
    const raster = this.rasters[name].bytes(planeShape(one.image, one.axis, one.factor), bytes, this.#table(one.image));
    this.#place($(`compare-${name}`), raster, one);
  }

  /** The two scans have byte scales of their own: the earlier one's bytes are brought to the later one's scale. */
  #drawChange(before, after, a, b) {
    if (a.length !== b.length) {
      $("caption-change").textContent = "the two volumes have different sizes";
      return;
    }
    const [low, high] = this.app.state.get("window"), step = (image) => (image.high - image.low) / 255;
    const ratio = step(before.image) / step(after.image), shift = (before.image.low - after.image.low) / step(after.image);
    const moved = Float32Array.from(a, (byte) => byte * ratio + shift), full = SHARE_OF_WINDOW * (high - low);
    const raster = this.rasters.change.draw(planeShape(after.image, after.axis, after.factor), (pixels) => pixels.set(differencePixels(moved, b, full / step(after.image))));
    this.#place($("compare-change"), raster, after);
    $("caption-change").textContent = `after − before: blue −${full.toPrecision(2)}, orange +${full.toPrecision(2)} ${after.image.unit}`;
  }

  async #showPins() {
    const { state, source } = this.app, pins = state.get("pins");
    $("pins-export").disabled = !pins.length;
    $("pins-command").textContent = pins.length ? `operando figure overview --set scans=${pins.join(",")}` : "";
    this.pinned = await Promise.all(pins.map(async (scan) => {
      const one = this.part(scan), bytes = await source.plane(...one.part), raster = new Raster();
      raster.bytes(planeShape(one.image, one.axis, one.factor), bytes, this.#table(one.image));
      return { scan, one, raster: raster.canvas };
    }));
    $("pins").replaceChildren(...this.pinned.map((pin, n) => this.#pinFigure(pin, n)));
    for (const [n, pin] of this.pinned.entries()) this.#place($("pins").children[n].querySelector("canvas"), pin.raster, pin.one);
  }

  #pinFigure({ scan }, n) {
    const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption"), remove = document.createElement("button");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Pinned ${this.caption(scan)}`);
    caption.textContent = `(${n + 1}) ${this.caption(scan)}`;
    remove.textContent = "Remove";
    remove.setAttribute("aria-label", `Remove pinned scan ${scan}`);
    remove.addEventListener("click", () => this.app.state.set({ pins: this.app.state.get("pins").filter((one) => one !== scan) }));
    figure.append(canvas, caption, remove);
    return figure;
  }

  /** The pinned states in one row, as a picture. */
  exportRow() {
    const height = 360, gap = 8, caption = 24;
    const widths = this.pinned.map(({ one }) => {
      const [rows, columns] = planeShape(one.image, one.axis, one.factor);
      return Math.round((height * columns) / rows);
    });
    const canvas = document.createElement("canvas");
    canvas.width = widths.reduce((a, b) => a + b + gap, -gap);
    canvas.height = height + caption;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#000";
    context.font = "15px system-ui, sans-serif";
    let left = 0;
    this.pinned.forEach(({ scan, raster }, n) => {
      context.drawImage(raster, left, 0, widths[n], height);
      context.fillText(`(${n + 1}) ${this.caption(scan)}`, left + 2, height + 17, widths[n]);
      left += widths[n] + gap;
    });
    canvas.toBlob((blob) => save(blob, "states.png"), "image/png");
  }
}

/** Offers a file for download. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
