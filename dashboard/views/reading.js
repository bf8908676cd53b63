// @ts-check
// How the reading of a dataset goes, and what it met.

import { html } from "htm/preact";
import { Inline } from "../entry.js";
import { number, size } from "../format.js";

/** @param {{dataset: any}} props in any state, or null. */
export function Reading({ dataset }) {
  if (!dataset) return null;
  if (dataset.state === "processing") return html`<${Bar} dataset=${dataset} />`;
  if (dataset.error) return html`<div class="trouble" role="alert"><p><code>${dataset.error.code}</code> <${Inline} text=${dataset.error.message} /></p></div>`;
  return dataset.warnings.map((/** @type {any} */ fault) => html`<p class="warning"><${Inline} text=${fault.message} /></p>`);
}

/** @param {any} dataset that has been read. */
export const extent = ({ rows, format, bytes }) => `${number(rows)} ${format === "text" ? "characters" : "rows"} · ${size(bytes)}`;

/** How many rows there will be nobody knows before the last, so the bar only moves. @param {{dataset: any}} props */
const Bar = ({ dataset }) => html`<div class="progress reading">
  <progress aria-label=${`Reading ${dataset.name}`}></progress>
  <span>${howFar(dataset.progress ?? {})}</span>
</div>`;

/** @param {{rows_read?: number | null, bytes_fetched?: number | null}} progress */
const howFar = ({ rows_read: rows, bytes_fetched: bytes }) => (rows ? `${number(rows)} rows read` : bytes ? `${size(bytes)} fetched` : "waits for a worker");
