// The table of the settings and numbers that differ between runs.

const LONGEST = 300; // rows; a longer table is hard to survey, and the filter shortens it

function showTable(among) {
  const reference = byName.get(state.ref);
  const keys = columnsOf(reference && !among.includes(reference) ? [...among, reference] : among);
  const rows = reference ? [reference, ...among.filter((run) => run !== reference)] : among;
  const head = make("tr", {}, ...["id", "status", ...keys].map(column));
  const body = rows.slice(0, LONGEST).map((run) => row(run, keys, reference));
  const rest = rows.length - LONGEST;
  byId("table").replaceChildren(tableOf("runs", head, body),
    rest > 0 ? make("p", { className: "note" }, `${rest} more runs; filter to see them.`) : "");
}

function columnsOf(among) {
  const numbers = numeric().filter((key) => among.some((run) => has(run, key)));
  return [...differing(among), ...numbers];
}

function column(key) {
  const sortedBy = state.sort === key;
  const direction = state.down ? "descending" : "ascending";
  const arrow = state.down ? " ↓" : " ↑";
  const head = make("th", { scope: "col" }, button(label(key) + (sortedBy ? arrow : ""), () => sortBy(key)));
  if (sortedBy) head.setAttribute("aria-sort", direction);
  return head;
}

function row(run, keys, reference) {
  const open = button("Open", () => openViewer([run]), { ariaLabel: `Open ${run.id}` });
  const first = make("th", { scope: "row" }, tick(run), open);
  const values = keys.map((key) => {
    const compared = reference && reference !== run && !numeric().includes(key);
    const equal = compared && same(valueOf(run, key), valueOf(reference, key));
    return make("td", { className: compared ? (equal ? "equal" : "unequal") : "" }, shown(run, key));
  });
  return make("tr", { "data-id": run.id, className: run === reference ? "reference" : "" }, first,
    make("td", {}, badge(run.status)), ...values);
}

const numeric = () => ["loss", "seconds", "memory", "steps", ...fields.Measures];

function sortBy(key) {
  state.down = state.sort === key && !state.down ? "1" : "";
  state.sort = key;
  show();
}
