// Where planes come from: here the server; in a notebook the kernel.

import { Planes, json, packed } from "./api.js";
import { AXES } from "./geometry.js";

export class Source {
  constructor() {
    this.planes = new Planes();
    this.spectra = new Map();
    this.overview = null;
  }

  async load() {
    this.overview = await json("/api/experiment");
    return this.overview;
  }

  /** What is known of an image of a scan, or undefined. */
  image(name, scan) { return this.overview.images[name]?.[scan]; }

  path(name, scan, axis, factor, number) { return `/api/plane/${name}/${scan}/${this.image(name, scan).key}/${axis}/${factor}/${number}`; }

  /** A plane if it is in memory. */
  peek(...part) { return this.planes.get(this.path(...part)); }

  plane(...part) { return this.planes.load(this.path(...part)); }

  box(name, scan) { return `/api/box/${name}/${scan}/${this.image(name, scan).key}.nii`; }

  /** Label of the phase that matters: the anode, or the brightest. */
  anode() {
    const { phases } = this.overview, place = phases.indexOf("anode");
    return place >= 0 ? place + 1 : phases.length;
  }

  /** Scans that have a volume, in order. */
  scans() { return Object.keys(this.overview.images.volume ?? {}).map(Number).sort((a, b) => a - b); }

  cell() { return packed("/api/cell"); }

  heatMap() { return packed("/api/heatmap"); }

  curves() { return json("/api/curves"); }

  summary() { return json("/api/summary"); }

  async spectrum(number) {
    const key = `${this.overview.revision}/${number}`;
    if (!this.spectra.has(key)) {
      if (this.spectra.size > 2000) this.spectra.clear();
      this.spectra.set(key, await packed(`/api/spectrum/${number}`));
    }
    return this.spectra.get(key);
  }
}

/** Middle of an exposure in seconds since 1970, or null. */
export function middleOf(frame) {
  if (!frame || frame.start === null) return null;
  return (frame.start + (frame.end ?? frame.start)) / 2000;
}

/** Where time can stop: each scan with the spectrum nearest to it; without scans each spectrum. */
export function stopsOf(source) {
  const { scans, spectra } = source.overview, numbers = source.scans();
  if (!numbers.length) return spectra.map((frame) => ({ scan: null, spectrum: frame.index, time: middleOf(frame) }));
  return numbers.map((scan) => ({ scan, spectrum: nearestFrame(spectra, scans[scan], scan), time: middleOf(scans[scan]) }));
}

function nearestFrame(frames, to, fallback) {
  const time = middleOf(to);
  if (!frames.length) return null;
  if (time === null || frames.every((frame) => frame.start === null)) return Math.min(fallback, frames.length - 1);
  let best = null;
  for (const frame of frames) {
    const there = middleOf(frame);
    if (there !== null && (best === null || Math.abs(there - time) < Math.abs(middleOf(best) - time))) best = frame;
  }
  return best.index;
}

/** Number of the stop nearest to a time. */
export function nearestStop(stops, time) {
  let best = 0;
  stops.forEach((stop, n) => {
    if (stop.time !== null && Math.abs(stop.time - time) < Math.abs((stops[best].time ?? Infinity) - time)) best = n;
  });
  return best;
}

/** A sensible grey window: the whole range of the first image but a little. */
export function defaultWindow(image) {
  const width = image.high - image.low;
  return [image.low + 0.08 * width, image.high - 0.08 * width];
}

export { AXES };
