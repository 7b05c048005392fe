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
    if (name in store.said) found = found[Number(chosen(name) ?? 0)];
    found = found.filter(kept);
    if (name === "findings" && chosen(name)) found = found.filter((record) => record.paper === chosen(name));
    return name === "inversions" ? found.slice(0, store.most) : found;
  }

  // ast: expressions are interpreted, so that the page needs no eval and its policy allows none.
  const embed = (box, spec) => vegaEmbed(box, spec, { ast: true, actions: false, renderer: "svg" });

  // On a phone a legend of many colours would push its chart off the screen: it is folded beside it. Returns the
  // specification without it, or as it is where nothing is folded.
  const MANY = 12;
  function fold(spec, box) {
    const scale = (legend) => spec.scales?.find(({ name }) => name === (legend.fill ?? legend.stroke));
    const long = (legend) => !legend.shape && !legend.strokeDash && scale(legend)?.domain.length > MANY;
    const folded = (spec.legends ?? []).filter(long);
    if (!folded.length || !matchMedia("(max-width: 600px)").matches) return spec;
    const { domain, range } = scale(folded[0]);
    const details = document.createElement("details");
    details.className = "legend";
    details.append(document.createElement("summary"), document.createElement("ul"));
    details.firstChild.textContent = `Colours: ${domain.length}`;
    domain.forEach((name, i) => {
      const entry = document.createElement("li");
      entry.append(document.createElement("i"), name);
      entry.firstChild.style.background = range[i % range.length];
      details.lastChild.append(entry);
    });
    box.parentElement.before(details);
    return { ...spec, legends: spec.legends.filter((legend) => !long(legend)) };
  }

  async function draw(id) {
    const box = document.getElementById(`chart-${id}`);
    const { spec, names } = store.charts[id];
    for (const data of spec.data) if (names.includes(data.name)) data.values = records(data.name);
    try {
      const shown = fold(spec, box);
      const done = await embed(box, shown);
      views.set(id, { view: done.view, names, box, drawn: names.map(records), folded: shown !== spec });
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
      for (const button of document.querySelectorAll(`button[data-of="${id}"]`)) button.disabled = none;
      // What has not changed is left alone; without a record axes would have no ends, so the chart is covered instead.
      if (none || found.every((list, i) => same(list, shown.drawn[i]))) continue;
      shown.names.forEach((name, i) => shown.view.data(name, found[i]));
      shown.drawn = found;
      work.push(shown.view.runAsync());
    }
    for (const table of document.querySelectorAll(`${only ? `#${only} ` : ""}.table > table`)) lay(table);
    const shown = passes.slice(0, store.cases).filter(Boolean).length;
    const said = document.getElementById("shown");
    if (said) said.textContent = `${shown} of ${store.cases} cases shown`;
    await Promise.all(work);
  }

  // Of a table what passes the filter and the view's select, a page at a time; `to` is the page to turn to.
  const pages = new Map();
  function lay(table, to = 0) {
    const group = chosen(table.closest("section").id);
    const passing = [];
    for (const row of table.tBodies[0].rows) {
      const { on, group: own } = row.dataset;
      row.hidden =
        (on !== undefined && on !== "" && !on.split(" ").every((subject) => passes[subject])) ||
        (own !== undefined && Boolean(group) && own !== group);
      if (!row.hidden) passing.push(row);
    }
    const bar = table.parentElement.nextElementSibling;
    if (!bar?.matches(".pages")) return;
    const size = Number(bar.dataset.rows);
    const last = Math.max(0, Math.ceil(passing.length / size) - 1);
    const page = Math.min(Math.max(to, 0), last);
    pages.set(bar, page);
    passing.forEach((row, i) => row.classList.toggle("later", Math.floor(i / size) !== page));
    bar.hidden = last === 0;
    const end = Math.min(passing.length, (page + 1) * size);
    bar.querySelector("output").textContent = `${page * size + 1} to ${end} of ${passing.length}`;
    const [back, on] = bar.querySelectorAll("button");
    back.disabled = page === 0;
    on.disabled = page === last;
  }

  // What is shown, as a file: the chart on white, or its records.
  const WHITE = "#ffffff";
  const DRAWING = new Set(["on", "side", "line", "place", "rank", "column", "mover", "believed", "shown", "order",
    "total"]);
  async function save(id, kind) {
    if (!views.has(id)) return undefined; // it could not be drawn
    const { view: shown, names, box, folded } = views.get(id);
    const name = `${id}.${kind}`;
    if (kind === "csv") return hand(new Blob([csv(records(names[0]))], { type: "text/csv" }), name);
    const view = folded ? await whole(id, box) : shown;
    if (kind === "svg") {
      const svg = await view.toSVG();
      const white = svg.replace(/^<svg[^>]*>/, (head) => `${head}<rect width="100%" height="100%" fill="${WHITE}"/>`);
      return hand(new Blob([white], { type: "image/svg+xml" }), name);
    }
    const canvas = await view.toCanvas(2);
    const paper = canvas.getContext("2d");
    paper.setTransform(1, 0, 0, 1, 0, 0);
    paper.globalCompositeOperation = "destination-over";
    paper.fillStyle = WHITE;
    paper.fillRect(0, 0, canvas.width, canvas.height);
    return hand(await new Promise((done) => canvas.toBlob(done, "image/png")), name);
  }

  // The chart once more, with the legend that is folded on the page.
  async function whole(id, box) {
    const { spec, names } = store.charts[id];
    for (const data of spec.data) if (names.includes(data.name)) data.values = records(data.name);
    const aside = document.body.appendChild(document.createElement("div"));
    aside.className = "aside";
    aside.style.width = `${box.clientWidth}px`;
    const { view } = await embed(aside, spec);
    aside.remove();
    return view;
  }

  function hand(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  function csv(found) {
    const columns = Object.keys(found[0] ?? {}).filter((key) => !DRAWING.has(key));
    const lines = [columns, ...found.map((record) => columns.map((key) => record[key]))];
    return lines.map((line) => line.map(cell).join(",")).join("\n") + "\n";
  }

  // As bench.base.escape.csv_guard: a spreadsheet runs no cell of it, and a number stays one.
  const FORMULA = /^[=+\-@\t\r\n＝＋－＠]./s;
  const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?$/;
  function cell(value) {
    let text = String(value ?? "");
    if (typeof value === "string") {
      const bare = text.replace(/^'+/, "");
      if (FORMULA.test(bare) && !NUMBER.test(bare)) text = `'${text}`;
    }
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  const same = (a, b) => a.length === b.length && a.every((record, i) => record === b[i]);

  // A select offers what the filter lets through, moves on from what it does not, and comes back to what was chosen.
  function offer() {
    const open = {
      history: (i) => passes[store.series[i].on],
      findings: () => true,
    };
    for (const name of Object.keys(store.said)) open[name] = (i) => store.datasets[name][i].some(kept);
    for (const pick of document.querySelectorAll("select[data-chart]")) {
      for (const option of pick.options) option.disabled = !open[pick.dataset.chart](Number(option.value));
      const options = [...pick.options].filter((option) => !option.disabled);
      const next = options.find((option) => option.value === (pick.dataset.wanted ?? "0")) ?? options[0];
      if (next) pick.value = next.value;
    }
  }

  const heads = () => {
    for (const [name, said] of Object.entries(store.said)) {
      const place = document.getElementById(`said-${name}`);
      if (place) place.textContent = said[Number(chosen(name) ?? 0)] ?? "";
    }
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
    document.addEventListener("click", (event) => {
      const { save: kind, of, step } = event.target.dataset ?? {};
      if (kind) save(of, kind);
      if (!step) return;
      const bar = event.target.closest(".pages");
      lay(bar.previousElementSibling.querySelector("table"), pages.get(bar) + Number(step));
    });
    // A turned phone: Vega draws for the new width, and after that the room for names and legends is another, too.
    let turning;
    window.addEventListener("resize", () => {
      clearTimeout(turning);
      turning = setTimeout(() => Promise.all([...views.values()].map(({ view }) => view.resize().runAsync())), 100);
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
