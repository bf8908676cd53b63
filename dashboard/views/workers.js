// @ts-check
// Who trains: the workers and what they are at.

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ago } from "../format.js";
import { poll } from "../live.js";
import { Trouble } from "../ui.js";

export function WorkersView() {
  const workers = useSignal(/** @type {any[] | null} */ (null));
  const trouble = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  useEffect(() => poll("/v1/workers", (data) => (workers.value = data.data), (problem) => (trouble.value = problem), () => 2000), []);
  return html`<main id="main" tabindex="-1">
    <header class="head"><h1>Workers</h1></header>
    <${Trouble} problem=${trouble.value} />
    ${workers.value?.length === 0 &&
    html`<div class="empty card"><h2>No worker</h2><p>Jobs wait until one is there: <code>anneal up</code> starts one, and a queue's worker may run on any machine.</p></div>`}
    <div class="tiles">${workers.value?.map((worker) => html`<${Worker} key=${worker.id} worker=${worker} />`)}</div>
  </main>`;
}

/** @param {{worker: any}} props */
const Worker = ({ worker }) => html`<section class="card tile">
  <header><h2>${worker.host}</h2><span class=${`state ${worker.online ? "succeeded" : "failed"}`}><i></i>${worker.online ? "online" : "silent"}</span></header>
  <dl class="facts">
    <dt>Device</dt><dd>${worker.device}</dd>
    <dt>Training</dt><dd>${worker.jobs.length} of ${worker.slots} at a time</dd>
    <dt>Queues</dt><dd>${worker.queues.join(", ")}</dd>
    <dt>Started</dt><dd>${ago(worker.started_at)}</dd>
    <dt>Heard of</dt><dd>${ago(worker.seen_at)}</dd>
    <dt>Process</dt><dd>${worker.pid}</dd>
  </dl>
  ${worker.jobs.map((/** @type {string} */ id) => html`<p><a href=${`#/jobs/${id}`}>${id}</a></p>`)}
</section>`;
