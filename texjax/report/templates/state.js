// The state: what the page shows, and how. The address contains it, so that a view can be shared.

const DEFAULTS = {
  view: "sheet", q: "", sort: "", down: "", x: "", y: "", ref: "", size: "144", chosen: "",
  open: "", mode: "side", tile: "", zoom: "", at: "", left: "", right: "", out: "0", info: "",
};
const state = { ...DEFAULTS };

/** Joins identifiers, which may contain any character, into one string. */
const joined = (ids) => ids.map(encodeURIComponent).join(",");
const split = (joinedIds) => (joinedIds ? joinedIds.split(",").map(decoded) : []);

function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

function readAddress() {
  Object.assign(state, DEFAULTS);
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
    if (Object.hasOwn(DEFAULTS, key)) state[key] = value;
  }
  if (!["sheet", "grid", "table"].includes(state.view)) state.view = "sheet";
  if (!["side", "slider"].includes(state.mode)) state.mode = "side";
}

let writing;

/** Puts the state into the address after a moment, because browsers refuse frequent changes. */
function writeAddress() {
  clearTimeout(writing);
  writing = setTimeout(() => {
    const changed = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
    history.replaceState(null, "", `#${new URLSearchParams(changed)}`);
  }, 150);
}

const known = (ids) => ids.map((id) => byName.get(id)).filter(Boolean);
const chosen = () => known(split(state.chosen));
const opened = () => known(split(state.open));

function choose(run, on) {
  const ids = chosen().map((other) => other.id).filter((id) => id !== run.id);
  state.chosen = joined(on ? [...ids, run.id] : ids);
}
