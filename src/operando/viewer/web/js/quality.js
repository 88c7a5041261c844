// The beamtime monitor: one strip a figure of quality, and what raised an alarm.

import { short, stripChart } from "./charts.js";
import { json, packed } from "./api.js";
import { greyTable } from "./colours.js";
import { Raster, fit } from "./slices.js";
import { middleOf } from "./source.js";

const $ = (id) => document.getElementById(id);

export class Quality {
  constructor(app) {
    this.app = app;
    this.charts = [];
  }

  async show() {
    const { app } = this;
    if (app.state.get("tab") !== "quality") return;
    if (this.revision !== app.source.overview.revision) {
      this.revision = app.source.overview.revision;
      this.asked = json("/api/quality").then((found) => {
        this.found = found;
        this.#drawStrips();
      });
    }
    await this.asked;
    this.#drawAlarms();
    await this.#drawQuickLook();
  }

  /** The middle slice of the newest scan, while its volume is still being made. */
  async #drawQuickLook() {
    const name = this.app.source.overview.live?.quick_look ?? null;
    if (name === this.quick) return;
    this.quick = name;
    const found = name ? await packed("/api/quicklook") : null;
    $("quick").hidden = !found;
    if (!found) return;
    const canvas = $("quick-plane"), context = canvas.getContext("2d"), { header } = found;
    const [rows, columns] = [header.rows, header.columns];
    fit(canvas);
    const scale = Math.min(canvas.width / columns, canvas.height / rows);
    const picture = new Raster().bytes([rows, columns], found.plane, greyTable(0, 255));
    context.drawImage(picture, (canvas.width - columns * scale) / 2, (canvas.height - rows * scale) / 2, columns * scale, rows * scale);
    const numbers = [`centre of rotation ${header.centre_px.toFixed(1)} px`, `flux ${Math.round(header.flux)} counts`, `contrast over noise ${short(header.contrast_to_noise)}`];
    $("quick-caption").textContent = `Quick look: ${header.file}, middle slice, ${numbers.join(", ")}`;
  }

  #drawStrips() {
    this.charts.forEach((chart) => chart.destroy());
    this.charts = [];
    $("strips").replaceChildren(...this.found.strips.map((strip) => this.#strip(strip)));
    for (const [n, strip] of this.found.strips.entries()) this.#chart($("strips").children[n].querySelector(".chart"), strip);
  }

  #strip({ title, unit, value, alarm }) {
    const element = document.createElement("div"), head = document.createElement("div"), name = document.createElement("span"), last = document.createElement("span"), chart = document.createElement("div");
    element.className = "strip";
    element.dataset.alarm = String(Boolean(alarm));
    head.className = "head";
    name.textContent = title;
    const known = value.filter((one) => one !== null);
    last.className = "reading";
    last.textContent = known.length ? `${short(known[known.length - 1])} ${unit}` : "–";
    chart.className = "chart";
    head.append(name, last);
    element.append(head, chart);
    if (alarm) {
      const text = document.createElement("div");
      text.className = "alarm";
      text.textContent = alarm;
      element.append(text);
    }
    return element;
  }

  #chart(element, { over, frames, value, low, high }) {
    const known = this.app.source.overview[over === "spectrum" ? "spectra" : "scans"];
    const timed = known.some((frame) => frame.start !== null);
    const rows = frames.map((index, n) => [timed ? middleOf(known[index]) : index, value[n]]).filter(([x]) => x !== null);
    if (rows.length) this.charts.push(stripChart(element, rows.map(([x]) => x), rows.map(([, y]) => y), [low, high], timed));
  }

  #drawAlarms() {
    const { overview } = this.app.source, live = overview.live;
    $("quality-reading").value = live?.text ?? "";
    const lines = [...(live?.alarms ?? []), ...this.found.alarms, ...overview.events.map(({ time, text }) => `${time ? new Date(time).toISOString().slice(0, 16).replace("T", " ") : "–"}  ${text}`)];
    $("alarms").replaceChildren(...[...new Set(lines)].map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
    if (!lines.length) $("alarms").append("none");
  }
}
