"use strict";
// The page's behaviour: draws every chart once, and exchanges its records when somebody filters or chooses.
(() => {
  const store = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const { dimensions, codes } = store.facets;
  const views = new Map(); // chart -> Vega view
  let passes = codes.map(() => true);

  const chosen = (id) => document.getElementById(`pick-${id}`)?.value;
  const kept = (record) => !record.on || record.on.every((subject) => passes[subject]);

  const unpack = ({ days, ms }) => days.map((day, i) => ({ day: store.dates[day], date: store.dates[day], ms: ms[i] }));

  // Records of a data set as filter and select leave them. A series over the nights is unpacked when it is drawn.
  function records(name) {
    if (["nights", "levels", "moves"].includes(name)) {
      const series = store.series[Number(chosen("history") ?? 0)];
      if (!series || !passes[series.on]) return [];
      return name === "nights" ? (series.nights ??= unpack(series)) : series[name];
    }
    let found = store.datasets[name];
    if (name === "ranks") found = found[Number(chosen("ranks") ?? 0)];
    found = found.filter(kept);
    return name === "inversions" ? found.slice(0, store.most) : found;
  }

  async function draw(id) {
    const box = document.getElementById(`chart-${id}`);
    const { spec, names } = store.charts[id];
    for (const data of spec.data) if (names.includes(data.name)) data.values = records(data.name);
    try {
      // ast: expressions are interpreted, so that the page needs no eval and its policy allows none.
      const done = await vegaEmbed(box, spec, { ast: true, actions: false, renderer: "svg" });
      views.set(id, { view: done.view, names, box, drawn: names.map(records) });
      box.querySelector("svg")?.setAttribute("aria-hidden", "true");
    } catch (error) {
      box.textContent = `This chart could not be drawn: ${error.message}`;
      console.error(error);
    }
  }

  async function refresh(only) {
    const work = [];
    offer();
    heads();
    for (const [id, shown] of views) {
      if (only && id !== only) continue;
      const found = shown.names.map(records);
      const none = !found[0].length;
      shown.box.classList.toggle("empty", none);
      // What has not changed is left alone; without a record axes would have no ends, so the chart is covered instead.
      if (none || found.every((list, i) => same(list, shown.drawn[i]))) continue;
      shown.names.forEach((name, i) => shown.view.data(name, found[i]));
      shown.drawn = found;
      work.push(shown.view.runAsync());
    }
    for (const row of document.querySelectorAll("tr[data-on]")) {
      row.hidden = !row.dataset.on.split(" ").every((subject) => passes[subject]);
    }
    const shown = passes.slice(0, store.cases).filter(Boolean).length;
    const said = document.getElementById("shown");
    if (said) said.textContent = `${shown} of ${store.cases} cases shown`;
    await Promise.all(work);
  }

  const same = (a, b) => a.length === b.length && a.every((record, i) => record === b[i]);

  // A select offers what the filter lets through, moves on from what it does not, and comes back to what was chosen.
  function offer() {
    const open = {
      ranks: (i) => store.datasets.ranks[i].some(kept),
      history: (i) => passes[store.series[i].on],
    };
    for (const pick of document.querySelectorAll("select[data-chart]")) {
      for (const option of pick.options) option.disabled = !open[pick.dataset.chart](Number(option.value));
      const options = [...pick.options].filter((option) => !option.disabled);
      const next = options.find((option) => option.value === (pick.dataset.wanted ?? "0")) ?? options[0];
      if (next) pick.value = next.value;
    }
  }

  const heads = () => {
    const said = document.getElementById("agree");
    if (said) said.textContent = store.agree[Number(chosen("ranks") ?? 0)] ?? "";
  };

  function filter() {
    const start = performance.now();
    const allowed = dimensions.map(({ name, values }) => {
      const boxes = [...document.querySelectorAll(`input[data-dimension="${name}"]`)];
      if (!boxes.length || boxes.every((box) => box.checked)) return null;
      const set = new Set(boxes.filter((box) => box.checked).map((box) => Number(box.value)));
      return values.map((_, code) => set.has(code));
    });
    passes = codes.map((subject) =>
      subject.every((code, d) => {
        if (!allowed[d]) return true;
        if (Array.isArray(code)) return !code.length || code.some((one) => allowed[d][one]);
        return allowed[d][code];
      }),
    );
    dimensions.forEach(({ name }, d) => {
      const holder = document.getElementById(`filter-${name}`);
      if (!holder) return;
      holder.classList.toggle("set", Boolean(allowed[d]));
      const count = allowed[d] ? `${allowed[d].filter(Boolean).length} of ${allowed[d].length}` : "all";
      holder.querySelector("summary span").textContent = count;
    });
    return refresh().then(() => performance.measure("filter", { start, end: performance.now() }));
  }

  function listen() {
    const form = document.getElementById("filters");
    form?.addEventListener("change", filter);
    form?.addEventListener("submit", (event) => event.preventDefault());
    form?.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-all]");
      if (!button) return;
      const boxes = button.closest("fieldset").querySelectorAll("input");
      const on = button.dataset.all === "1";
      for (const box of boxes) box.checked = on;
      filter();
    });
    const open = () => [...document.querySelectorAll(".filter[open]")];
    document.addEventListener("click", (event) => {
      for (const one of open()) if (!one.contains(event.target)) one.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const one of open()) {
        one.open = false;
        one.querySelector("summary").focus();
      }
    });
    for (const pick of document.querySelectorAll("select[data-chart]")) {
      pick.addEventListener("change", () => {
        pick.dataset.wanted = pick.value;
        refresh(pick.dataset.chart);
      });
    }
  }

  function theme() {
    const button = document.getElementById("theme");
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const is = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
    const tell = () => {
      button.textContent = is() ? "Light" : "Dark";
      button.setAttribute("aria-pressed", String(is()));
      button.setAttribute("aria-label", `Dark colours, ${is() ? "on" : "off"}`);
    };
    button.addEventListener("click", () => {
      root.dataset.theme = is() ? "light" : "dark";
      tell();
    });
    dark.addEventListener("change", tell);
    tell();
  }

  theme();
  listen();
  window.report = { views, filter, refresh };
  window.report.ready = (async () => {
    for (const id of Object.keys(store.charts)) await draw(id);
    await refresh();
    root.dataset.ready = "true";
  })();
})();
