// The volume in three dimensions, drawn by niivue, which is loaded only when this view is opened.

import { phaseColour, phaseLegend, showLegend } from "./colours.js";

const $ = (id) => document.getElementById(id);

export class Space {
  constructor(app) {
    this.app = app;
    this.shown = "";
    $("space-what").addEventListener("change", () => this.show());
    $("space-cut").addEventListener("input", () => this.cut());
  }

  async show() {
    const { state, source } = this.app, scan = state.get("scan"), what = $("space-what").value;
    if (state.get("tab") !== "space" || scan === null) return;
    const names = { both: ["volume", "labels"], labels: ["labels"], volume: ["volume"] }[what].filter((name) => source.image(name, scan));
    const key = JSON.stringify([names.map((name) => source.image(name, scan).key), state.get("window")]);
    if (key === this.shown) return;
    this.shown = key;
    try {
      await this.#draw(names, scan);
    } catch (error) {
      $("space-reading").value = `This browser can't draw it: ${error.message}`;
    }
  }

  async #draw(names, scan) {
    const { source, state } = this.app;
    $("space-reading").value = "loading …";
    this.niivue ??= await this.#create();
    const [low, high] = state.get("window");
    await this.niivue.loadVolumes(names.map((name) => ({
      url: source.box(name, scan), name: `${name}.nii`, colormap: "gray", opacity: name === "labels" && names.length > 1 ? 0.6 : 1,
      cal_min: name === "volume" ? low : undefined, cal_max: name === "volume" ? high : undefined,
    })));
    const place = names.indexOf("labels");
    if (place >= 0) {
      this.niivue.volumes[place].setColormapLabel(this.#labels());
      this.niivue.updateGLVolume();
    }
    showLegend($("space-legend"), place >= 0 ? phaseLegend(source.overview.phases).slice(0, -1) : []);
    this.cut();
    $("space-reading").value = `scan ${scan}, ${binning(source.image(names[0], scan).box)}; drag to turn`;
    $("space").dataset.scan = scan;
  }

  async #create() {
    await loadScript("/vendor/niivue.min.js");
    const niivue = new window.niivue.Niivue({ backColor: [0.05, 0.06, 0.08, 1], show3Dcrosshair: false, isColorbar: false, isOrientCube: false });
    await niivue.attachToCanvas($("space"));
    niivue.setSliceType(niivue.sliceTypeRender);
    return niivue;
  }

  /** Electrolyte is clear, so that anode and cavities show. */
  #labels() {
    const { phases } = this.app.source.overview, table = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: ["outside"] };
    const add = (label, name, colour, alpha) => {
      [["R", 1], ["G", 3], ["B", 5]].forEach(([channel, at]) => table[channel].push(parseInt(colour.slice(at, at + 2), 16)));
      table.A.push(alpha);
      table.I.push(label);
      table.labels.push(name);
    };
    phases.forEach((name, place) => add(place + 1, name, phaseColour(name, place), name === "electrolyte" ? 4 : 255));
    return table;
  }

  cut() { this.niivue?.setClipPlane([$("space-cut").valueAsNumber === 0 ? 2 : 0.6 - 1.2 * $("space-cut").valueAsNumber, 270, 0]); }
}

function binning(factor) { return factor > 1 ? `${factor} voxels binned along each edge` : "every voxel"; }

function loadScript(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${path} can't be loaded`));
    document.head.append(script);
  });
}
