// The contact sheet: a card for each run, with its source beside its result.

const cards = new Map();

/** Makes the thumbnail of a picture, or a placeholder with its name if it cannot be shown. */
function thumbnail(index, alt) {
  const shownPicture = index === undefined ? {} : picture(index);
  if (!shownPicture.src) return placeholder(shownPicture.name ?? alt, shownPicture.name ? "the file is gone" : "");
  const { width, height } = shownPicture;
  const sides = width ? { width, height } : {};
  const src = shownPicture.thumb ?? shownPicture.src;
  return make("img", { src, alt, loading: "lazy", decoding: "async", ...sides });
}

function placeholder(name, reason) {
  return make("span", { className: "placeholder" }, make("span", {}, name), reason ? make("small", {}, reason) : null);
}

/** Makes the thumbnail of a run's result, or a placeholder with its status. */
function resultOf(run, at = 0) {
  if (run.pictures.length) return thumbnail(run.pictures[at], `Result of ${run.id}`);
  return placeholder(run.status, run.status === "failed" ? "no picture" : "no picture yet");
}

function figure(content, caption) {
  return make("figure", {}, content, make("figcaption", {}, caption));
}

function sizeOf(run) {
  const { width, height } = run.pictures.length ? picture(run.pictures[0]) : {};
  return width ? `${width} × ${height}` : "";
}

/** Makes figures of a run's inputs: the content of a transfer, and the sources. */
function givenFigures(run) {
  const of = (indices, kind) => indices.map((index) => {
    const { name } = picture(index);
    return figure(thumbnail(index, `${kind} ${name}`), name);
  });
  const figures = [...of(run.content, "Content"), ...of(run.sources, "Source")];
  const more = figures.length - 2;
  const name = sourceOf(run);
  if (!figures.length && name !== undefined) return [figure(placeholder(text(name), "source"), text(name))];
  return more > 0 ? [...figures.slice(0, 2), make("small", { className: "more" }, `+ ${more}`)] : figures;
}

function card(run) {
  const shot = make("span", { className: "shot" }, resultOf(run));
  const open = make("button", { type: "button", className: "pair", onclick: () => openViewer([run]) },
    ...givenFigures(run), figure(shot, sizeOf(run)));
  open.setAttribute("aria-label", `Open ${run.id}, ${run.status}`);
  const error = run.error ? make("p", { className: "error" }, run.error) : null;
  return make("article", { className: `card ${run.status}`, "data-id": run.id },
    open, title(run, shot), settings(run), error, make("p", { className: "facts" }));
}

function title(run, shot) {
  return make("div", { className: "title" }, tick(run), run.status === "finished" ? null : badge(run.status),
    run.pictures.length > 1 ? leaf(run, shot) : null);
}

const badge = (status) => make("span", { className: `badge ${status}` }, status);

/** Makes the box that selects a run. */
function tick(run) {
  const box = make("input", { type: "checkbox", className: "tick", onchange: () => toggleChosen(run) });
  return make("label", {}, box, make("b", {}, run.id));
}

/** Makes the buttons that leaf through the pictures of a run. */
function leaf(run, shot) {
  let at = 0;
  const place = make("span", {}, `1/${run.pictures.length}`);
  const step = (by) => () => {
    at = (at + by + run.pictures.length) % run.pictures.length;
    place.textContent = `${at + 1}/${run.pictures.length}`;
    shot.replaceChildren(resultOf(run, at));
  };
  return make("span", { className: "leaf" }, button("‹", step(-1), { ariaLabel: "Previous picture" }), place,
    button("›", step(1), { ariaLabel: "Next picture" }));
}

/** Makes buttons of the settings that distinguish a run; each filters by its setting. */
function settings(run) {
  const keys = fields.Swept.length ? fields.Swept : differing(runs).filter((key) => key !== "source").slice(0, 6);
  const chips = keys.filter((key) => has(run, key)).map((key) => {
    const word = asking(key, valueOf(run, key));
    const chip = button("", () => setQuery(toggled(state.q, word)), { title: `Filter by ${key}`, className: "chip" });
    chip.append(make("span", {}, shortened(key)), ` ${shown(run, key)}`);
    return chip;
  });
  return make("div", { className: "settings" }, ...chips);
}

/** Returns the shortest end of a dotted key that no other swept key shares. */
function shortened(key) {
  const parts = key.split(".");
  for (let count = 1; count < parts.length; count += 1) {
    const tail = parts.slice(-count).join(".");
    if (fields.Swept.filter((other) => other === tail || other.endsWith(`.${tail}`)).length < 2) return tail;
  }
  return key;
}

/** Makes the line of a run's numbers, which includes the key that the sheet is sorted by. */
function facts(run) {
  const keys = ["loss", "seconds", "memory"].filter((key) => has(run, key));
  const seen = ["", "id", ...keys, ...fields.Swept];
  if (!seen.includes(state.sort)) keys.push(state.sort);
  return keys.map((key) => (
    make("span", { title: label(key) }, key === "seconds" ? "" : `${key} `, make("b", {}, shown(run, key)))));
}

function buildSheet() {
  cards.clear();
  for (const run of runs) cards.set(run.id, card(run));
  byId("sheet").replaceChildren(...cards.values());
}

let sheetOrder = "";

/** Shows the cards of these runs in sorted order. */
function showSheet(among) {
  const visible = new Set(among.map((run) => run.id));
  const wanted = sheetKey();
  if (wanted !== sheetOrder) {
    byId("sheet").replaceChildren(...sorted(runs).map((run) => cards.get(run.id)));
    for (const run of runs) cards.get(run.id).querySelector(".facts").replaceChildren(...facts(run));
    sheetOrder = wanted;
  }
  for (const [id, element] of cards) if (element.hidden === visible.has(id)) element.hidden = !visible.has(id);
}

const sheetKey = () => `${data.live} ${state.sort} ${state.down}`;

function sorted(among) {
  if (!state.sort) return state.down ? [...among].reverse() : among;
  const sign = state.down ? -1 : 1;
  const values = new Map(among.map((run) => [run, valueOf(run, state.sort)]));
  const missing = (run) => values.get(run) == null;
  // Runs without a value stay last in both directions.
  return [...among].sort((a, b) => missing(a) - missing(b) || sign * order(values.get(a), values.get(b)));
}
