// The keyboard: everything that the mouse can do.

const KEYS = [
  ["← →", "earlier or later scan (shift: by ten)"], ["Home End", "first or last scan"], ["space", "play"],
  ["PgUp PgDn", "plane across z"], ["arrows in a slice", "move the cross-hair (shift: ten voxels)"],
  ["+ − in a slice", "zoom; also ctrl+wheel. shift+drag moves the picture"], ["O", "next overlay"], ["C", "other colours"],
  ["M", "measure: two points by click, or Enter at the cross-hair"], ["W", "heat map or waterfall"], ["P", "pin this state"],
  ["L", "copy a link to this view"], ["E", "export"], ["T", "light or dark"], ["1 … 5", "views"], ["?", "this list"],
];
const OVERLAYS = ["none", "labels", "trust", "change"];
const TABS = ["linked", "compare", "space", "quality", "tables"];

export function listenToKeys(app) {
  const { state } = app;
  const actions = {
    ArrowLeft: (event) => app.goTo(app.stop - (event.shiftKey ? 10 : 1)),
    ArrowRight: (event) => app.goTo(app.stop + (event.shiftKey ? 10 : 1)),
    Home: () => app.goTo(0),
    End: () => app.goTo(app.stops.length - 1),
    " ": () => app.play(),
    PageUp: () => app.step("z", -1),
    PageDown: () => app.step("z", 1),
    o: () => state.set({ overlay: OVERLAYS[(OVERLAYS.indexOf(state.get("overlay")) + 1) % OVERLAYS.length] }),
    c: () => state.set({ colours: state.get("colours") === "grey" ? "cividis" : "grey" }),
    m: () => document.getElementById("measure").click(),
    w: () => state.set({ series: state.get("series") === "map" ? "waterfall" : "map" }),
    p: () => app.togglePin(),
    l: () => app.copyLink(),
    e: () => document.getElementById("export").click(),
    t: () => document.getElementById("theme").click(),
    "?": () => showKeys(app),
  };
  TABS.forEach((tab, n) => { actions[String(n + 1)] = () => state.set({ tab }); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog, [role='tab']")) return;
    if (event.key === " " && event.target.closest("button")) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

export function showKeys(app) {
  const list = document.createElement("dl");
  for (const [key, text] of KEYS) {
    const term = document.createElement("dt"), description = document.createElement("dd");
    term.textContent = key;
    description.textContent = text;
    list.append(term, description);
  }
  app.dialog("Keys", list);
}
