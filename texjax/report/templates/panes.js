// The panes of the viewer: pictures side by side, or two pictures on the two sides of a movable line.

/** Returns the pictures to show, as {index of the picture, name to display, kind, run}. */
function items(shownRuns) {
  const given = shownRuns.flatMap((run) => [
    ...run.content.map((index) => ({ index, name: `Content ${picture(index).name}`, kind: "content", run })),
    ...run.sources.map((index) => ({ index, name: `Source ${picture(index).name}`, kind: "source", run })),
    ...run.analogy.slice(0, 1).map((index) => ({ index, name: `A ${picture(index).name}`, kind: "source", run })),
  ]);
  const unique = [...new Map(given.map((item) => [item.index, item])).values()];
  return [...numbered(unique), ...shownRuns.map(resultItem)];
}

/** Numbers the items that share a name. */
function numbered(all) {
  return all.map((item, i) => {
    const before = all.slice(0, i).filter((other) => other.name === item.name).length;
    return before ? { ...item, name: `${item.name} (${before + 1})` } : item;
  });
}

function resultItem(run) {
  const at = run.pictures.length ? Math.min(Number(state.out) || 0, run.pictures.length - 1) : -1;
  const swept = Object.keys(run.swept).filter((key) => key !== "source").map((key) => shown(run, key)).join(" · ");
  return { index: run.pictures[at], name: [run.id, swept].filter(Boolean).join("  "), kind: "result", run };
}

/** Returns the size to which the run resized a picture: sources by its settings, a content to its result's size. */
function sidesSeen({ kind, run }, width, height) {
  const made = run.pictures.length ? picture(run.pictures[0]) : {};
  if (kind === "content" && made.width) return [made.width, made.height];
  if (kind !== "source") return [width, height];
  const set = (key) => Number(valueOf(run, `source.${key}`)) || 0;
  const fitted = made.width ? (set("fit") * Math.max(made.width, made.height)) / Math.max(width, height) : 0;
  const factor = set("width") / width || set("scale") || fitted || 1;
  return [Math.round(width * factor), Math.round(height * factor)];
}

/** Makes a canvas that shows a picture once, or repeated 2 x 2 times. */
function layer(item) {
  const shownPicture = item.index === undefined ? {} : picture(item.index);
  const made = { canvas: make("div", { className: "canvas" }), width: 0, height: 0, kind: item.kind };
  if (!shownPicture.src) return made;
  const times = state.tile ? 2 : 1;
  const copies = Array.from({ length: times * times }, (_, i) => make("img", {
    src: shownPicture.src, alt: i ? "" : item.name, draggable: false, decoding: "async",
  }));
  const measure = (width, height) => {
    for (const image of copies) Object.assign(image.style, { width: `${width}px`, height: `${height}px` });
    made.canvas.style.width = `${width * times}px`;
    Object.assign(made, { width: width * times, height: height * times });
    arrange();
  };
  const [first] = copies;
  first.addEventListener("load", () => measure(...sidesSeen(item, first.naturalWidth, first.naturalHeight)));
  first.addEventListener("error", () => first.closest(".pane").append(placeholder(item.name, "the file is gone")));
  made.canvas.append(...copies);
  return made;
}

function caption(item) {
  const missing = item.index === undefined || !picture(item.index).src;
  const words = item.index === undefined ? item.run.status : "the file is gone";
  return [make("figcaption", { title: item.name }, item.name),
    missing ? placeholder(item.index === undefined ? item.name : picture(item.index).name, words) : null];
}

function pane(item, layers, ...more) {
  const element = make("div", { className: "view" }, ...layers.map(({ canvas }) => canvas));
  const made = { element, layers };
  listen(made);
  return { made, figure: make("figure", { className: `pane ${item.kind}` }, element, ...caption(item), ...more) };
}

function showSide(shownRuns) {
  const shownPanes = items(shownRuns).map((item) => pane(item, [layer(item)]));
  panes = shownPanes.map(({ made }) => made);
  byId("stage").replaceChildren(...shownPanes.map((shownPane) => shownPane.figure));
  layOut(shownPanes.length);
}

/** Chooses the number of columns that makes the panes largest. */
function layOut(count) {
  const { clientWidth, clientHeight } = byId("stage");
  const side = (columns) => Math.min(clientWidth / columns, clientHeight / Math.ceil(count / columns));
  const possible = Array.from({ length: count }, (_, i) => i + 1);
  const columns = possible.reduce((best, n) => (side(n) > side(best) ? n : best), 1);
  byId("stage").style.setProperty("--columns", columns);
  arrange();
}

/** Returns what can be on a side of the line, as [value, item]: the runs' inputs, their results, all other results. */
function candidates(shownRuns) {
  const near = items(shownRuns).filter((item) => item.index !== undefined);
  const others = visible().filter((run) => run.pictures.length && !shownRuns.includes(run)).map(resultItem);
  const key = (item) => (item.kind === "result" ? `run ${item.run.id}` : `picture ${item.name}`);
  return [...near, ...others].map((item) => [key(item), item]);
}

function showSlider(shownRuns) {
  const found = new Map(candidates(shownRuns));
  const keys = [...found.keys()];
  const results = keys.filter((key) => found.get(key).kind === "result");
  const right = found.has(state.right) ? state.right : results[0] ?? keys[0];
  const left = found.has(state.left) ? state.left : keys.find((key) => key !== right) ?? right;
  const choices = keys.map((key) => [key, found.get(key).name]);
  fill(byId("left"), choices, left);
  fill(byId("right"), choices, right);
  showDivided(found.get(left), found.get(right));
}

function showDivided(left, right) {
  if (!right) {
    panes = [];
    byId("stage").replaceChildren(placeholder("no picture", "nothing to compare"));
    return;
  }
  const behind = layer(right);
  const front = layer(left);
  front.canvas.classList.add("front");
  const line = make("div", { className: "divide" }, make("span", { ariaHidden: "true" }, "↔"));
  const name = make("figcaption", { className: "left", title: left.name }, left.name);
  const { made, figure: shownFigure } = pane(right, [front, behind], line, name);
  made.element.replaceChildren(behind.canvas, make("div", { className: "front" }, front.canvas));
  panes = [made];
  dragLine(line, shownFigure);
  byId("stage").replaceChildren(shownFigure);
  layOut(1);
  divide();
}

function divide() {
  byId("stage").style.setProperty("--split", `${byId("split").value}%`);
}

function dragLine(line, within) {
  line.addEventListener("pointerdown", (event) => line.setPointerCapture(event.pointerId));
  line.addEventListener("pointermove", (event) => {
    if (!line.hasPointerCapture(event.pointerId)) return;
    const box = within.getBoundingClientRect();
    byId("split").value = (100 * (event.clientX - box.left)) / box.width;
    divide();
  });
}
