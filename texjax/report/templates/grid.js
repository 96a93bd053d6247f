// The grid: results arranged by the values of two keys.

/** Returns the distinct values of a key among runs, sorted, undefined last. */
function distinct(among, key) {
  const found = new Map(among.map((run) => [JSON.stringify(valueOf(run, key)), valueOf(run, key)]));
  return [...found.values()].sort(order);
}

/** Returns the keys of columns and rows: the chosen ones, or else those with the most values; "none" for no rows. */
function chosenAxes() {
  const keys = Object.values(axes()).flat();
  const counted = keys.filter((key) => key !== "status").map((key) => [key, distinct(runs, key).length])
    .filter(([, count]) => count > 1);
  const swept = counted.filter(([key]) => key === "source" || fields.Swept.includes(key)).sort((a, b) => b[1] - a[1]);
  const usual = (swept.length > 1 ? swept : counted).map(([key]) => key);
  const first = usual.find((key) => key !== state.y && key !== "source") ?? usual[0] ?? "status";
  const x = keys.includes(state.x) ? state.x : first;
  const left = usual.filter((key) => key !== x);
  const second = left.includes("source") ? "source" : left[0] ?? "none";
  return [x, [...keys, "none"].includes(state.y) ? state.y : second];
}

function showGrid(among) {
  const [x, y] = chosenAxes();
  byId("x").value = x;
  byId("y").value = y;
  const columns = distinct(among, x);
  const rows = y === "none" ? [undefined] : distinct(among, y);
  const cells = cellsOf(among, x, y);
  const others = differing(among).filter((key) => fields.Swept.includes(key) && key !== x && key !== y);
  const body = rows.map((row) => make("tr", {}, heading(y, row, "row", among), ...columns.map((column) => (
    make("td", {}, ...(cells.get(place(row, column)) ?? []).map((run) => cell(run, others)))))));
  const corner = make("td", { className: "corner" }, y === "none" ? label(x) : `${label(y)} ↓  ${label(x)} →`);
  const head = make("tr", {}, corner, ...columns.map((column) => heading(x, column, "col", among)));
  byId("grid").replaceChildren(tableOf("grid", head, body));
}

const place = (row, column) => JSON.stringify([row, column]);

function cellsOf(among, x, y) {
  const cells = new Map();
  for (const run of among) {
    const key = place(y === "none" ? undefined : valueOf(run, y), valueOf(run, x));
    cells.set(key, [...(cells.get(key) ?? []), run]);
  }
  return cells;
}

function heading(key, value, scope, among) {
  if (key === "none") return make("th", { scope }, "");
  const run = key === "source" && among.find((other) => other.sources.length && sourceOf(other) === value);
  return make("th", { scope }, run ? thumbnail(run.sources[0], "") : null, make("span", {}, text(value)));
}

/** Makes the cell of a run; `others` are the keys that distinguish the runs in one place of the grid. */
function cell(run, others) {
  const open = make("button", { type: "button", className: `shot ${run.status}`, "data-id": run.id }, resultOf(run));
  open.onclick = (event) => (event.shiftKey || event.ctrlKey || event.metaKey ? toggleChosen(run) : openViewer([run]));
  open.title = `${run.id}: ${described(run)}`;
  open.setAttribute("aria-label", `Open ${run.id}, ${run.status}`);
  const told = others.map((key) => shown(run, key)).join(" · ");
  return make("div", { className: "cell" }, open, tick(run), told ? make("p", {}, told) : null);
}

const described = (run) => [...fields.Swept, "loss", "seconds"].filter((key) => has(run, key))
  .map((key) => `${label(key)} ${shown(run, key)}`).join(", ");
