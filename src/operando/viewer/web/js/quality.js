// The beamtime monitor: one strip a figure of quality, and what raised an alarm.

import { short, stripChart } from "./charts.js";
import { json } from "./api.js";
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
      this.found = await json("/api/quality");
      this.#drawStrips();
    }
    this.#drawAlarms();
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
