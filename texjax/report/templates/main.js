// The page as a whole: which runs are visible, what the controls do, and the start of everything.

let shownRuns = [];

const visible = () => shownRuns;

/** Shows everything as the state says; the viewer only on request. */
function show(withViewer = true) {
  const { test, unknown } = parsed(state.q);
  shownRuns = sorted(runs.filter(test));
  summarize(unknown);
  showView();
  showControlsOfView();
  showStatuses();
  showChosen();
  if (withViewer) showViewer();
  writeAddress();
}

function summarize(unknown) {
  const all = `${runs.length} ${runs.length === 1 ? "run" : "runs"}`;
  const count = shownRuns.length === runs.length ? all : `${shownRuns.length} of ${all}`;
  const complaint = unknown.length ? ` · no run has the key ${unknown.map((key) => `“${key}”`).join(", ")}` : "";
  byId("summary").textContent = `${count}${complaint}${data.live ? " · live" : ""}`;
  byId("nothing").hidden = shownRuns.length > 0;
}

function showView() {
  const views = { sheet: showSheet, grid: showGrid, table: showTable };
  for (const name of Object.keys(views)) byId(name).hidden = name !== state.view || !shownRuns.length;
  if (shownRuns.length || state.view === "sheet") views[state.view](shownRuns);
}

function showControlsOfView() {
  for (const element of document.querySelectorAll("[data-view]")) press(element, element.dataset.view === state.view);
  for (const element of document.querySelectorAll("[data-only]")) {
    element.hidden = !element.dataset.only.split(" ").includes(state.view);
  }
  if (byId("filter").value !== state.q) byId("filter").value = state.q;
  byId("sort").value = state.sort;
  byId("down").textContent = state.down ? "↓" : "↑";
  press(byId("down"), state.down);
  byId("ref").value = state.ref;
  byId("size").value = state.size;
  document.documentElement.style.setProperty("--size", `${Math.min(256, Math.max(64, Number(state.size) || 144))}px`);
}

/** Shows how many runs have each status, as buttons that filter; nothing if all runs have the same status. */
function showStatuses() {
  const counts = new Map();
  for (const run of runs) counts.set(run.status, (counts.get(run.status) ?? 0) + 1);
  const chips = [...counts].map(([status, count]) => {
    const word = asking("status", status);
    const chip = button("", () => setQuery(toggled(state.q, word)), { className: `chip ${status}` });
    chip.append(`${status} `, make("b", {}, String(count)));
    press(chip, ` ${state.q} `.includes(` ${word} `));
    return chip;
  });
  byId("statuses").replaceChildren(...(chips.length > 1 ? chips : []));
}

function showChosen() {
  const ids = new Set(chosen().map((run) => run.id));
  for (const box of document.querySelectorAll("[data-id]")) {
    const on = ids.has(box.dataset.id);
    box.classList.toggle("chosen", on);
    const input = box.querySelector(".tick") ?? box.parentElement.querySelector(".tick");
    if (input && input.checked !== on) input.checked = on;
  }
  byId("bar").hidden = !ids.size;
  byId("count").textContent = `${ids.size} selected`;
  writeAddress();
}

function toggleChosen(run) {
  choose(run, !chosen().includes(run));
  showChosen();
}

function setQuery(query) {
  state.q = query;
  show();
}

/** Builds everything that depends on the runs alone, and not on the state. */
function build() {
  buildSheet();
  sheetOrder = "";
  const pairs = (keys) => keys.map((key) => [key, label(key)]);
  const groups = Object.fromEntries(Object.entries(fields).map(([name, keys]) => [name, pairs(keys)]));
  fill(byId("sort"), { "": [["", "order of the runs"]], ...groups }, state.sort);
  const along = Object.fromEntries(Object.entries(axes()).map(([name, keys]) => [name, pairs(keys)]));
  fill(byId("x"), along, state.x);
  fill(byId("y"), { "": [["none", "none"]], ...along }, state.y);
  fill(byId("ref"), [["", "no run"], ...runs.map((run) => [run.id, run.id])], state.ref);
  const typed = allKeys().filter((key) => !/\s/.test(key));
  byId("names").replaceChildren(...typed.map((key) => make("option", { value: `${key}=` })));
}

function prepareControls() {
  const on = (id, name, key) => byId(id).addEventListener(name, () => { state[key] = byId(id).value; show(); });
  on("filter", "input", "q");
  on("size", "input", "size");
  for (const id of ["sort", "x", "y", "ref"]) on(id, "change", id);
  byId("down").onclick = () => { state.down = state.down ? "" : "1"; show(); };
  byId("all").onclick = () => setQuery("");
  byId("compare").onclick = () => openViewer(chosen());
  byId("clear").onclick = () => { state.chosen = ""; showChosen(); };
  byId("keys").onclick = () => byId("help").showModal();
  byId("theme").onclick = changeTheme;
  for (const element of document.querySelectorAll("[data-view]")) {
    element.onclick = () => { state.view = element.dataset.view; show(); };
  }
}

/** Switches between light and dark; until the first switch the page follows the system. */
function changeTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  try {
    if (theme) localStorage.setItem("texjax-theme", theme);
    else document.documentElement.dataset.theme = localStorage.getItem("texjax-theme") ?? "";
  } catch {
    // Some browsers store nothing for pages that are files; the theme then lasts until the page is closed.
  }
}

function pageKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("select, input:not([type=checkbox]), dialog")) {
    if (event.key === "?" && event.target.closest("#viewer")) byId("help").showModal();
    return;
  }
  const run = byName.get(event.target.closest("[data-id]")?.dataset.id);
  if (event.key === "/") byId("filter").focus();
  else if (event.key === "?") byId("help").showModal();
  else if (event.key === "c" && chosen().length) openViewer(chosen());
  else if (event.key === "x" && run) toggleChosen(run);
  else if (!walk(event)) return;
  event.preventDefault();
}

/** Moves the focus, on an arrow key, to the nearest run in that direction. */
function walk(event) {
  const here = event.target.closest("[data-id]");
  const arrow = ARROWS[event.key];
  if (!arrow || !here) return false;
  const among = [...document.querySelectorAll("main [data-id]")].filter((element) => element.offsetParent);
  const next = nearest(here, among, arrow);
  (next?.querySelector("button, input") ?? next)?.focus();
  return true;
}

function nearest(here, among, [dx, dy]) {
  const middle = (element) => {
    const box = element.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const [x, y] = middle(here);
  const distances = among.filter((element) => element !== here).map((element) => {
    const [ox, oy] = middle(element);
    const along = (ox - x) * dx + (oy - y) * dy;
    return [element, along, Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx)];
  }).filter(([, along]) => along > 1);
  return distances.sort((a, b) => a[1] + 4 * a[2] - b[1] - 4 * b[2])[0]?.[0];
}

load(JSON.parse(byId("data").textContent));
setTheme();
readAddress();
prepareControls();
prepareViewer();
build();
show();
watch();
document.addEventListener("keydown", pageKey);
window.addEventListener("hashchange", () => { readAddress(); show(); });
