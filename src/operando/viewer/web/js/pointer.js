// Pointing at slices: the cross-hair, zoom, and the ruler.

import { AXES, extent } from "./geometry.js";

const STEPS = { ArrowLeft: ["column", -1], ArrowRight: ["column", 1], ArrowUp: ["row", -1], ArrowDown: ["row", 1] };

/** Wires one slice view: drag moves the cross-hair, wheel zooms, shift+drag moves the picture, clicks set the ruler. */
export function listen(view, app) {
  const { canvas, state } = view;
  let dragging = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (!view.shown) return;
    canvas.setPointerCapture(event.pointerId);
    const position = view.position(event);
    if (state.get("measuring")) return setRuler(view, position);
    dragging = event.shiftKey ? { from: position, centre: [...state.get("centre")] } : {};
    if (!event.shiftKey) app.move(position, true);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!view.shown) return;
    const position = view.position(event);
    app.hover(view, position);
    if (!dragging) return;
    if (dragging.from) state.set({ centre: dragging.centre.map((c, k) => c - (position[k] - dragging.from[k])) });
    else app.move(position, true);
  });
  const release = () => {
    if (dragging && !dragging.from) app.move(state.get("cursor"), false);
    dragging = null;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("wheel", (event) => {
    if (!view.shown) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey || event.shiftKey) zoom(view, event.deltaY < 0 ? 1.25 : 0.8, view.position(event));
    else app.step(view.axis, event.deltaY > 0 ? 1 : -1);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (!view.shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const map = view.map();
    if (STEPS[event.key]) app.nudge(map[STEPS[event.key][0]], STEPS[event.key][1] * (event.shiftKey ? 10 : 1));
    else if (event.key === "Enter" && state.get("measuring")) setRuler(view, [...state.get("cursor")]);
    else if (event.key === "+" || event.key === "=") zoom(view, 1.25, state.get("cursor"));
    else if (event.key === "-") zoom(view, 0.8, state.get("cursor"));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function setRuler(view, position) {
  const { state, axis } = view, ruler = state.get("ruler");
  const ends = ruler && ruler.axis === axis && ruler.ends.length === 1 ? [...ruler.ends, position] : [position];
  state.set({ ruler: { axis, ends }, measuring: ends.length < 2 });
}

/** Zooms so that `position` stays where it is on the screen. */
function zoom(view, by, position) {
  const { state } = view, before = state.get("zoom"), after = Math.min(Math.max(before * by, 1), 32);
  const image = view.image(), old = before > 1 ? state.get("centre") : AXES.map((_, k) => (extent(image, k)[0] + extent(image, k)[1]) / 2);
  const centre = old.map((c, k) => position[k] + ((c - position[k]) * before) / after);
  state.set({ zoom: after, centre });
}
