// @ts-check
// What was read in a dataset: its columns, what each is for and how it is read, one of them the target.

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { fetchFile } from "../api.js";
import { day, number } from "../format.js";
import { Choice, Picture } from "../ui.js";

const TYPES = ["numeric", "category", "text"];
const ROLES = ["feature", "split", "group", "ignore"];
const ENCODINGS = ["onehot", "embedding", "ordinal"];
const AS_THE_JOB = "as the job says";
const MISSING = ["error", "mean", "median", "most_frequent", "indicator"];
const MISSING_CATEGORIES = ["error", "most_frequent", "indicator"];

/** Columns that are shown at once, here and as rows; with thousands a page would be slow. */
export const MOST_COLUMNS = 200;
/** Of the small histograms: pixels across, and the categories that have room there. */
const BARS_WIDTH = 100;
const MOST_BARS = 20;
const FEWEST_BARS = 5;

/** @typedef {(body: any) => void} Change a PATCH of the dataset */

/**
 * @param {{known: any, change: Change, choose: (target: string) => void, counted?: boolean}} props `counted` also shows how often
 *   values occur.
 */
export function Columns({ known, change, choose, counted = false }) {
  const open = useSignal("");
  const all = useSignal(false);
  if (known.format === "text") return html`<p class="note">A language model such as <code>gpt</code> learns what comes next in it.</p>`;
  const images = known.format === "images" && known.columns.find((/** @type {any} */ column) => column.type === "array");
  const toggle = (/** @type {string} */ name) => (open.value = open.value === name ? "" : name);
  return html`${[2, 3].includes(known.array?.length) && html`<${Images} known=${known} />`}
    ${images && html`<${SizeForm} size=${images.stats.shape.slice(-2)} onSize=${(/** @type {[number, number]} */ sides) => change({ columns: [{ name: images.name, size: sides }] })} />`}
    <p class="note">Choose the column to predict.</p>
    <div class=${`table-scroll ${counted ? "whole" : ""}`}><table class="columns-table">
      <thead><tr><th scope="col">Target</th><th scope="col">Column</th>${counted && html`<th scope="col">Values</th>`}<th scope="col">Type</th><th scope="col">Use</th><th scope="col">Missing</th></tr></thead>
      <tbody>${known.columns.slice(0, all.value ? undefined : MOST_COLUMNS).map((/** @type {any} */ column) => html`<${Row} key=${column.name} column=${column} isTarget=${known.target === column.name} change=${change} choose=${choose}
          counted=${counted} isOpen=${open.value === column.name} toggle=${() => toggle(column.name)} />
        ${open.value === column.name && html`<tr key=${`${column.name} opened`}><td colspan="6"><${Picture} key=${known.version} path=${`/v1/datasets/${known.id}/columns/${encodeURIComponent(column.name)}/histogram.svg`}
          about=${`How often the values of ${column.name} occur`} /></td></tr>`}`)}</tbody>
    </table></div>
    ${!all.value && known.columns.length > MOST_COLUMNS && html`<button class="more" onClick=${() => (all.value = true)}>All ${number(known.columns.length)} columns</button>`}`;
}

/**
 * @param {{column: any, isTarget: boolean, change: Change, choose: (target: string) => void, counted: boolean, isOpen: boolean,
 *   toggle: () => void}} props
 */
function Row({ column, isTarget, change, choose, counted, isOpen, toggle }) {
  const { name, type, stats } = column;
  const isArray = type === "array";
  const put = (/** @type {any} */ said) => change({ columns: [{ name, ...said }] });
  const role = ROLES.includes(column.role) ? column.role : "feature";
  return html`<tr>
    <td>${!isArray && html`<input type="radio" name="target" aria-label=${`Predict ${name}`} checked=${isTarget} onChange=${() => choose(name)} />`}</td>
    <th scope="row">${name} <small>${about(stats)}</small></th>
    ${counted && html`<td><${Counts} column=${column} isOpen=${isOpen} toggle=${toggle} /></td>`}
    <td>${isArray ? type : html`<${Choice} label=${`Type of ${name}`} options=${TYPES} value=${type}
      onChoice=${(/** @type {string} */ chosen) => put({ type: chosen, ...(role === "ignore" ? { role: "feature" } : {}) })} />`}
      ${type === "category" && role === "feature" && !isTarget && html` <${Choice} label=${`Categories of ${name}`} options=${[...(column.encode ? [] : [AS_THE_JOB]), ...ENCODINGS]}
        value=${column.encode ?? AS_THE_JOB} onChoice=${(/** @type {string} */ encode) => put({ encode })} />`}</td>
    <td>${isTarget ? "target" : html`<${Choice} label=${`Use of ${name}`} options=${isArray ? ["feature", "ignore"] : ROLES} value=${role} onChoice=${(/** @type {string} */ chosen) => put({ role: chosen })} />`}</td>
    <td>${stats.missing ? html`${number(stats.missing)} <${Choice} label=${`Missing values of ${name}`} options=${type === "category" ? MISSING_CATEGORIES : MISSING} value=${column.missing}
      onChoice=${(/** @type {string} */ missing) => put({ missing })} />` : "–"}</td>
  </tr>`;
}

/** A histogram as small as a word; pressed, the gateway draws it with its numbers. @param {{column: any, isOpen: boolean, toggle: () => void}} props */
function Counts({ column: { name, type, stats }, isOpen, toggle }) {
  const counts = stats.bins.length && type !== "category" ? stats.bins : [...stats.counts].sort((a, b) => b - a).slice(0, MOST_BARS);
  if (!counts.length) return "–";
  const [highest, width] = [Math.max(...counts), BARS_WIDTH / Math.max(counts.length, FEWEST_BARS)];
  return html`<button class="counts" aria-expanded=${isOpen} aria-label=${`Histogram of ${name}`} onClick=${toggle}>
    <svg viewBox=${`0 0 ${BARS_WIDTH} 24`} width=${BARS_WIDTH} height="24" aria-hidden="true">${counts.map((/** @type {number} */ count, /** @type {number} */ index) =>
      html`<rect x=${index * width} width=${width - 1} y=${24 - barHeight(count, highest)} height=${barHeight(count, highest)} />`)}</svg>
  </button>`;
}

/** Pixels; what occurs at all is seen. @param {number} count @param {number} highest */
const barHeight = (count, highest) => (count ? Math.max(1, (24 * count) / highest) : 0);

/** To what images are resized. @param {{size: [number, number], onSize: (size: [number, number]) => void}} props height and width in pixels. */
export function SizeForm({ size: [height, width], onSize }) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    const sides = new FormData(event.target);
    onSize([Number(sides.get("height")), Number(sides.get("width"))]);
  };
  return html`<form class="line" key=${`${height}x${width}`} aria-label="Size of the images" onSubmit=${submit}>
    <label>Height <input type="number" name="height" min="1" max="4096" required defaultValue=${height} /></label>
    <label>Width <input type="number" name="width" min="1" max="4096" required defaultValue=${width} /></label>
    <button>Resize</button>
  </form>`;
}

/** The first images; an <img> with their address would send no key. @param {{known: any}} props */
function Images({ known }) {
  const source = useSignal("");
  useEffect(() => {
    const reader = new FileReader();
    reader.onload = () => (source.value = String(reader.result));
    fetchFile(`/v1/datasets/${known.id}/images.png`).then((file) => reader.readAsDataURL(file), () => {});
  }, [known.id, known.version]);
  return source.value && html`<img class="images" src=${source.value} alt=${`The first images of ${known.name}`} />`;
}

/** @param {any} stats */
const about = (stats) =>
  stats.shape.length ? `${stats.shape.join(" × ")} numbers` :
  stats.dates && stats.minimum != null ? `${day(stats.minimum)} to ${day(stats.maximum)}` :
  stats.minimum != null && stats.maximum != null ? `${number(stats.minimum, 3)} to ${number(stats.maximum, 3)}` : `${number(stats.distinct)} values`;
