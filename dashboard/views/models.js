// @ts-check
// The names of trained models: their versions, what these are called, and their files.

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { ago } from "../format.js";
import { usePages } from "../pages.js";
import { FileLink, Trouble } from "../ui.js";

/** What a model is handed out as, and what its link says. */
const FORMATS = { safetensors: "safetensors", zip: "zip with README", onnx: "ONNX", pt2: "torch.export" };
/** Those that a worker makes when they are first asked for. */
const MADE = ["onnx", "pt2"];

export function ModelsView() {
  const { items, problem, more } = usePages("/v1/models");
  return html`<main id="main" tabindex="-1">
    <header class="head"><h1>Models</h1></header>
    <${Trouble} problem=${problem} />
    ${items?.length === 0 && html`<${Nothing} />`}
    ${items?.map((model) => html`<${Model} key=${model.name} model=${model} />`)}
    ${more && html`<button class="more" onClick=${more}>Older names</button>`}
  </main>`;
}

const Nothing = () =>
  html`<div class="empty card">
    <h2>No names yet</h2>
    <p>A name points at the model of a job that has succeeded: <code>anneal models put wine JOB --alias champion</code>.
      <code>POST /v1/models/wine@champion/predict</code> then asks it.</p>
  </div>`;

/** @param {{model: any}} props */
const Model = ({ model }) => html`<section class="card table-card" aria-label=${model.name}>
  <table class="list">
    <caption>${model.name}</caption>
    <thead>
      <tr><th scope="col">Version</th><th scope="col">Aliases</th><th scope="col">Job</th><th scope="col">Files</th>
        <th scope="col" class="right">Named</th></tr>
    </thead>
    <tbody>${model.versions.map((/** @type {any} */ version) => html`<${Version} key=${version.version} version=${version} />`)}</tbody>
  </table>
</section>`;

/** @param {{version: any}} props */
const Version = ({ version }) => html`<tr>
  <th scope="row" data-label="Version">${version.version}</th>
  <td data-label="Aliases">${version.aliases.join(", ") || "–"}</td>
  <td data-label="Job"><a href=${`#/jobs/${version.job}`}>${version.job}</a></td>
  <td data-label="Files"><${ModelFiles} job=${version.job} /></td>
  <td data-label="Named" class="right"><time datetime=${version.created_at} title=${version.created_at}>${ago(version.created_at)}</time></td>
</tr>`;

/** Links to a job's model in every format. @param {{job: string}} props */
export function ModelFiles({ job }) {
  const problem = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  return html`<span class="links" role="group" aria-label="Model as a file">
      ${Object.entries(FORMATS).map(([format, said]) => html`<${FileLink} href=${`/v1/jobs/${job}/model?format=${format}`}
        name=${`${job}.${format}`} save made=${MADE.includes(format)} onProblem=${(/** @type {import("../api.js").Problem | null} */ found) => (problem.value = found)}>${said}<//>`)}
    </span>
    <${Trouble} problem=${problem.value} />`;
}
