// The page: one state, and everything that shows it.

import { Latest } from "./api.js";
import { cellChart, curveChart, seriesColour, spectrumChart } from "./charts.js";
import { CHANGE_LEGEND, UNKNOWN, phaseLegend, showLegend } from "./colours.js";
import { Compare } from "./compare.js";
import { openExport } from "./export.js";
import { AXES, extent, lengthText, distance, middle } from "./geometry.js";
import { HeatMap } from "./heatmap.js";
import { clock, gaps, measured, measuredText, note, position } from "./helpers.js";
import { listenToKeys, showKeys } from "./keys.js";
import { follow } from "./live.js";
import { listen } from "./pointer.js";
import { Quality } from "./quality.js";
import { SliceView } from "./slices.js";
import { Source, defaultWindow, middleOf, nearestStop, stopsOf } from "./source.js";
import { Space } from "./space.js";
import { State, fromLink, toLink } from "./state.js";
import { Tables } from "./tables.js";

const $ = (id) => document.getElementById(id);

class App {
  constructor(source, state) {
    Object.assign(this, { source, state, stops: stopsOf(source), charts: {} });
    this.slices = AXES.map((axis) => new SliceView($(`slice-${axis}`), axis, source, state, new Latest()));
    this.spectrumQueue = new Latest();
    this.heatMap = new HeatMap($("heatmap"), (number) => this.goToSpectrum(number));
    this.spectrumLines = [];
    this.charts.spectrum = spectrumChart($("spectrum"), () => this.spectrumLines);
    this.charts.spectrum.plot.hooks.draw.push(() => this.heatMap.set(state.get("spectrum"), this.spectrumFrame()));
    this.tabs = { compare: new Compare(this), space: new Space(this), quality: new Quality(this), tables: new Tables(this) };
  }

  get stop() {
    const found = this.stops.findIndex((stop) => (stop.scan === null ? stop.spectrum === this.state.get("spectrum") : stop.scan === this.state.get("scan")));
    return Math.max(found, 0);
  }

  /** Goes to a stop of time; `coarse` while dragging. Resolves when slices and spectrum are on the screen. */
  goTo(number, coarse = false) {
    const stop = this.stops[Math.min(Math.max(number, 0), this.stops.length - 1)];
    if (!stop) return Promise.resolve();
    this.coarse = coarse;
    this.drawn = null;
    this.state.set({ scan: stop.scan, spectrum: stop.spectrum });
    return this.drawn ?? this.updateTime();
  }

  goToSpectrum(number) {
    const time = middleOf(this.source.overview.spectra[number]);
    const stop = this.stops[time === null ? Math.min(number, this.stops.length - 1) : nearestStop(this.stops, time)];
    this.coarse = false;
    this.state.set({ scan: stop?.scan ?? null, spectrum: number });
  }

  /** Puts the cross-hair at a position (µm), inside the volume. */
  move(position, coarse = false) {
    const image = this.source.image("volume", this.state.get("scan"));
    if (!image) return;
    this.coarse = coarse;
    const inside = position.map((value, k) => Math.min(Math.max(value, image.origin[k]), extent(image, k)[1] - image.spacing[k] / 2));
    if (JSON.stringify(inside) === JSON.stringify(this.state.get("cursor"))) this.updateSlices();
    else this.state.set({ cursor: inside });
  }

  nudge(k, voxels) {
    const image = this.source.image("volume", this.state.get("scan"));
    if (image) this.move(this.state.get("cursor").map((value, n) => value + (n === k ? voxels * image.spacing[k] : 0)));
  }

  /** Moves to the next plane across an axis. */
  step(axis, planes) { this.nudge(AXES.indexOf(axis), planes); }

  /** Shows position and grey value under the pointer. */
  hover(view, position) {
    const value = view.value(position), image = view.shown?.image;
    const text = position.map((um, k) => `${AXES[k]} ${um.toFixed(1)}`).join("  ");
    $("position").value = `${text} µm${value === null ? "" : `  ·  ${value.toPrecision(3)} ${image.unit}`}`;
  }

  updateSlices() {
    return Promise.all(this.slices.map((view) => view.update(this.coarse)));
  }

  updateTime() {
    this.drawn = Promise.all([this.updateSlices(), this.updateSpectrum()]);
    this.drawn.catch((error) => this.say(error));
    this.showNow();
    for (const name of ["cell", "curve"]) this.charts[name]?.plot.redraw(false);
    this.showCurveReading();
    return this.drawn;
  }

  updateSpectrum() {
    const number = this.state.get("spectrum");
    if (number === null || !this.source.overview.products.includes("corrected")) return Promise.resolve();
    return this.spectrumQueue.run(async () => {
      const found = await this.source.spectrum(number);
      if (found) this.showSpectrum(found, number);
    });
  }

  showSpectrum(found, number) {
    const { plot } = this.charts.spectrum, blank = new Float32Array(found.d.length).fill(NaN);
    const first = plot.data[0].length < 3;
    this.spectrumLines = found.header.lines;
    plot.setData([found.d, ...[found.counts, found.background, found.fit ?? blank].map(gaps)], first);
    if (!first) plot.setScale("y", { min: null, max: null });
    const frame = this.source.overview.spectra[number];
    const cells = found.header.found.map(({ phase, a, std }) => `${phase} a = ${a.toFixed(4)}${std ? ` ± ${(1.96 * std).toFixed(4)}` : ""} Å`);
    $("spectrum-name").value = [`spectrum ${number}`, clock(frame?.start), ...cells].filter(Boolean).join("  ·  ");
  }

  /** What the heat map needs to lie exactly below the spectrum. */
  spectrumFrame() {
    const plot = this.charts.spectrum?.plot;
    if (!plot || plot.data[0].length < 3) return {};
    const ratio = window.devicePixelRatio || 1, { left, width } = plot.bbox, { min, max } = plot.scales.x;
    return { range: [min, max], left: left / ratio, right: plot.width - (left + width) / ratio };
  }

  showNow() {
    const number = this.stop, stop = this.stops[number], { overview } = this.source;
    $("time").max = Math.max(this.stops.length - 1, 0);
    $("time").value = number;
    if (!stop) return;
    const frame = stop.scan === null ? overview.spectra[stop.spectrum] : overview.scans[stop.scan];
    const parts = [
      stop.scan === null ? `spectrum ${stop.spectrum}` : `scan ${stop.scan} of ${overview.scans.length}`,
      frame.start && `${new Date(frame.start).toISOString().slice(0, 16).replace("T", " ")} UTC`,
      frame.cycle !== null && frame.cycle >= 0 && `cycle ${frame.cycle}, ${frame.step}`,
      frame.voltage !== null && `${frame.voltage.toFixed(3)} V`,
      frame.current !== null && `${frame.current.toPrecision(3)} mA`,
      frame.charge !== null && `${frame.charge.toFixed(4)} mAh`,
    ].filter(Boolean);
    $("now").value = parts.join("  ·  ");
    $("time").setAttribute("aria-valuetext", parts.join(", "));
    for (const view of this.slices) view.canvas.setAttribute("aria-label", `Slice across ${view.axis}, ${parts[0]}`);
  }

  async loadCharts() {
    const [cell, heatMap, curves] = await Promise.all([this.source.cell(), this.source.heatMap(), this.source.curves()]);
    this.groups = curves.groups;
    this.cellData = cell;
    this.heatMap.show(heatMap, this.source.overview.spectra);
    this.showCell();
    this.showQuantities();
  }

  showCell() {
    this.charts.cell?.destroy();
    this.charts.cell = null;
    if (!this.cellData) return $("cell").replaceChildren(note("no cycler record"));
    $("cell").replaceChildren();
    const { scans, spectra, steps } = this.source.overview;
    const frames = this.stops[0]?.scan === null ? spectra : this.source.scans().map((n) => scans[n]);
    const marks = frames.filter((frame) => frame.start !== null).map((frame) => ({ x: middleOf(frame), y: frame.voltage, number: frame.index }));
    const current = () => this.state.get(this.stops[0]?.scan === null ? "spectrum" : "scan");
    this.charts.cell = cellChart($("cell"), this.cellData, steps, marks, current, (number) => {
      const stop = this.stops.findIndex((one) => (one.scan ?? one.spectrum) === number);
      if (stop >= 0) this.goTo(stop);
    });
  }

  showQuantities() {
    const wanted = this.state.get("quantity"), names = this.groups.map((group) => group.name);
    $("quantity").replaceChildren(...names.map((name) => new Option(name, name)));
    const name = names.includes(wanted) ? wanted : names.find((one) => one.includes("anode")) ?? names[0];
    if (name) $("quantity").value = name;
    this.showCurve();
  }

  group() { return this.groups?.find((group) => group.name === $("quantity").value); }

  frameX(over, index) {
    const time = middleOf(this.source.overview[over === "scan" ? "scans" : "spectra"][index]);
    return time ?? index;
  }

  showCurve() {
    this.charts.curve?.destroy();
    this.charts.curve = null;
    const group = this.group();
    if (!group) return $("curve").replaceChildren(note("nothing measured yet"));
    $("curve").replaceChildren();
    const frames = group.series[0].frames, xs = frames.map((index) => this.frameX(group.over, index));
    const timed = this.source.overview[group.over === "scan" ? "scans" : "spectra"].some((frame) => frame.start !== null);
    const current = () => {
      const index = this.state.get(group.over === "scan" ? "scan" : "spectrum");
      return index === null ? null : this.frameX(group.over, index);
    };
    this.charts.curve = curveChart($("curve"), group, xs, timed, this.source.overview.steps, current, (x) => this.goTo(timed ? nearestStop(this.stops, x) : Math.round(x)));
    this.showCurveReading();
  }

  showCurveReading() {
    const group = this.group();
    if (!group) return;
    const index = this.state.get(group.over === "scan" ? "scan" : "spectrum");
    const entries = group.series.map(({ name, frames, value, low, high }, n) => {
      const at = frames.indexOf(index);
      return [at < 0 || value[at] === null ? `${name}: –` : `${name} ${measuredText(value[at], low[at], high[at])} ${group.unit}`, seriesColour(n)];
    });
    showLegend($("curve-reading"), entries);
  }

  showControls() {
    const { state, source } = this, [low, high] = state.get("window") ?? [0, 1];
    $("low").value = Number(low.toPrecision(3));
    $("high").value = Number(high.toPrecision(3));
    $("overlay").value = state.get("overlay");
    $("colours").value = state.get("colours");
    $("series").value = state.get("series");
    $("measure").setAttribute("aria-pressed", String(state.get("measuring")));
    const ruler = state.get("ruler");
    $("length").value = ruler?.ends.length === 2 ? lengthText(distance(...ruler.ends)) : state.get("measuring") ? "click two points" : "";
    const legend = { labels: phaseLegend(source.overview.phases), change: CHANGE_LEGEND, trust: [["not trusted", UNKNOWN]] }[state.get("overlay")] ?? [];
    showLegend($("legend"), legend);
    if (state.get("overlay") === "change") $("legend").append(`since scan ${state.get("reference")}`);
  }

  showTab() {
    const tab = this.state.get("tab");
    for (const button of $("tabs").children) {
      const is = button.dataset.tab === tab;
      button.setAttribute("aria-selected", String(is));
      button.tabIndex = is ? 0 : -1;
      $(`view-${button.dataset.tab}`).hidden = !is;
    }
    if (tab === "linked") this.slices.forEach((view) => view.draw());
    this.tabs[tab]?.show();
  }

  say(error) {
    console.warn(error.message);
    $("live").textContent = error.message;
  }

  dialog(title, ...content) {
    $("dialog-title").textContent = title;
    $("dialog-body").replaceChildren(...content);
    $("dialog").showModal();
  }

  togglePin() {
    const scan = this.state.get("scan"), pins = this.state.get("pins");
    if (scan !== null) this.state.set({ pins: pins.includes(scan) ? pins.filter((one) => one !== scan) : [...pins, scan].sort((a, b) => a - b) });
  }

  async copyLink() {
    const text = location.href;
    try {
      await navigator.clipboard.writeText(text);
      $("link").textContent = "Copied";
      setTimeout(() => { $("link").textContent = "Link"; }, 1500);
    } catch {
      const code = document.createElement("code");
      code.className = "command";
      code.textContent = text;
      this.dialog("A link to this view", code);
    }
  }

  play() {
    const playing = !this.playing;
    clearInterval(this.playing);
    this.playing = playing ? setInterval(() => this.goTo((this.stop + 1) % this.stops.length, true), 200) : null;
    $("play").textContent = playing ? "⏸" : "▶";
    if (!playing) this.goTo(this.stop);
  }

  setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("operando-theme", theme);
    for (const chart of Object.values(this.charts)) chart?.plot.redraw(false);
    this.heatMap.draw();
    this.tabs[this.state.get("tab")]?.show();
  }

  /** A run has written something new: everything is asked for again, the view stays. */
  async renew() {
    const atEnd = this.stop >= this.stops.length - 1;
    const before = this.stops.length;
    await this.source.load();
    this.stops = stopsOf(this.source);
    this.completeState();
    await this.loadCharts();
    if (atEnd && this.stops.length > before) await this.goTo(this.stops.length - 1);
    await this.updateTime();
    this.showControls();
    this.tabs[this.state.get("tab")]?.show();
  }

  /** Fills in what no link and no click has set. */
  completeState() {
    const { state, source } = this, scans = source.scans(), last = this.stops[this.stops.length - 1];
    if (scans.length && !scans.includes(state.get("scan"))) state.set({ scan: last.scan, spectrum: last.spectrum });
    if (state.get("spectrum") === null && this.stops.length) state.set({ spectrum: this.stops[this.stop].spectrum });
    const image = source.image("volume", state.get("scan"));
    if (image) {
      if (!position(state.get("cursor"))) state.set({ cursor: middle(image) });
      if (!position(state.get("centre"))) state.set({ centre: middle(image) });
      if (!Array.isArray(state.get("window"))) state.set({ window: defaultWindow(image) });
    }
    if (!scans.includes(state.get("reference"))) state.set({ reference: scans[0] ?? null });
    state.set({ pins: state.get("pins").filter((scan) => scans.includes(scan)) });
    $("unit").textContent = image?.unit ?? "";
  }

  listen() {
    const { state } = this;
    state.on(["scan", "spectrum"], () => this.updateTime());
    state.on(["cursor", "overlay", "reference"], () => this.updateSlices());
    state.on(["window", "colours"], () => this.slices.forEach((view) => view.paint()));
    state.on(["zoom", "centre", "ruler"], () => this.slices.forEach((view) => view.draw()));
    state.on(["window", "overlay", "colours", "series", "ruler", "measuring", "reference"], () => this.showControls());
    state.on(["series"], () => { this.heatMap.style = state.get("series"); this.heatMap.draw(); });
    state.on(["tab"], () => this.showTab());
    state.on(["scan", "cursor", "window", "colours", "reference", "across", "pins", "overlay"], () => this.tabs[state.get("tab")]?.show());
    let timer = null;
    state.on(Object.keys(state.fields), () => {
      clearTimeout(timer);
      timer = setTimeout(() => history.replaceState(null, "", toLink(state.fields)), 150);
    });
    this.listenToControls();
    this.slices.forEach((view) => {
      listen(view, this);
      new ResizeObserver(() => view.draw()).observe(view.canvas);
    });
    window.addEventListener("hashchange", () => { state.set(fromLink(location.hash)); this.completeState(); });
  }

  listenToControls() {
    const { state } = this;
    $("time").addEventListener("input", (event) => measured(event, this.goTo(Number(event.target.value), true)));
    $("time").addEventListener("change", (event) => measured(event, this.goTo(Number(event.target.value), false)));
    for (const [id, k] of [["low", 0], ["high", 1]]) {
      $(id).addEventListener("change", () => {
        const window = [...state.get("window")];
        if (Number.isFinite($(id).valueAsNumber)) window[k] = $(id).valueAsNumber;
        state.set({ window });
      });
    }
    for (const id of ["overlay", "colours", "series"]) $(id).addEventListener("change", () => state.set({ [id]: $(id).value }));
    $("quantity").addEventListener("change", () => { state.set({ quantity: $("quantity").value }); this.showCurve(); });
    $("measure").addEventListener("click", () => state.set(state.get("measuring") ? { measuring: false } : { measuring: true, ruler: null }));
    $("pin").addEventListener("click", () => this.togglePin());
    $("link").addEventListener("click", () => this.copyLink());
    $("export").addEventListener("click", () => openExport(this));
    $("help").addEventListener("click", () => showKeys(this));
    $("play").addEventListener("click", () => this.play());
    $("theme").addEventListener("click", () => this.setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
    $("tabs").addEventListener("click", (event) => event.target.dataset.tab && state.set({ tab: event.target.dataset.tab }));
    $("tabs").addEventListener("keydown", (event) => this.#turnTab(event));
    listenToKeys(this);
  }

  #turnTab(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.stopPropagation();
    const tabs = [...$("tabs").children], at = tabs.findIndex((one) => one.dataset.tab === this.state.get("tab"));
    const next = tabs[(at + by + tabs.length) % tabs.length];
    this.state.set({ tab: next.dataset.tab });
    next.focus();
  }
}

async function start() {
  const { hash } = location;
  history.replaceState(null, "", location.pathname + hash);
  const wanted = localStorage.getItem("operando-theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = wanted;
  const source = new Source();
  await source.load();
  $("title").textContent = source.overview.title;
  document.title = `${source.overview.title} · operando`;
  const state = new State({
    scan: null, spectrum: null, cursor: null, centre: null, window: null, zoom: 1, overlay: "none", colours: "grey", quantity: null,
    series: "map", tab: "linked", reference: null, across: "y", pins: [], ruler: null, measuring: false, ...fromLink(hash),
  });
  const app = new App(source, state);
  app.completeState();
  app.state.set({ spectrum: app.stops[app.stop]?.spectrum ?? null });
  app.listen();
  app.heatMap.style = state.get("series");
  app.showControls();
  app.showTab();
  await Promise.all([app.updateTime(), app.loadCharts()]);
  performance.mark("ready");
  document.body.dataset.ready = "true";
  follow(app);
}

start().catch((error) => {
  $("title").textContent = `The results can't be shown: ${error.message}`;
  document.body.dataset.ready = "failed";
});
