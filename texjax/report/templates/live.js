// The page of `texjax report --serve` asks its own server for news; any other asks nobody.

const PERIOD = 2000; // milliseconds

function watch() {
  if (data.live) setTimeout(look, PERIOD);
}

async function look() {
  try {
    const found = await (await fetch("/-/version")).json();
    if (found !== data.live) await reload();
  } catch {
    // The server has ended, or is about to come back; what is shown stays.
  }
  setTimeout(look, PERIOD);
}

/** Show the new records, and keep the view. */
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
