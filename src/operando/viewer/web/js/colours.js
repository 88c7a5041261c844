// Colours: tables from bytes to pixels, and the page's own.

// Okabe and Ito's colours for phases; cividis (Nunez, Anderton, Renslow 2018, CC0) sampled at nine places.
const PHASES = { void: "#56b4e9", electrolyte: "#b8b8b8", anode: "#e69f00", cathode: "#009e73" };
const OTHERS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];
const GAIN = "#ff8c1a", LOSS = "#3d8bfd";
export const UNKNOWN = "#d020c0";

export function phaseColour(name, place) { return PHASES[name] ?? OTHERS[place % OTHERS.length]; }

function channels(hex) { return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)); }

function pixel(r, g, b, a = 255) { return ((a << 24) | (b << 16) | (g << 8) | r) >>> 0; }

/** 256 pixels: bytes below `low` are the first colour, above `high` the last (both in bytes, may lie outside 0…255). */
export function greyTable(low, high, name = "grey") {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const share = Math.min(1, Math.max(0, (byte - low) / Math.max(high - low, 1e-6)));
    table[byte] = name === "cividis" ? pixel(...cividis(share)) : pixel(...Array(3).fill(Math.round(255 * share)));
  }
  return table;
}

export function cividis(share) {
  const place = share * (CIVIDIS.length - 1), index = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const [from, to] = [channels(CIVIDIS[index]), channels(CIVIDIS[index + 1])];
  return from.map((value, k) => Math.round(value + (to[k] - value) * (place - index)));
}

/** Phases half transparent, unknown striking, outside and electrolyte-like background clear. */
export function labelTable(phases, alpha = 120) {
  const table = new Uint32Array(256);
  phases.forEach((name, place) => { table[place + 1] = pixel(...channels(phaseColour(name, place)), alpha); });
  table[255] = pixel(...channels(UNKNOWN), alpha);
  return table;
}

/** Where more than a third of the rays are starved. */
export function trustTable(limit = 0.3) {
  const table = new Uint32Array(256);
  for (let byte = Math.ceil(limit * 255); byte < 256; byte++) table[byte] = pixel(...channels(UNKNOWN), 120);
  return table;
}

/** Pixels of what the brightest phase gained and lost between two planes of labels. */
export function changePixels(before, after, brightest) {
  const pixels = new Uint32Array(after.length);
  const gain = pixel(...channels(GAIN), 170), loss = pixel(...channels(LOSS), 170), unknown = pixel(...channels(UNKNOWN), 90);
  for (let i = 0; i < after.length; i++) {
    const a = before[i], b = after[i];
    if (a === 255 || b === 255) pixels[i] = unknown;
    else if (b === brightest && a !== brightest) pixels[i] = gain;
    else if (a === brightest && b !== brightest) pixels[i] = loss;
  }
  return pixels;
}

/** Blue for less, orange for more; `scale` is the difference in bytes at full colour. */
export function differencePixels(before, after, scale) {
  const pixels = new Uint32Array(after.length);
  for (let i = 0; i < after.length; i++) {
    const share = Math.max(-1, Math.min(1, (after[i] - before[i]) / scale));
    const fade = 1 - Math.abs(share);
    pixels[i] = share >= 0 ? pixel(255, 255 - 116 * (1 - fade), 255 * fade + 20 * (1 - fade)) : pixel(255 * fade + 40 * (1 - fade), 255 * fade + 120 * (1 - fade), 255);
  }
  return pixels;
}

export const CHANGE_LEGEND = [["gained", GAIN], ["lost", LOSS], ["unknown", UNKNOWN]];

export function phaseLegend(phases) {
  return [...phases.map((name, place) => [name, phaseColour(name, place)]), ["unknown", UNKNOWN]];
}

/** A colour of the page's theme. */
export function themed(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

/** Fills a legend element without any markup from outside. */
export function showLegend(element, entries) {
  element.replaceChildren(...entries.map(([name, colour]) => {
    const item = document.createElement("span"), box = document.createElement("i");
    box.style.background = colour;
    item.append(box, name);
    return item;
  }));
}
