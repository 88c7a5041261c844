// The slices in a notebook: the same views, fed by the kernel instead of the server.

import { Latest } from "./api.js";
import { CHANGE_LEGEND, phaseLegend, showLegend } from "./colours.js";
import { AXES, extent, middle } from "./geometry.js";
import { SliceView } from "./slices.js";
import { State } from "./state.js";

const MOST_KEPT = 300;

/** Asks the kernel for planes by messages with a number. */
class KernelSource {
  constructor(model) {
    Object.assign(this, { model, overview: model.get("overview"), kept: new Map(), asked: new Map(), count: 0 });
    model.on("msg:custom", (content, buffers) => this.#answer(content, buffers));
  }

  image(name, scan) { return this.overview.images[name]?.[scan]; }

  anode() {
    const place = this.overview.phases.indexOf("anode");
    return place >= 0 ? place + 1 : this.overview.phases.length;
  }

  peek(...part) { return this.kept.get(part.join("/")); }

  plane(...part) {
    const kept = this.peek(...part);
    if (kept) return Promise.resolve(kept);
    const id = (this.count += 1);
    this.model.send({ id, part });
    return new Promise((resolve) => this.asked.set(id, { resolve, key: part.join("/") }));
  }

  #answer({ id }, [buffer]) {
    const { resolve, key } = this.asked.get(id) ?? {};
    if (!resolve) return;
    this.asked.delete(id);
    const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);
    if (this.kept.size > MOST_KEPT) this.kept.clear();
    this.kept.set(key, bytes);
    resolve(bytes);
  }
}

function element(kind, fields = {}, ...children) {
  const made = Object.assign(document.createElement(kind), fields);
  made.append(...children);
  return made;
}

function render({ model, el }) {
  const source = new KernelSource(model), scans = Object.keys(source.overview.images.volume ?? {}).map(Number).sort((a, b) => a - b);
  if (!scans.length) {
    el.append("There is no volume in these results yet.");
    return;
  }
  const image = source.image("volume", scans[0]), width = image.high - image.low;
  const state = new State({
    scan: scans[scans.length - 1], reference: scans[0], cursor: middle(image), centre: middle(image), zoom: 1, overlay: "none", colours: "grey",
    window: [image.low + 0.08 * width, image.high - 0.08 * width], ruler: null,
  });
  const row = element("div", { className: "operando-row" }), now = element("output"), legend = element("span", { className: "operando-legend" });
  const views = AXES.map((axis) => {
    const canvas = element("canvas", { className: "operando-slice", tabIndex: 0 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Slice across ${axis}`);
    row.append(canvas);
    return new SliceView(canvas, axis, source, state, new Latest());
  });
  const time = element("input", { type: "range", min: 0, max: scans.length - 1, value: scans.length - 1, ariaLabel: "Scan" });
  const overlay = element("select", { ariaLabel: "Overlay" }, ...["none", "labels", "trust", "change"].map((name) => new Option(name, name)));
  el.classList.add("operando");
  el.append(row, element("div", { className: "operando-bar" }, time, overlay, now, legend));
  const update = (coarse = false) => views.forEach((view) => view.update(coarse));
  const tell = () => {
    const frame = source.overview.scans[state.get("scan")];
    now.value = [`scan ${frame.index}`, frame.step, frame.voltage !== null && `${frame.voltage.toFixed(3)} V`].filter(Boolean).join(", ");
    showLegend(legend, { labels: phaseLegend(source.overview.phases), change: CHANGE_LEGEND }[state.get("overlay")] ?? []);
  };
  time.addEventListener("input", () => { state.set({ scan: scans[time.valueAsNumber] }); update(true); });
  time.addEventListener("change", () => update());
  overlay.addEventListener("change", () => state.set({ overlay: overlay.value }));
  state.on(["scan", "overlay"], tell);
  state.on(["cursor", "overlay"], () => update());
  for (const view of views) {
    view.canvas.addEventListener("pointerdown", (event) => {
      const inside = view.position(event).map((value, k) => Math.min(Math.max(value, image.origin[k]), extent(image, k)[1] - image.spacing[k] / 2));
      state.set({ cursor: inside });
    });
    new ResizeObserver(() => view.draw()).observe(view.canvas);
  }
  tell();
  update();
}

export default { render };
