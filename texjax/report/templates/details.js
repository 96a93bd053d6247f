// The panel with information about the runs in the viewer: status, numbers, differences, curves, commands, settings.

function showDetails(shownRuns) {
  const several = shownRuns.length > 1;
  byId("details").replaceChildren(
    ...(several ? [section("Differences", differences(shownRuns)), section("Loss", curvesOf(shownRuns))] : []),
    ...shownRuns.flatMap((run) => aboutRun(run, several)),
  );
}

function section(name, ...content) {
  const inside = content.filter(Boolean);
  return inside.length ? make("section", {}, make("h3", {}, name), ...inside) : "";
}

function aboutRun(run, several) {
  const parts = [
    run.error ? make("p", { className: "error" }, run.error) : null,
    numbers(run),
    several ? null : curvesOf([run]),
    several ? null : comparison(run),
    run.movies.length ? movies(run) : null,
    run.command ? command(run) : null,
    several ? null : config(run),
  ];
  return [section(run.id, make("p", {}, badge(run.status)), ...parts)];
}

function definitions(pairs) {
  return make("dl", {}, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function numbers(run) {
  const keys = ["loss", "steps", "seconds", "memory", ...Object.keys(run.measures)];
  const pairs = keys.filter((key) => has(run, key)).map((key) => [label(key), shown(run, key)]);
  const pictures = [...run.content, ...run.sources].map(picture)
    .map(({ name, src }) => (src ? name : `${name} (the file is gone)`));
  return definitions(pictures.length ? [["made from", pictures.join(", ")], ...pairs] : pairs);
}

/** Makes a table of the keys that differ among several runs, with the value of each run. */
function differences(shownRuns) {
  const keys = differing(shownRuns);
  if (!keys.length) return make("p", {}, "The runs have the same settings.");
  const head = make("tr", {}, ...shownRuns.map((run) => make("th", { scope: "col" }, run.id)));
  const rows = keys.flatMap((key) => [
    make("tr", {}, make("th", { scope: "rowgroup", colSpan: shownRuns.length }, key)),
    make("tr", {}, ...shownRuns.map((run) => {
      const unequal = !same(valueOf(run, key), valueOf(shownRuns[0], key));
      return make("td", { className: unequal ? "unequal" : "" }, shown(run, key));
    })),
  ]);
  return make("div", { className: "scroll" }, tableOf("", head, rows));
}

/** Lists the differences between a run and the chosen reference run, or the run's swept keys if none is chosen. */
function comparison(run) {
  const choice = make("select", { onchange: () => { state.ref = choice.value; refresh(); } });
  const others = runs.filter((other) => other !== run);
  fill(choice, [["", "no run"], ...others.map((other) => [other.id, other.id])], state.ref);
  const reference = byName.get(state.ref);
  const keys = reference && reference !== run ? differing([reference, run]) : Object.keys(run.swept);
  const rows = keys.map((key) => [key, reference && reference !== run ? change(run, reference, key) : shown(run, key)]);
  return make("div", {}, make("label", { className: "choice" }, make("span", {}, "Compare with"), choice),
    rows.length ? definitions(rows) : make("p", {}, reference ? "Both runs have the same settings." : ""));
}

function change(run, reference, key) {
  return make("span", {}, make("del", {}, shown(reference, key)), " → ", make("ins", {}, shown(run, key)));
}

function movies(run) {
  const opened = { target: "_blank", rel: "noopener" };
  const links = run.movies.map((href, i) => make("a", { href, ...opened }, `animation ${i + 1} `));
  return make("p", {}, "Movies: ", ...links);
}

function command(run) {
  const told = button("Copy", () => copy(run.command, told));
  told.setAttribute("aria-live", "polite");
  return make("div", { className: "command" }, make("div", {}, make("span", {}, "Command"), told),
    make("pre", { tabIndex: 0 }, make("code", {}, run.command)));
}

function config(run) {
  const common = run.begun ? Object.entries(data.common).map(([key, value]) => [key, text(value)]) : [];
  const own = Object.entries(run.config).map(([key, value]) => [key, make("b", {}, text(value))]);
  const pairs = [...common, ...own].sort(([a], [b]) => collator.compare(a, b));
  return pairs.length ? make("details", {}, make("summary", {}, "All settings"), definitions(pairs)) : null;
}
