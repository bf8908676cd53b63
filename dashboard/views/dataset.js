// @ts-check
// The data of a new job: brought here or there already, its columns as they were read.

import { html } from "htm/preact";
import { signal } from "@preact/signals";
import { useDataset } from "../dataset.js";
import { Trouble } from "../ui.js";
import { AddData } from "./add.js";
import { Columns } from "./columns.js";
import { extent, Reading } from "./reading.js";

/** The dataset that a new job is written for; kept while other views are looked at. @type {import("@preact/signals").Signal<any>} */
export const dataset = signal(null);

/** @param {{id?: string, onTarget: (id: string, target: string | null) => void}} props `id` of the dataset to show at first */
export function DatasetCard({ id, onTarget }) {
  const onRead = (/** @type {any} */ read) => {
    if (read.state === "ready" && (read.target || read.format === "text")) onTarget(read.id, read.target);
  };
  const work = useDataset(dataset, id, onRead);
  const { known } = work;
  const choose = (/** @type {string} */ target) => {
    onTarget(known.id, target);
    work.change({ target });
  };
  return html`<section class="card dataset" aria-label="Your data">
    <header><h2>Your data</h2>${known && html`<a href=${`#/datasets/${known.id}`}>Rows and histograms</a>`}</header>
    <${AddData} work=${work} onRead=${onRead} />
    <${Trouble} problem=${work.problem} />
    ${known?.state === "ready" && html`<p class="note">${known.name} · ${extent(known)}</p>`}
    <${Reading} dataset=${work.reading ?? known} />
    ${known?.state === "ready" && html`<${Columns} known=${known} change=${work.change} choose=${choose} />`}
  </section>`;
}
