// @ts-check
// What a job leaves behind: its model's files and names, and the checkpoints that are kept.

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { call } from "../api.js";
import { ago, number, size } from "../format.js";
import { asProblem } from "../live.js";
import { pretty, shortSpec } from "../spec.js";
import { announcement, FileLink, Trouble } from "../ui.js";
import { ModelFiles } from "./models.js";
import { draft } from "./new.js";

const SLUG = "[a-z0-9][a-z0-9_\\-]{0,62}";
const ALIAS = "[a-z][a-z0-9_\\-]{0,62}";
/** Metrics that a checkpoint has a column for. */
const SHOWN_METRICS = 3;

/** @typedef {import("../api.js").Problem | null} Found */
/** @typedef {{name: string, version: number, aliases: string[]}} Named */

/** @param {{job: any}} props a job that has succeeded. */
export const Model = ({ job }) => html`<section class="card" aria-label="Model">
  <header><h2>Model</h2><button onClick=${() => trainOn(job, {})}>Train on from it</button></header>
  <p class="note">With what prepares its inputs and decodes its answers:</p>
  <p><${ModelFiles} job=${job.id} /></p>
  <${Names} job=${job} />
</section>`;

/** What the model is called, and a form for one more name. @param {{job: any}} props */
function Names({ job }) {
  const names = useSignal(/** @type {Named[]} */ ([]));
  const problem = useSignal(/** @type {Found} */ (null));
  useEffect(() => {
    call("/v1/models?limit=200").then(({ data }) => (names.value = data.data.flatMap((/** @type {any} */ model) => namedIn(model, job.id))), () => {});
  }, [job.id]);
  const submit = async (/** @type {any} */ event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    const [name, alias] = [String(given.get("name")), String(given.get("alias"))];
    try {
      const { data } = await call(`/v1/models/${name}`, { method: "PUT", json: { job: job.id, aliases: alias ? [alias] : [] } });
      names.value = [...names.value.filter((one) => one.name !== name), ...namedIn(data, job.id)];
      announcement.value = `The model is called ${name}`;
      problem.value = null;
    } catch (error) {
      problem.value = asProblem(error);
    }
  };
  return html`${names.value.length > 0 && html`<p>Called ${names.value.map(({ name, version, aliases }, index) => html`${index > 0 && ", "}<a href="#/models">${name}@${version}</a>${aliases.length > 0 && ` (${aliases.join(", ")})`}`)}</p>`}
    <form class="line" aria-label="A name for the model" onSubmit=${submit}>
      <label>Name <input type="text" name="name" required pattern=${SLUG} title="Small letters, digits, - and _" placeholder="wine-quality" /></label>
      <label>Alias <input type="text" name="alias" pattern=${ALIAS} title="Small letters, digits, - and _; a letter first" placeholder="champion" /></label>
      <button>Name it</button>
    </form>
    <${Trouble} problem=${problem.value} />`;
}

/** @param {any} model @param {string} job @returns {Named[]} */
const namedIn = ({ name, versions }, job) => versions.filter((/** @type {any} */ each) => each.job === job).map((/** @type {any} */ { version, aliases }) => ({ name, version, aliases }));

/** @param {{job: any, written: number}} props `written` grows with each checkpoint. */
export function Checkpoints({ job, written }) {
  const kept = useSignal(/** @type {any[]} */ ([]));
  const problem = useSignal(/** @type {Found} */ (null));
  useEffect(() => {
    call(`/v1/jobs/${job.id}/checkpoints`).then(({ data }) => (kept.value = data.data), () => {}); // the next one asks again
  }, [job.id, job.state, written]);
  if (!kept.value.length) return null;
  const metrics = Object.keys(kept.value[0].metrics).slice(0, SHOWN_METRICS);
  return html`<section class="card" aria-label="Checkpoints">
    <header><h2>Checkpoints</h2>${job.spec.training.best_metric && html`<small>the best by ${job.spec.training.best_metric}</small>`}</header>
    <div class="table-scroll"><table class="kept">
      <thead><tr><th scope="col" class="right">Step</th><th scope="col"><span class="visually-hidden">Which</span></th>${metrics.map((key) => html`<th scope="col" class="right">${key}</th>`)}<th scope="col">File</th><td></td></tr></thead>
      <tbody>${kept.value.map((one) => html`<tr key=${one.step}>
        <th scope="row" class="right" title=${ago(one.created_at)}>${number(one.step)}</th>
        <td>${one.best && html`<b class="mark best">best</b>`} ${one.last && html`<b class="mark">last</b>`}</td>
        ${metrics.map((key) => html`<td class="right">${number(one.metrics[key])}</td>`)}
        <td><${FileLink} href=${`/v1/jobs/${job.id}/checkpoints/${one.step}`} name=${`${job.id}.${one.step}.safetensors`} save onProblem=${(/** @type {Found} */ found) => (problem.value = found)}>${size(one.bytes)}<//></td>
        <td class="right">${job.terminal && (one.best || one.last) && html`<button class="quiet" aria-label=${`Train on from step ${one.step}`} onClick=${() => trainOn(job, { checkpoint: one.best ? "best" : "last" })}>Train on</button>`}</td>
      </tr>`)}</tbody>
    </table></div>
    <${Trouble} problem=${problem.value} />
  </section>`;
}

/** Write a job that begins with what this one learned. @param {any} job @param {{checkpoint?: "best" | "last"}} which */
async function trainOn(job, which) {
  const { init: _, ...spec } = await shortSpec(job.spec).catch(() => job.spec);
  draft.value = pretty({ ...spec, init: { job: job.id, ...which } });
  location.hash = "#/new";
}
