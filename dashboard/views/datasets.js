// @ts-check
// The uploaded datasets, newest first.

import { html } from "htm/preact";
import { ago, number } from "../format.js";
import { usePages } from "../pages.js";
import { State, Trouble } from "../ui.js";

export function DatasetsView() {
  const { items, problem, more } = usePages("/v1/datasets");
  return html`<main id="main" tabindex="-1">
    <header class="head">
      <h1>Datasets</h1>
      <a class="button primary" href="#/new">New job</a>
    </header>
    <${Trouble} problem=${problem} />
    ${items && (items.length ? html`<${DatasetTable} datasets=${items} />` : html`<${Nothing} />`)}
    ${more && html`<button class="more" onClick=${more}>Older datasets</button>`}
  </main>`;
}

const Nothing = () =>
  html`<div class="empty card">
    <h2>No datasets yet</h2>
    <p>A table, arrays, a zip of images or a text that is dropped on a new job becomes one. Some names, such as <code>digits</code>, need none.</p>
    <a class="button primary" href="#/new">Bring a file</a>
  </div>`;

/** @param {{datasets: any[]}} props */
const DatasetTable = ({ datasets }) => html`<div class="card table-card">
  <table class="list">
    <thead>
      <tr><th scope="col">State</th><th scope="col">Name</th><th scope="col">Target</th><th scope="col" class="right">Rows</th>
        <th scope="col" class="right">Columns</th><th scope="col" class="right">Created</th></tr>
    </thead>
    <tbody>${datasets.map((dataset) => html`<${Row} key=${dataset.id} dataset=${dataset} />`)}</tbody>
  </table>
</div>`;

/** @param {{dataset: any}} props */
const Row = ({ dataset }) => html`<tr>
  <td data-label="State"><${State} state=${dataset.state} /></td>
  <th scope="row"><a class="cover" href=${`#/datasets/${dataset.id}`}>${dataset.name}</a></th>
  <td data-label="Target">${dataset.target ?? "–"}</td>
  <td data-label="Rows" class="right">${number(dataset.rows)}</td>
  <td data-label="Columns" class="right">${dataset.state === "ready" ? number(dataset.columns.length) : "–"}</td>
  <td data-label="Created" class="right"><time datetime=${dataset.created_at} title=${dataset.created_at}>${ago(dataset.created_at)}</time></td>
</tr>`;
