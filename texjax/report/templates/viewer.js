// The viewer, which shows pictures of one or several runs at full size.

let returning; // the element that had the focus before the viewer opened

function openViewer(shownRuns) {
  returning = document.activeElement;
  const open = joined(shownRuns.map((run) => run.id));
  Object.assign(state, { open, out: "0", zoom: "", at: "", left: "", right: "" });
  show();
}

function closeViewer() {
  state.open = "";
  byId("viewer").close();
  show();
  returning?.focus?.();
}

/** Opens, fills or closes the viewer, as the state says. */
function showViewer() {
  const shownRuns = opened();
  const viewer = byId("viewer");
  if (!shownRuns.length) {
    if (viewer.open) viewer.close();
    return;
  }
  if (!viewer.open) {
    if (state.info === "" && window.innerWidth > 900) state.info = "1";
    viewer.showModal();
    viewer.focus(); // otherwise the first button would have the focus, and a ring that draws the eye
  }
  refresh();
}

function refresh() {
  const shownRuns = opened();
  showControls(shownRuns);
  showDetails(shownRuns);
  if (state.mode === "slider") showSlider(shownRuns);
  else showSide(shownRuns);
  writeAddress();
}

function showControls(shownRuns) {
  const several = shownRuns.length > 1;
  byId("vtitle").textContent = several ? `${shownRuns.length} runs` : shownRuns[0].id;
  for (const name of ["previous", "next"]) byId("viewer").querySelector(`[data-do=${name}]`).hidden = several;
  const most = Math.max(...shownRuns.map((run) => run.pictures.length));
  byId("outputs").hidden = most < 2;
  byId("output").textContent = `${Math.min(Number(state.out) + 1, most)}/${most}`;
  const modes = byId("viewer").querySelectorAll("[data-mode]");
  for (const element of modes) press(element, element.dataset.mode === state.mode);
  press(byId("tile"), state.tile);
  press(byId("info"), state.info === "1");
  byId("slide").hidden = state.mode !== "slider";
  byId("details").hidden = state.info !== "1";
}

/** Goes to another of the runs that the page shows. */
function step(by) {
  const among = visible();
  const at = among.indexOf(opened()[0]);
  if (!among.length || opened().length > 1) return;
  state.open = joined([among[(at + by + among.length) % among.length].id]);
  Object.assign(state, { out: "0", left: "", right: "" });
  refresh();
}

function turn(by) {
  const most = Math.max(...opened().map((run) => run.pictures.length), 1);
  state.out = String((Number(state.out) + by + most) % most);
  refresh();
}

const toggle = (key, off = "") => () => { state[key] = state[key] === "1" ? off : "1"; refresh(); };
const mode = (name) => () => { state.mode = name; refresh(); };

const ACTIONS = {
  previous: () => step(-1),
  next: () => step(1),
  less: () => turn(-1),
  more: () => turn(1),
  in: () => setZoom(zoomNow() * FACTOR),
  out: () => setZoom(zoomNow() / FACTOR),
  exact: () => setZoom(1),
  fit,
  tile: () => { Object.assign(state, { zoom: "", at: "" }); toggle("tile")(); },
  info: toggle("info", "0"),
  side: mode("side"),
  slider: () => { mode("slider")(); byId("split").focus(); },
  close: closeViewer,
};
const KEYS = {
  ArrowLeft: "previous", ArrowRight: "next", ArrowUp: "less", ArrowDown: "more",
  "+": "in", "=": "in", "-": "out", 0: "fit", 1: "exact", t: "tile", i: "info", b: "side", s: "slider",
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function viewerKey(event) {
  if (event.target.closest("select, input, pre, .details") && event.key.startsWith("Arrow")) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow && (event.shiftKey || opened().length > 1)) pan(panes[0], arrow[0] * 40, arrow[1] * 40);
  else if (KEYS[event.key]) ACTIONS[KEYS[event.key]]();
  else return;
  event.preventDefault();
}

function prepareViewer() {
  const viewer = byId("viewer");
  for (const element of viewer.querySelectorAll("[data-do]")) element.onclick = () => ACTIONS[element.dataset.do]();
  for (const element of viewer.querySelectorAll("[data-mode]")) element.onclick = () => ACTIONS[element.dataset.mode]();
  for (const side of ["left", "right"]) byId(side).onchange = () => { state[side] = byId(side).value; refresh(); };
  byId("split").oninput = divide;
  viewer.addEventListener("keydown", viewerKey);
  viewer.addEventListener("cancel", (event) => { event.preventDefault(); closeViewer(); });
  new ResizeObserver(() => { if (viewer.open) layOut(panes.length || 1); }).observe(byId("stage"));
}
