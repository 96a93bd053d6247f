// The filter: a run is shown if it meets every word of the query; the help of the page explains the words.

const TERM = /(-?)(?:"([^"]*)"?|([^\s"<>=!~]+)(<=|>=|!=|=|<|>|~)(?:"([^"]*)"?|(\S*))|(\S+))/g;
const COMPARE = {
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
};

/** Parses a query and returns {test: run -> boolean, unknown: keys that no run has}. */
function parsed(query) {
  const tests = [];
  const unknown = [];
  for (const [, minus, quoted, key, sign, quotedValue, value, bare] of query.matchAll(TERM)) {
    const word = quoted ?? bare;
    let test;
    if (word !== undefined) test = containing(word);
    else {
      const keys = matching(key);
      if (!keys.length) unknown.push(key);
      test = comparing(keys, sign, quotedValue ?? value);
    }
    tests.push(minus ? (run) => !test(run) : test);
  }
  return { test: (run) => tests.every((test) => test(run)), unknown };
}

function containing(word) {
  const wanted = word.toLowerCase();
  return (run) => run.haystack.includes(wanted);
}

/** Returns the key of that name, else all keys that end in the name, else all keys that contain it. */
function matching(name) {
  const wanted = name.toLowerCase();
  const keys = allKeys();
  const exact = keys.filter((key) => key.toLowerCase() === wanted || label(key) === wanted);
  if (exact.length) return exact;
  const ending = keys.filter((key) => key.toLowerCase().endsWith(`.${wanted}`));
  return ending.length ? ending : keys.filter((key) => key.toLowerCase().includes(wanted));
}

function comparing(keys, sign, wanted) {
  if (sign === "!=") {
    const equal = comparing(keys, "=", wanted);
    return (run) => !equal(run);
  }
  return (run) => keys.some((key) => holds(valueOf(run, key), sign, wanted));
}

function holds(value, sign, wanted) {
  if (value === undefined) return false;
  if (sign in COMPARE) return typeof value === "number" && wanted !== "" && COMPARE[sign](value, Number(wanted));
  const written = text(value).toLowerCase();
  if (sign === "~") return written.includes(wanted.toLowerCase());
  return written === wanted.toLowerCase() || (typeof value === "number" && wanted !== "" && value === Number(wanted));
}

/** Returns the word of a query that selects this value of a key. */
function asking(key, value) {
  const written = text(value).replaceAll('"', "");
  const quoted = written && !/\s/.test(written) ? written : `"${written}"`;
  return /[\s"<>=!~]/.test(key) ? quoted : `${key}=${quoted}`;
}

/** Adds a word to a query, or removes it if the query has it. */
function toggled(query, word) {
  const padded = ` ${query.trim()} `;
  return (padded.includes(` ${word} `) ? padded.replace(` ${word} `, " ") : `${padded}${word}`).trim();
}
