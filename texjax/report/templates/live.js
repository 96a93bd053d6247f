// Updates: the page of `texjax report --serve` asks its own server for new records; any other page asks no server.

const PERIOD = 2000; // milliseconds

function watch() {
  if (data.live) setTimeout(look, PERIOD);
}

async function look() {
  try {
    const found = await (await fetch("/-/version")).json();
    if (found !== data.live) await reload();
  } catch {
    // The server has ended, perhaps only for a moment; the page keeps showing what it has.
  }
  setTimeout(look, PERIOD);
}

/** Shows the new records and keeps the view. */
async function reload() {
  const focused = document.activeElement.closest("[data-id]")?.dataset.id;
  const before = opened();
  load(await (await fetch("/-/data")).json());
  build();
  showProblems();
  show(!same(before, opened()));
  if (state.view === "sheet") cards.get(focused)?.querySelector("button").focus({ preventScroll: true });
}

function showProblems() {
  byId("problems").hidden = !data.problems.length;
  byId("problems").querySelector("ul").replaceChildren(...data.problems.map((problem) => make("li", {}, problem)));
}
