// @ts-check
// All that a job can name, by kind, and a page for each: formula, use, knobs, what goes wrong, paper.

import { html } from "htm/preact";
import { signal } from "@preact/signals";
import { search, useEntries, useJobSchema } from "../catalog.js";
import { About, addressOf, Inline } from "../entry.js";
import { boundsOf, write } from "../knobs.js";
import { withEntry } from "../place.js";
import { pretty } from "../spec.js";
import { Picture, Trouble } from "../ui.js";
import { draft } from "./new.js";

/** @typedef {import("../catalog.js").Entry} Entry */

/** What is searched for; kept while an entry is looked at. */
const query = signal("");

/** @param {{kind?: string, name?: string}} props */
export function CatalogView({ kind, name }) {
  const { entries, problem } = useEntries([""]);
  const found = entries?.find((entry) => entry.kind === kind && entry.name === name);
  if (entries && found) return html`<${EntryPage} key=${`${kind}/${name}`} entry=${found} entries=${entries} />`;
  return html`<main id="main" tabindex="-1">
    <header class="head"><h1>Catalog</h1></header>
    <${Trouble} problem=${problem} />
    ${entries && name && html`<p class="trouble" role="alert">There is no ${name} among the ${kind}.</p>`}
    ${entries && html`<${Browser} entries=${entries} kind=${kind} />`}
  </main>`;
}

/** @param {{entries: Entry[], kind?: string}} props */
function Browser({ entries, kind }) {
  const kinds = [...new Set(entries.map((entry) => entry.kind))];
  const found = search(kind ? entries.filter((entry) => entry.kind === kind) : entries, query.value);
  const groups = kinds.map((one) => ({ kind: one, members: found.filter((entry) => entry.kind === one) })).filter(({ members }) => members.length);
  const link = (/** @type {string} */ one, /** @type {string} */ text) =>
    html`<a href=${addressOf(one)} aria-current=${(kind ?? "") === one ? "page" : undefined}>${text}</a>`;
  return html`<div class="toolbar">
      <input type="search" aria-label="Search the catalog" placeholder="name, use or paper" value=${query.value} onInput=${(/** @type {any} */ event) => (query.value = event.target.value)} />
      <span role="status">${found.length} of ${entries.length}</span>
    </div>
    <nav class="kinds" aria-label="Kinds">${link("", "all")} ${kinds.map((one) => link(one, one))}</nav>
    ${groups.map((group) => html`<section key=${group.kind} class="card kind" aria-labelledby=${`kind-${group.kind}`}>
      <header><h2 id=${`kind-${group.kind}`}>${group.kind}</h2></header>
      <dl class="entries">${group.members.map((entry) => html`<div key=${entry.name}>
        <dt><a href=${addressOf(entry.kind, entry.name)}>${entry.name}</a></dt><dd><${Inline} text=${entry.summary} /></dd>
      </div>`)}</dl>
    </section>`)}
    ${groups.length === 0 && html`<div class="empty card"><h2>Nothing by that name</h2><p>Every word must stand in a name, a summary or a paper.</p></div>`}`;
}

/** @param {{entry: Entry, entries: Entry[]}} props */
function EntryPage({ entry, entries }) {
  const { data: schema } = useJobSchema();
  const job = schema && withEntry(readDraft(), schema, entries, entry);
  const use = () => {
    draft.value = pretty(job);
    location.hash = "#/new";
  };
  return html`<main id="main" tabindex="-1">
    <p class="crumbs"><a href=${addressOf("")}>Catalog</a> / <a href=${addressOf(entry.kind)}>${entry.kind}</a></p>
    <header class="head"><h1>${entry.name}</h1>${job && html`<button class="primary" onClick=${use}>Use it in a new job</button>`}</header>
    <div class="stack">
      <section class="card" aria-label="What it is"><${About} entry=${entry} />
        ${entry.target && html`<p class="note">Builds <code>${entry.target}</code>.</p>`}</section>
      ${entry.kind === "optimizers" && html`<${Picture} path=${`/v1/catalog/optimizers/${entry.name}/paths.svg`} about=${`The path of ${entry.name} on two error surfaces`} />`}
      ${Object.keys(entry.knobs).length > 0 && html`<${Knobs} entry=${entry} />`}
    </div>
  </main>`;
}

/** @param {{entry: Entry}} props */
const Knobs = ({ entry }) => html`<section class="card table-card" aria-label="Knobs" tabindex="0">
  <table class="knobs"><thead><tr><th scope="col">Knob</th><th scope="col">Default</th><th scope="col">Values</th><th scope="col">Meaning</th></tr></thead>
    <tbody>${Object.entries(entry.knobs).map(([name, knob]) => html`<tr key=${name}>
      <th scope="row"><code>${name}</code></th>
      <td data-label="Default">${knob.default === null || knob.default === undefined ? "–" : html`<code>${write(knob.default)}</code>`}</td>
      <td data-label="Values">${boundsOf(knob, entry.definitions) || knob.type}</td>
      <td data-label="Meaning"><${Inline} text=${knob.description ?? ""} /></td>
    </tr>`)}</tbody>
  </table>
</section>`;

/** The draft of a new job, or the shortest job where it cannot be read. */
function readDraft() {
  try {
    return JSON.parse(draft.value);
  } catch {
    return { dataset: { name: "digits" } };
  }
}
