// Zoom and place, which all pictures in the viewer share. The zoom is in screen pixels per picture pixel, so that 1
// shows a picture exactly. The place is a fraction of each picture's sides, so that corners of pictures of any size
// coincide.

const FACTOR = Math.SQRT2;
const LARGEST = 32;

let panes = []; // {element, layers: [{canvas, width, height, kind}]}; width and height include the repeats, in pixels

const ratio = () => window.devicePixelRatio || 1;

/** Returns the largest zoom that shows all results whole; above 2 a whole number, which keeps pixels square. */
function fitting() {
  const all = panes.flatMap(({ element, layers }) => layers.map((layer) => [element, layer]))
    .filter(([, { width }]) => width);
  const results = all.filter(([, { kind }]) => kind === "result");
  // Sources do not count: one can be many times as large as the results, and is shown at their scale.
  const zooms = (results.length ? results : all).map(([element, { width, height }]) => (
    Math.min(element.clientWidth / width, element.clientHeight / height) * ratio()));
  const zoom = zooms.length ? Math.min(...zooms) : 1;
  return zoom >= 2 ? Math.floor(zoom) : zoom;
}

const zoomNow = () => Number(state.zoom) || fitting();

function placeNow() {
  const [x, y] = state.at.split(",").map(Number);
  return Number.isFinite(x) && Number.isFinite(y) && state.at ? [x, y] : [0.5, 0.5];
}

/** Moves and scales every picture as zoom and place say. */
function arrange() {
  const zoom = zoomNow();
  const [x, y] = placeNow();
  for (const { element, layers } of panes) {
    for (const { canvas, width, height } of layers) {
      const scale = zoom / ratio();
      const left = whole(element.clientWidth / 2 - x * width * scale);
      const top = whole(element.clientHeight / 2 - y * height * scale);
      canvas.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
      // At other zooms below 3, pixels would become squares of unequal size, which look worse than a soft picture.
      canvas.classList.toggle("sharp", Number.isInteger(zoom) || zoom >= 3);
    }
  }
  byId("zoom").textContent = `${Math.round(zoom * 100)} %`;
}

/** Rounds a position to a whole pixel of the screen, because a picture at 100 % would be blurred between two. */
const whole = (position) => Math.round(position * ratio()) / ratio();

function setZoom(zoom, anchor) {
  const before = zoomNow();
  const after = Math.min(LARGEST, Math.max(0.02, zoom));
  if (anchor) {
    // The point of the picture under the pointer stays there.
    const [x, y] = anchor;
    const by = ratio() / before - ratio() / after;
    moveTo(anchor.pane, x * by, y * by);
  }
  state.zoom = String(Number(after.toPrecision(6)));
  arrange();
  writeAddress();
}

/** Moves the place by pixels of that pane's picture. */
function moveTo(pane, dx, dy) {
  const { width, height } = pane.layers.at(-1);
  if (!width) return;
  const [x, y] = placeNow();
  const clamped = (value) => Number(Math.min(1, Math.max(0, value)).toFixed(5));
  state.at = `${clamped(x + dx / width)},${clamped(y + dy / height)}`;
}

function pan(pane, dx, dy) {
  if (!pane) return;
  const scale = zoomNow() / ratio();
  moveTo(pane, dx / scale, dy / scale);
  arrange();
  writeAddress();
}

function fit() {
  state.zoom = "";
  state.at = "";
  arrange();
  writeAddress();
}

/** Returns the pointer's position relative to the middle of a pane. */
function anchorAt(pane, event) {
  const box = pane.element.getBoundingClientRect();
  return Object.assign([event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2], { pane });
}

/** Lets wheel, dragging, pinching and double clicks on a pane move all panes. */
function listen(pane) {
  const pointers = new Map();
  const { element } = pane;
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    setZoom(zoomNow() * 2 ** (-event.deltaY / (event.deltaMode ? 10 : 300)), anchorAt(pane, event));
  }, { passive: false });
  element.addEventListener("dblclick", (event) => {
    if (state.zoom) fit();
    else setZoom(Math.max(1, fitting() * 2), anchorAt(pane, event));
  });
  element.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => drag(pane, pointers, event));
  const lift = (event) => pointers.delete(event.pointerId);
  element.addEventListener("pointerup", lift);
  element.addEventListener("pointercancel", lift);
}

function drag(pane, pointers, event) {
  const last = pointers.get(event.pointerId);
  if (!last) return;
  const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
  if (other) {
    const apart = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY) || 1;
    setZoom(zoomNow() * (apart(event) / apart(last)), anchorAt(pane, event));
  } else pan(pane, last.clientX - event.clientX, last.clientY - event.clientY);
  pointers.set(event.pointerId, event);
}
