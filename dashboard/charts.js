// @ts-check
// The charts: curves over steps on uPlot, with what a canvas lacks: a legend to press, a cursor for the keyboard, a table.

import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useSignal } from "@preact/signals";
import uPlot from "uplot";
import { number } from "./format.js";
import { isJudged, nameOf, SPLITS, splitOf } from "./metrics.js";

/** @typedef {import("./live.js").Series} Series */
/** @typedef {{title: string, series: Series[], span: [number, number], logY?: boolean, smooth?: number, wide?: boolean,
 *   onZoom: (range: [number, number] | null) => void}} ChartProps */

const TABLE_ROWS = 200;
/** A line of at most this many points shows each of them. */
const DOTTED = 80;

/**
 * Put the series of a job into charts: the parts of a metric together, every other quantity by itself; the metrics come
 * first, in the job's order.
 *
 * @param {Series[]} series
 * @param {string[]} order keys of metrics.
 * @returns {{title: string, series: Series[]}[]}
 */
export function arrange(series, order) {
  const charts = new Map(order.map((key) => [nameOf(key), /** @type {Series[]} */ ([])]));
  for (const one of series) {
    const title = isJudged(one.key) ? nameOf(one.key) : one.key;
    charts.set(title, [...(charts.get(title) ?? []), one]);
  }
  const place = (/** @type {Series} */ one) => SPLITS.indexOf(splitOf(one.key));
  return [...charts]
    .filter(([, members]) => members.length)
    .map(([title, members]) => ({ title, series: members.sort((a, b) => place(a) - place(b)) }));
}

/** One chart with its legend; `span` is the first and the last step that it shows. @param {ChartProps} props */
export function Chart({ title, series, span, logY = false, smooth = 0, wide = false, onZoom }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  const newest = useRef({ series, span });
  newest.current = { series, span };
  const at = useSignal(/** @type {number | null} */ (null));
  const spoken = useSignal("");
  const [hidden, setHidden] = useState(/** @type {string[]} */ ([]));
  const [asTable, setAsTable] = useState(false);
  const theme = useTheme();

  const shown = series.filter((one) => !hidden.includes(one.key));
  const shape = JSON.stringify([shown.map((one) => [one.key, one.sampled]), logY, smooth > 0, wide, asTable, theme]);
  const data = asTable ? null : align(shown, logY, smooth);

  useEffect(() => {
    if (!place.current || !data) return;
    const marks = () => newest.current.series.filter((one) => shown.some((other) => other.key === one.key));
    const few = (/** @type {string} */ key) => (newest.current.series.find((one) => one.key === key)?.step.length ?? 0) <= DOTTED;
    const options = describe(shown, { logY, smooth: smooth > 0, few, span: () => newest.current.span, height: wide ? 300 : 190, width: place.current.clientWidth });
    options.hooks = {
      draw: [(u) => crossOut(u, marks())],
      setCursor: [(u) => (at.value = u.cursor.idx == null ? null : u.data[0][u.cursor.idx])],
      setSelect: [(u) => u.select.width > 4 && zoom.current(selected(u))],
    };
    const chart = new uPlot(options, data, place.current);
    chart.over.addEventListener("dblclick", () => zoom.current(null));
    plot.current = chart;
    const resized = new ResizeObserver(([entry]) => chart.setSize({ width: entry.contentRect.width, height: options.height }));
    resized.observe(place.current);
    return () => {
      resized.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    if (plot.current && data && plot.current.series.length === data.length) plot.current.setData(data);
  }, [series, smooth]);

  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity }[event.key];
    const chart = plot.current;
    if (move === undefined || !chart) return;
    event.preventDefault();
    const steps = chart.data[0];
    const index = Math.max(0, Math.min(steps.length - 1, (chart.cursor.idx ?? (move > 0 ? -1 : steps.length)) + move));
    chart.setCursor({ left: chart.valToPos(steps[index], "x"), top: 10 });
    spoken.value = `step ${steps[index]}: ${series.map((one) => `${one.key} ${reading(one, steps[index])}`).join(", ")}`;
  };
  const toggle = (/** @type {string} */ key) =>
    setHidden(hidden.includes(key) ? hidden.filter((other) => other !== key) : [...hidden, key]);
  const sampled = series.find((one) => one.sampled);
  const label = `${title} over steps: ${series.map((one) => `${one.key}, last ${reading(one, null)}`).join("; ")}`;

  return html`<figure class=${`chart card ${wide ? "wide" : ""}`}>
    <figcaption>
      <h2>${title}</h2>
      <div class="legend">
        ${series.map(
          (one) => html`<button class="key" aria-pressed=${!hidden.includes(one.key)} title="Show or hide" onClick=${() => toggle(one.key)}>
            <i class=${`swatch ${tone(one.key)}`}></i>${series.length > 1 ? one.key : ""} <b>${reading(one, at.value)}</b>
          </button>`,
        )}
        ${series.filter((one) => one.nonfinite.length).map(
          (one) => html`<span class="odd">✕ ${one.key} is ${one.nonfinite[0].value} at step ${number(one.nonfinite[0].step)}${
            one.nonfinite.length > 1 ? ` and at ${number(one.nonfinite.length - 1)} more` : ""
          }</span>`,
        )}
      </div>
      <button class="quiet" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>
    </figcaption>
    ${asTable
      ? html`<${Table} series=${shown} />`
      : html`<div class="plot" ref=${place} tabindex="0" role="img" aria-label=${label} onKeyDown=${onKeyDown}></div>`}
    <footer>
      <span>${at.value === null ? "" : `step ${number(at.value)}`}</span>
      ${sampled && html`<span class="sampled">Sampled from ${number(sampled.points)} points${
        sampled.bucket_steps ? `, ${number(sampled.bucket_steps)} steps each` : ""
      }: mean, smallest and largest. Drag to zoom in.</span>`}
    </footer>
    <div class="visually-hidden" role="status" aria-live="polite">${spoken}</div>
  </figure>`;
}

/** The points as a table, thinned out evenly where there are many. @param {{series: Series[]}} props */
function Table({ series }) {
  const all = [...new Set(series.flatMap((one) => one.step))].sort((a, b) => a - b);
  const every = Math.ceil(all.length / TABLE_ROWS);
  const steps = all.filter((_, index) => index % every === 0 || index === all.length - 1);
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Data table">
    <table>
      ${every > 1 && html`<caption>Every ${number(every)}th of ${number(all.length)} rows</caption>`}
      <thead><tr><th scope="col">step</th>${series.map((one) => html`<th scope="col">${one.key}</th>`)}</tr></thead>
      <tbody>
        ${steps.map((step) => html`<tr><th scope="row">${number(step)}</th>${series.map((one) => html`<td>${exact(one, step)}</td>`)}</tr>`)}
      </tbody>
    </table>
  </div>`;
}

/** @param {Series} one @param {number} step */
function exact(one, step) {
  const index = one.step.indexOf(step);
  return index < 0 ? "" : (one.value[index] === null ? oddAt(one, step) : number(one.value[index]));
}

/** The value at a step or the last one before it; null asks for the last of all. @param {Series} one @param {number | null} step */
function reading(one, step) {
  let index = one.step.length - 1;
  if (step !== null) while (index >= 0 && one.step[index] > step) index--;
  if (index < 0) return "–";
  return one.value[index] === null ? oddAt(one, one.step[index]) : number(one.value[index]);
}

/** @param {Series} one @param {number} step */
const oddAt = (one, step) => one.nonfinite.find((odd) => odd.step === step)?.value ?? "not finite";

/** @param {string} key the class that colours it. */
const tone = (key) => (isJudged(key) ? splitOf(key) : "other");

/** @returns {[number, number]} the selected steps. @param {uPlot} u */
const selected = (u) => [
  Math.max(0, Math.floor(u.posToVal(u.select.left, "x"))),
  Math.ceil(u.posToVal(u.select.left + u.select.width, "x")),
];

/**
 * All columns of the chart on one axis of steps, as `describe` lists them.
 *
 * @param {Series[]} series
 * @param {boolean} logY what is not above 0 is left out: a log axis has no place for it.
 * @param {number} smooth weight of the past, from 0 to below 1.
 * @returns {uPlot.AlignedData}
 */
function align(series, logY, smooth) {
  const positive = (/** @type {(number | null)[]} */ column) =>
    logY ? column.map((value) => (value !== null && value <= 0 ? null : value)) : column;
  const tables = series.map((one) => {
    const line = (one.sampled && one.mean) || one.value;
    const columns = [...(one.sampled ? [one.max ?? line, one.min ?? line] : []), line, ...(smooth && noisy(one) ? [smoothed(line, smooth)] : [])];
    return /** @type {uPlot.AlignedData} */ ([one.step, ...columns.map(positive)]);
  });
  return tables.length ? uPlot.join(tables) : [[]];
}

/** Evaluations and the learning rate are exact; only what a batch measures is smoothed. @param {Series} one */
const noisy = (one) => one.key.startsWith("train/");

/** Exponential moving average that owes nothing to where it started. @param {(number | null)[]} values @param {number} weight */
function smoothed(values, weight) {
  let sum = 0;
  let mass = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}

/**
 * What uPlot is told, in the order of `align`.
 *
 * @param {Series[]} series
 * @param {{logY: boolean, smooth: boolean, few: (key: string) => boolean, span: () => [number, number], width: number,
 *   height: number}} look few, span: asked at every drawing, as a curve grows.
 * @returns {uPlot.Options}
 */
function describe(series, { logY, smooth, few, span, width, height }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
  /** @type {uPlot.Series[]} */
  const lines = [{}];
  /** @type {uPlot.Band[]} */
  const bands = [];
  for (const one of series) {
    const stroke = colour(tone(one.key));
    const edge = { stroke: "transparent", width: 0, points: { show: false } };
    if (one.sampled) {
      bands.push({ series: [lines.length, lines.length + 1], fill: `${stroke}38` });
      lines.push(edge, edge);
    }
    const points = { show: () => few(one.key), size: 5, fill: stroke, width: 0 };
    const faint = smooth && noisy(one);
    lines.push({ stroke: faint ? `${stroke}50` : stroke, width: faint ? 1 : 1.6, points });
    if (faint) lines.push({ stroke, width: 2, points: { show: false } });
  }
  const axis = { stroke: colour("muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  return {
    width,
    height,
    series: lines,
    bands,
    legend: { show: false },
    padding: [10, 10, 0, 0],
    scales: {
      x: { time: false, range: () => (span()[0] < span()[1] ? span() : [span()[0] - 0.5, span()[1] + 0.5]) },
      y: logY ? { distr: 3, range: (_, low, high) => (low === null ? [0.1, 1] : uPlot.rangeLog(low, high, 10, false)) } : {},
    },
    axes: [
      { ...axis, grid: { show: false }, border: { show: true, stroke: colour("edge"), width: 1 }, size: 28, incrs: STEPS },
      { ...axis, grid: { stroke: colour("grid"), width: 1, filter: wholeDecades }, size: 58, values: (_, values) => values.map((v) => (v === null ? "" : number(v))) },
    ],
    cursor: {
      // The charts share a cursor; a selection of one of them is made once.
      sync: { key: "steps", setSeries: false, filters: { pub: (type) => ["mousemove", "mouseleave"].includes(type) } },
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
      y: false,
    },
  };
}

/** On a log axis of several decades a line for each of them is enough. @param {uPlot} u @param {number[]} splits */
const wholeDecades = (u, splits) => {
  const { min = 0, max = 1 } = u.scales.y;
  if (u.scales.y.distr !== 3 || (max ?? 1) / (min || 1) < 200) return splits;
  return splits.map((value) => (value && Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9 ? value : null));
};

/** Steps are whole numbers, so the distances between their ticks are. */
const STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

/** Mark where a value is no number. @param {uPlot} u @param {Series[]} series */
function crossOut(u, series) {
  const { ctx } = u;
  const arm = 4 * devicePixelRatio;
  const y = u.bbox.top + 2 * arm;
  ctx.save();
  ctx.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--bad");
  ctx.lineWidth = 1.8 * devicePixelRatio;
  ctx.beginPath();
  for (const { step } of series.flatMap((one) => one.nonfinite)) {
    const x = u.valToPos(step, "x", true);
    if (x < u.bbox.left - 1 || x > u.bbox.left + u.bbox.width + 1) continue;
    ctx.moveTo(x - arm, y - arm);
    ctx.lineTo(x + arm, y + arm);
    ctx.moveTo(x + arm, y - arm);
    ctx.lineTo(x - arm, y + arm);
  }
  ctx.stroke();
  ctx.restore();
}

/** Whether the reader prefers dark, and again when that changes: a canvas does not restyle itself. */
function useTheme() {
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const listen = () => setDark(query.matches);
    query.addEventListener("change", listen);
    return () => query.removeEventListener("change", listen);
  }, []);
  return dark;
}
