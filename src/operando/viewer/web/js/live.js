// Follows a running experiment: the server says when something is new.

/** Listens for ever; after a broken connection the browser tries again by itself. */
export function follow(app) {
  const badge = document.getElementById("live");
  const stream = new EventSource("/api/events");
  let busy = Promise.resolve();
  stream.addEventListener("revision", (event) => {
    if (Number(event.data) === app.source.overview.revision && !app.lost) return;
    app.lost = false;
    busy = busy.then(() => app.renew()).catch((error) => app.say(error));
  });
  stream.addEventListener("live", (event) => {
    const state = JSON.parse(event.data);
    app.source.overview.live = state;
    show(badge, state);
    if (app.state.get("tab") === "quality") app.tabs.quality.show();
  });
  stream.onerror = () => {
    app.lost = true;
    badge.dataset.state = "alarm";
    badge.textContent = "connection lost, trying again";
  };
  stream.onopen = () => show(badge, app.source.overview.live);
}

function show(badge, live) {
  badge.dataset.state = live?.state ?? "";
  badge.textContent = live?.state ? live.text : "";
}
