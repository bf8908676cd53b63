// @ts-check
// One dataset: how it was read, what its columns hold and are for, its first rows.

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { call } from "../api.js";
import { useDataset } from "../dataset.js";
import { number } from "../format.js";
import { State, Trouble } from "../ui.js";
import { Columns, MOST_COLUMNS } from "./columns.js";
import { extent, Reading } from "./reading.js";

/** @param {{id: string}} props */
export function DatasetView({ id }) {
  const held = useSignal(/** @type {any} */ (null));
  const work = useDataset(held, id);
  const { known } = work;
  const shown = work.reading ?? known;
  useEffect(() => {
    if (shown) document.title = `${shown.name} · Anneal`;
  }, [shown?.name]);
  return html`<main id="main" tabindex="-1">
    ${shown && html`<header class="head job-head">
      <div>
        <p class="crumbs"><a href="#/datasets">Datasets</a> / <code>${id}</code></p>
        <h1>${shown.name}</h1>
        <p class="reason"><${State} state=${shown.state} /> ${work.doing?.said ?? about(shown)}</p>
      </div>
      <div class="actions">${known?.state === "ready" && html`<a class="button primary" href=${`#/new/${id}`}>New job on it</a>`}</div>
    </header>`}
    <${Trouble} problem=${work.problem} />
    <${Reading} dataset=${shown} />
    ${known?.state === "ready" && html`<div class="stack">
      <section class="card" aria-label="Columns"><header><h2>Columns</h2></header>
        <${Columns} known=${known} change=${work.change} choose=${(/** @type {string} */ target) => work.change({ target })} counted />
      </section>
      <${FirstRows} known=${known} />
    </div>`}
  </main>`;
}

/** How large it is and where it comes from, as far as its name does not say so. @param {any} dataset */
function about(dataset) {
  const names = dataset.files.map((/** @type {any} */ file) => file.name).join(", ");
  const from = dataset.url ? `fetched from ${dataset.url}` : names === dataset.name ? "" : names;
  return [dataset.state === "ready" && extent(dataset), from].filter(Boolean).join(" · ");
}

/** @param {{known: any}} props */
function FirstRows({ known }) {
  const preview = useSignal(/** @type {{columns: string[], rows: (number | string | null)[][]} | null} */ (null));
  useEffect(() => {
    call(`/v1/datasets/${known.id}/preview`).then(({ data }) => (preview.value = data), () => {});
  }, [known.id, known.version]);
  const { columns = [], rows = [] } = preview.value ?? {};
  const sideOf = (/** @type {number} */ place) => (rows.some((row) => typeof row[place] === "number") ? "right" : "");
  return rows.length > 0 && html`<section class="card" aria-label="First rows"><header><h2>First rows</h2>${columns.length > MOST_COLUMNS && html`<small>the first ${MOST_COLUMNS} of ${number(columns.length)} columns</small>`}</header>
    <div class="table-scroll" tabindex="0"><table class="rows">
      <thead><tr>${columns.slice(0, MOST_COLUMNS).map((name, place) => html`<th scope="col" class=${sideOf(place)}>${name}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr>${row.slice(0, MOST_COLUMNS).map((value, place) => html`<td class=${sideOf(place)} title=${value}>${cell(value)}</td>`)}</tr>`)}</tbody>
    </table></div>
  </section>`;
}

/** @param {number | string | null} value */
const cell = (value) => (value === null ? html`<small>missing</small>` : typeof value === "number" ? number(value, 6) : value);
