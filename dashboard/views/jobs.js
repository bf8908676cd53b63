// @ts-check
// The list of jobs, newest first, live.

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { ago, number } from "../format.js";
import { bestOf, lossOf, nameOf, scoresOf } from "../metrics.js";
import { usePages } from "../pages.js";
import { Progress, State, Trouble } from "../ui.js";

const STATES = ["queued", "running", "paused", "succeeded", "failed", "cancelled"];

export function JobsView() {
  const state = useSignal("");
  const { items, problem, more } = usePages("/v1/jobs", { state: state.value });

  return html`<main id="main" tabindex="-1">
    <header class="head">
      <h1>Jobs</h1>
      <label class="filter">State
        <select value=${state.value} onChange=${(/** @type {any} */ event) => (state.value = event.target.value)}>
          <option value="">all</option>
          ${STATES.map((one) => html`<option value=${one}>${one}</option>`)}
        </select>
      </label>
      <a class="button primary" href="#/new">New job</a>
    </header>
    <${Trouble} problem=${problem} />
    ${items && (items.length ? html`<${JobTable} jobs=${items} />` : html`<${Nothing} filtered=${state.value} />`)}
    ${more && html`<button class="more" onClick=${more}>Older jobs</button>`}
  </main>`;
}

/** @param {{filtered: string}} props */
const Nothing = ({ filtered }) =>
  html`<div class="empty card">
    <h2>${filtered ? `No job is ${filtered}` : "No jobs yet"}</h2>
    <p>A job is one JSON document: what to learn from, and how.</p>
    <a class="button primary" href="#/new">Start from an example</a>
  </div>`;

/** @param {{jobs: any[]}} props */
const JobTable = ({ jobs }) => html`<div class="card table-card">
  <table class="list">
    <thead>
      <tr><th scope="col">State</th><th scope="col">Name</th><th scope="col">Dataset</th><th scope="col">Optimizer</th><th scope="col">Progress</th>
        <th scope="col" class="right">Last loss</th><th scope="col" class="right">Best metric</th><th scope="col" class="right">Created</th></tr>
    </thead>
    <tbody>${jobs.map((job) => html`<${Row} key=${job.id} job=${job} />`)}</tbody>
  </table>
</div>`;

/** @param {{job: any}} props */
function Row({ job }) {
  const { spec } = job;
  const loss = job.metrics[lossOf(job.metrics) ?? ""];
  return html`<tr>
    <td data-label="State"><${State} state=${job.state} /></td>
    <th scope="row"><a class="cover" href=${`#/jobs/${job.id}`}>${job.name}</a></th>
    <td data-label="Dataset">${spec.dataset.name ?? html`<span title=${spec.dataset.id}>upload · ${spec.target}</span>`}</td>
    <td data-label="Optimizer">${spec.optimizer.name} <small>lr ${number(spec.optimizer.lr)}</small></td>
    <td data-label="Progress"><${Progress} job=${job} /></td>
    <td data-label="Loss" class="right">${job.error?.code === "diverged" ? html`<b class="bad">✕ diverged</b>` : number(loss?.last)}</td>
    <td data-label="Best" class="right">${best(job.metrics)}</td>
    <td data-label="Created" class="right"><time datetime=${job.created_at} title=${job.created_at}>${ago(job.created_at)}</time></td>
  </tr>`;
}

/** The best value of the first metric that the job names. @param {import("../metrics.js").Metrics} metrics */
function best(metrics) {
  const [key] = scoresOf(metrics);
  if (!key) return "–";
  return html`<span title=${`${key}: ${bestOf(metrics[key])}`}><small>${nameOf(key)}</small> ${number(metrics[key].best)}</span>`;
}
