// Small things that the page needs: texts for people, gaps for charts, a stop watch.

/** NaN as gaps, as uPlot wants them. */
export function gaps(values) { return Array.from(values, (value) => (Number.isNaN(value) ? null : value)); }

export function position(value) { return Array.isArray(value) && value.length === 3 && value.every(Number.isFinite); }

/** A value with its 95 % interval, as many digits as the interval allows. */
export function measuredText(value, low, high) {
  const power = Math.abs(value) >= 1e5 ? Math.floor(Math.log10(Math.abs(value))) : 0, scale = 10 ** power;
  if (low === null || high === null || high <= low) return String(Number(value.toPrecision(4)));
  const digits = Math.min(7, Math.max(0, 1 - Math.floor(Math.log10((high - low) / 2 / scale))));
  const [middle, from, to] = [value, low, high].map((one) => (one / scale).toFixed(digits));
  return power ? `${middle} (${from} … ${to}) × 10^${power}` : `${middle} (${from} … ${to})`;
}

export function clock(milliseconds) { return milliseconds ? new Date(milliseconds).toISOString().slice(11, 16) : ""; }

export function note(text) {
  const element = document.createElement("p");
  element.className = "legend";
  element.textContent = text;
  return element;
}

/** Notes how long it took from an input to what it painted; read by the measurement of latency. */
export async function measured(event, drawn) {
  const start = event.timeStamp;
  await drawn;
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => performance.measure(`scrub ${event.type}`, { start, end: performance.now() });
    port2.postMessage(null);
  });
}
