// The keys by which runs are filtered, sorted and arranged: swept keys, facts of a run, measures, and config keys.

let data, runs, byName, fields;

const OWN = {
  id: (run) => run.id,
  source: (run) => sourceOf(run),
  status: (run) => run.status,
  loss: (run) => run.loss ?? undefined,
  seconds: (run) => run.seconds ?? undefined,
  memory: (run) => run.peak_bytes ?? undefined,
  steps: (run) => run.steps ?? undefined,
};
const LABELS = { id: "run", loss: "final loss", seconds: "time", memory: "peak memory" };
const SHOWN = { seconds: duration, memory };

function load(found) {
  data = found;
  runs = data.runs;
  byName = new Map(runs.map((run) => [run.id, run]));
  fields = grouped();
  for (const run of runs) run.haystack = haystack(run);
}

const picture = (index) => data.pictures[index];

function sourceOf(run) {
  const names = run.sources.map((index) => picture(index).name);
  return names.length ? names.join(", ") : run.swept.source;
}

/** Returns the keys of a mapping that every run has, such as its config, in order of their first appearance. */
function keysOf(of, among = runs) {
  return [...new Set(among.flatMap((run) => Object.keys(of(run))))];
}

/** Returns {group: keys}. A key of a group that is swept as a whole stands for all keys below it. */
function grouped() {
  const swept = keysOf((run) => run.swept).filter((key) => key !== "source");
  const below = (key) => swept.some((other) => key === other || key.startsWith(`${other}.`));
  return {
    Swept: swept,
    Run: Object.keys(OWN),
    Measures: keysOf((run) => run.measures).sort(collator.compare),
    "Config, differing": keysOf((run) => run.config).filter((key) => !below(key)).sort(collator.compare),
    "Config, common": Object.keys(data.common).filter((key) => !below(key)).sort(collator.compare),
  };
}

const allKeys = () => Object.values(fields).flat();

const label = (key) => LABELS[key] ?? key;

/** Returns the value of a run for a key; undefined if it has none. */
function valueOf(run, key) {
  if (Object.hasOwn(OWN, key)) return OWN[key](run);
  if (Object.hasOwn(run.swept, key)) return run.swept[key];
  if (Object.hasOwn(run.measures, key)) return run.measures[key] ?? undefined;
  if (Object.hasOwn(run.config, key)) return run.config[key];
  if (run.begun && Object.hasOwn(data.common, key)) return data.common[key];
  return nested(run, key);
}

const has = (run, key) => valueOf(run, key) !== undefined;

/** Returns a group of the run's config, such as the layers of a term, which other runs sweep as a whole. */
function nested(run, key) {
  if (!run.begun) return undefined;
  const prefix = `${key}.`;
  const pairs = [...Object.entries(data.common), ...Object.entries(run.config)]
    .filter(([name]) => name.startsWith(prefix));
  if (!pairs.length) return undefined;
  return Object.fromEntries(pairs.map(([name, value]) => [name.slice(prefix.length), value]));
}

/** Returns the value of a run for a key as text. */
function shown(run, key) {
  const value = valueOf(run, key);
  return Object.hasOwn(SHOWN, key) ? SHOWN[key](value) : text(value);
}

function haystack(run) {
  const settings = Object.entries({ ...run.config, ...run.swept }).flat();
  return [run.id, run.status, sourceOf(run), run.error, ...settings].map(text).join("\n").toLowerCase();
}

/** Returns the keys whose values differ among these runs, swept keys first. */
function differing(among) {
  const keys = ["source", ...fields.Swept, ...fields["Config, differing"]];
  return keys.filter((key) => among.some((run) => !same(valueOf(run, key), valueOf(among[0], key))));
}

/** Returns the keys that can be the columns or rows of the grid, by group. */
function axes() {
  const differ = fields["Config, differing"];
  return { Swept: fields.Swept, Run: ["source", "status"], "Config, differing": differ };
}
