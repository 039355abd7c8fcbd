// Draws the charts of a report with uPlot from the numbers in #data, again when the theme or the width changes.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null; // by the button, else the system's
  let axis = "bytes";
  let drawn = [];

  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const isDark = () => (chosen === null ? prefersDark.matches : chosen === "dark");
  const short = (x) => (x === null || x === undefined ? "" : Number(x).toPrecision(3));
  const powers = (u, ticks) => ticks.map((t) => {
    if (t === null || t <= 0) return "";
    const power = Math.log10(t);
    return Math.abs(power - Math.round(power)) > 1e-6 ? "" : t >= 0.001 && t < 10000 ? String(Number(t.toPrecision(3))) : "1e" + Math.round(power);
  });

  // Of a logarithmic axis only whole powers of ten get lines and names.
  const decades = (u, splits) => splits.map((v) => (v > 0 && Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6 ? v : null));

  function axes(xLabel, yLabel, more) {
    const line = { stroke: colour("line"), width: 1 };
    const one = (label, size) => ({ label: label, stroke: colour("soft"), grid: line, ticks: line, size: size, labelSize: 22,
      font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" });
    const made = [Object.assign(one(xLabel, 44), more.x || {}), Object.assign(one(yLabel, 64), more.y || {})];
    if (more.log) {
      made[1].values = powers;
      made[1].filter = decades;
      made[1].grid = made[1].ticks = Object.assign({ filter: decades }, line);
    }
    return made;
  }

  // Points of several series, each with its own x, as uPlot wants them: one ascending x, gaps elsewhere.
  function joined(series) {
    const xs = Array.from(new Set(series.flatMap((s) => s.map((p) => p.x)))).sort((a, b) => a - b);
    return [xs].concat(series.map((s) => {
      const by = new Map(s.map((p) => [p.x, p.y]));
      return xs.map((x) => (by.has(x) ? by.get(x) : null));
    }));
  }

  // Names beside points.
  function labels(points) {
    return (u) => {
      const c = u.ctx;
      c.save();
      c.fillStyle = colour("ink");
      c.font = 12 * devicePixelRatio + "px system-ui, sans-serif";
      for (const p of points) {
        const x = u.valToPos(p.x, "x", true), right = x > u.bbox.left + 0.88 * u.bbox.width;
        c.textAlign = right ? "right" : "left";
        c.fillText(p.label, x + (right ? -8 : 8) * devicePixelRatio, u.valToPos(p.y, "y", true) - 7 * devicePixelRatio);
      }
      c.restore();
    };
  }

  const charts = {
    pareto(place) {
      const scale = axis === "bytes" ? 1e-6 : 1;
      const points = (list) => list.map((p) => ({ x: p[axis] * scale, y: p.kld, label: p.label }));
      const frontier = points(data.pareto.frontier), uniform = points(data.pareto.uniform), pick = points(data.pareto.chosen);
      if (!place.querySelector(".switch")) {
        const bar = document.createElement("div");
        bar.className = "switch";
        for (const [key, name] of [["bytes", "Size"], ["ms", "Time a token"]]) {
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = name;
          button.addEventListener("click", () => { axis = key; drawAll(); });
          button.dataset.axis = key;
          bar.append(button);
        }
        place.append(bar);
      }
      for (const button of place.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.axis === axis));
      const dots = (name, size, paint, line) => ({ label: name, stroke: paint, width: line ? 2 : 0, paths: line ? undefined : () => null, spanGaps: true,
        points: { show: true, size: size, fill: paint, stroke: paint }, value: (u, v) => short(v) });
      return {
        options: {
          height: 380, scales: { x: { time: false, range: (u, low, high) => [low - 0.04 * (high - low), high + 0.04 * (high - low)] }, y: { distr: 3 } },
          axes: axes(axis === "bytes" ? "weights, MB" : "ms a token", "KL from the original, nats", { log: true }),
          series: [{ label: axis === "bytes" ? "MB" : "ms", value: (u, v) => short(v) }, dots("frontier, expected", 5, colour("accent"), true),
            dots("uniform schemes, expected", 7, colour("soft"), false), dots("chosen, measured", 12, colour("warm"), false)],
          hooks: { draw: [labels(uniform.concat(pick))] },
        },
        values: joined([frontier, uniform, pick]),
      };
    },
    walk(place) {
      const steps = data.walk;
      return {
        options: {
          height: 300, scales: { x: { time: false }, y: { distr: 3 } },
          axes: axes("units converted", "KL from the original, nats", { log: true }),
          series: [{ label: "units" }, { label: "expected", stroke: colour("accent"), width: 2, points: { show: false }, value: (u, v) => short(v) },
            { label: "measured", stroke: colour("warm"), width: 0, paths: () => null, points: { show: true, size: 8, fill: colour("warm") }, value: (u, v) => short(v) }],
        },
        values: [steps.map((s, i) => i + 1), steps.map((s) => s.kld), steps.map((s) => (s.measured === undefined ? null : s.measured))],
      };
    },
    kld(place) {
      const all = data.kld;
      if (all.length === 0) return null;
      const edges = all[0].edges, paints = ["accent", "warm", "soft", "good", "bad"];
      // Bin i ends at edge i; positions on a plain axis, named by powers of ten.
      const used = all[0].shares.map((x, i) => i).filter((i) => all.some((s) => s.shares[i] > 0));
      const first = Math.max(0, used[0] - 1), last = Math.min(edges.length, used[used.length - 1] + 1);
      const bins = []; for (let i = first; i <= last; i++) bins.push(i);
      return {
        options: {
          height: 300, scales: { x: { time: false, range: [first - 1, last + 1] }, y: { range: (u, low, high) => [0, high * 1.08] } },
          axes: axes("KL divergence of a position, nats", "share of positions", {
            x: { splits: () => bins.filter((i) => i < edges.length && Math.abs(Math.log10(edges[i]) - Math.round(Math.log10(edges[i]))) < 1e-6),
              values: (u, ticks) => ticks.map((i) => powers(u, [edges[i]])[0]) },
            y: { values: (u, ticks) => ticks.map((t) => (100 * t).toFixed(t < 0.1 ? 1 : 0) + " %") } }),
          series: [{ label: "below", value: (u, v) => (v === null || v >= edges.length ? "" : short(edges[v])) }].concat(all.map((s, k) => ({
            label: s.name, stroke: colour(paints[k % paints.length]), fill: colour(paints[k % paints.length]) + (all.length > 1 ? "55" : "99"), width: 1,
            paths: uPlot.paths.bars({ size: [0.92, 64], align: -1 }), points: { show: false }, value: (u, v) => (v === null ? "" : (100 * v).toFixed(2) + " %") }))),
        },
        values: [bins].concat(all.map((s) => bins.map((i) => s.shares[i]))),
      };
    },
  };

  function drawAll() {
    for (const chart of drawn) chart.destroy();
    drawn = [];
    for (const place of document.querySelectorAll("[data-chart]")) {
      const made = place.clientWidth > 0 ? charts[place.dataset.chart](place) : null;
      if (made === null) continue;
      made.options.width = place.clientWidth;
      drawn.push(new uPlot(made.options, made.values, place));
      place.dataset.drawn = "yes";
    }
  }

  function paint() {
    root.dataset.theme = isDark() ? "dark" : "light";
    drawAll();
  }

  document.getElementById("theme").addEventListener("click", () => { chosen = isDark() ? "light" : "dark"; paint(); });
  prefersDark.addEventListener("change", paint);
  for (const fold of document.querySelectorAll("details")) fold.addEventListener("toggle", () => { if (fold.querySelector("[data-chart]")) drawAll(); });
  let waiting = 0;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 150); });
  // Paper is white, and nothing on it can be unfolded.
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = chosen;
    chosen = "light";
    for (const fold of document.querySelectorAll("main details:not([open])")) { fold.open = true; fold.dataset.folded = "yes"; }
    paint();
  });
  window.addEventListener("afterprint", () => {
    chosen = before;
    for (const fold of document.querySelectorAll("[data-folded]")) { fold.open = false; delete fold.dataset.folded; }
    paint();
  });
  paint();
})();
