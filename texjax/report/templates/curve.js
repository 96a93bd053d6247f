// Draws curves over the steps as SVG, with a logarithmic vertical axis.

const WIDTH = 320;
const HEIGHT = 150;
const INSET = { left: 44, right: 8, top: 8, bottom: 20 };

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Makes a figure of curves {name: {x, y}}; a point that is not above zero has no logarithm and is left out. */
function curves(lines, title) {
  const drawn = Object.entries(lines).map(([name, { x, y }]) => [name, points(x, y)]).filter(([, line]) => line.length);
  if (!drawn.length) return null;
  const area = scales(drawn.flatMap(([, line]) => line));
  const paths = drawn.map(([, line], i) => svg("path", { class: `curve c${i % 6}`, d: path(line, area) }));
  const settings = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title };
  const keys = drawn.map(([name, line], i) => (
    make("li", { className: `c${i % 6}` }, name, make("b", {}, text(line.at(-1)[1])))));
  const drawing = svg("svg", settings, ...ticks(area), ...paths);
  return make("figure", { className: "curves" }, drawing, make("ul", {}, ...keys));
}

const points = (x, y) => x.map((step, i) => [step, y[i]]).filter(([step, value]) => step != null && value > 0);

function scales(all) {
  const steps = all.map(([step]) => step);
  const logs = all.map(([, value]) => Math.log10(value));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const room = Math.max(0.05, (high - low) * 0.05);
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const across = (WIDTH - INSET.left - INSET.right) / Math.max(last - first, 1);
  const down = (HEIGHT - INSET.top - INSET.bottom) / (high - low + 2 * room);
  return {
    first, last, low: low - room, high: high + room,
    x: (step) => INSET.left + (step - first) * across,
    y: (value) => INSET.top + (high + room - Math.log10(value)) * down,
  };
}

const path = (line, area) => line
  .map(([step, value], i) => `${i ? "L" : "M"}${area.x(step).toFixed(1)} ${area.y(value).toFixed(1)}`).join("");

/** Returns the levels of the horizontal lines: powers of ten, and twice and five times these if there are few. */
function levels(area) {
  const between = area.high - area.low > 2 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(area.low); power <= area.high; power += 1) {
    for (const digit of between) found.push(digit * 10 ** power);
  }
  const inside = found.filter((level) => Math.log10(level) >= area.low && Math.log10(level) <= area.high);
  return inside.filter((_, i) => i % Math.ceil(inside.length / 6) === 0);
}

function ticks(area) {
  const marks = levels(area).flatMap((level) => [
    svg("line", { class: "mark", x1: INSET.left, x2: WIDTH - INSET.right, y1: area.y(level), y2: area.y(level) }),
    svg("text", { x: INSET.left - 6, y: area.y(level) + 3.5, "text-anchor": "end" }, text(level)),
  ]);
  const ends = [[area.first, "start", ""], [area.last, "end", "step "]].map(([step, anchor, word]) => (
    svg("text", { x: area.x(step), y: HEIGHT - 5, "text-anchor": anchor }, `${word}${step}`)));
  return [...marks, ...ends];
}

/** Draws the loss of one run with its terms, or the losses of several runs. */
function curvesOf(shownRuns) {
  if (shownRuns.length > 1) {
    const losses = shownRuns.map((run) => [run.id, { x: run.curve.step, y: run.curve.loss }]);
    return curves(Object.fromEntries(losses), "Loss of the runs over the steps");
  }
  const { step, ...lines } = shownRuns[0].curve;
  const named = Object.entries(lines).map(([name, y]) => [name.replace(/^term /, ""), { x: step, y }]);
  return curves(Object.fromEntries(named), "Loss and its terms over the steps");
}
