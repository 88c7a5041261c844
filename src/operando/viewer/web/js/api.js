// Questions to the server. Planes are kept in memory; of several questions for one place the latest wins.

const MOST_BYTES = 192 * 2 ** 20;
const TYPES = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int32: Int32Array };

async function ask(path, options = {}) {
  const answer = await fetch(path, { credentials: "same-origin", ...options });
  if (!answer.ok) throw Object.assign(new Error(`${answer.status} ${(await answer.text()).trim()}`), { status: answer.status });
  return answer;
}

export async function json(path) { return (await ask(path)).json(); }

/** A header and arrays (see packing.py), or null where there is no such thing. */
export async function packed(path, options) {
  const answer = await ask(path, options);
  return answer.status === 204 ? null : unpack(await answer.arrayBuffer());
}

export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const { header, arrays } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const found = { header };
  for (const [name, { type, shape, offset }] of Object.entries(arrays)) {
    const size = shape.reduce((a, b) => a * b, 1);
    found[name] = new TYPES[type](buffer, 8 + length + offset, size);
  }
  return found;
}

/** Planes of bytes by address, the oldest forgotten first. */
export class Planes {
  constructor() {
    this.kept = new Map();
    this.bytes = 0;
  }

  get(path) {
    const found = this.kept.get(path);
    if (found) {
      this.kept.delete(path);
      this.kept.set(path, found);
    }
    return found;
  }

  async load(path, signal) {
    const found = this.get(path) ?? new Uint8Array(await (await ask(path, { signal })).arrayBuffer());
    if (!this.kept.has(path)) this.#keep(path, found);
    return found;
  }

  #keep(path, bytes) {
    this.kept.set(path, bytes);
    this.bytes += bytes.length;
    for (const [old, content] of this.kept) {
      if (this.bytes <= MOST_BYTES) break;
      this.kept.delete(old);
      this.bytes -= content.length;
    }
  }
}

/** Runs one job at a time; while it runs only the latest next one waits, and earlier ones are dropped for it. */
export class Latest {
  constructor() {
    this.running = false;
    this.next = null;
  }

  /** Resolves when the job, or the one that took its place, is done. */
  run(job) {
    if (!this.running) return this.#now(job);
    return new Promise((resolve, reject) => {
      const dropped = this.next;
      this.next = { job, resolve, reject };
      if (dropped) this.next.resolve = (value) => { dropped.resolve(value); resolve(value); };
    });
  }

  async #now(job) {
    this.running = true;
    try {
      await job();
    } finally {
      this.running = false;
      const { next } = this;
      this.next = null;
      if (next) this.#now(next.job).then(next.resolve, next.reject);
    }
  }
}
