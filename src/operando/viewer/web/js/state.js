// What is shown, in one place. Everything that draws listens here; the address holds it all.

const KEPT = ["scan", "cursor", "window", "overlay", "colours", "zoom", "centre", "quantity", "series", "tab",
  "reference", "across", "pins", "ruler"];

/** An observable record: `set` changes some fields, listeners of those fields are called once. */
export class State {
  constructor(fields) {
    this.fields = { ...fields };
    this.listeners = [];
  }

  get(name) { return this.fields[name]; }

  /** Calls `listener(state)` when one of `names` changes. */
  on(names, listener) { this.listeners.push({ names: new Set(names), listener }); }

  set(changes) {
    const changed = Object.keys(changes).filter((name) => !same(this.fields[name], changes[name]));
    if (!changed.length) return;
    Object.assign(this.fields, changes);
    for (const { names, listener } of this.listeners) {
      if (changed.some((name) => names.has(name))) listener(this);
    }
  }
}

function same(a, b) { return a === b || JSON.stringify(a) === JSON.stringify(b); }

/** The part of the address that holds the view. */
export function toLink(fields) {
  const query = new URLSearchParams();
  for (const name of KEPT) {
    const value = fields[name];
    if (value === undefined || value === null || (Array.isArray(value) && !value.length)) continue;
    query.set(name, typeof value === "string" ? value : JSON.stringify(rounded(value)));
  }
  return `#${query}`;
}

/** The fields that an address names; what can't be read is left out. */
export function fromLink(hash) {
  const fields = {};
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (!KEPT.includes(name)) continue;
    try {
      fields[name] = JSON.parse(text);
    } catch {
      fields[name] = text;
    }
  }
  return fields;
}

function rounded(value) {
  if (Array.isArray(value)) return value.map(rounded);
  return typeof value === "number" ? Number(value.toPrecision(7)) : value;
}
