// @ts-check
// One job: how far it is, its curves as they grow, what it was told, what happened to it.

import { html } from "htm/preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { call, idempotencyKey } from "../api.js";
import { arrange, Chart } from "../charts.js";
import { ago, clock, duration, many, number, percent } from "../format.js";
import { asProblem, fetchCurves, follow } from "../live.js";
import { bestOf, lossOf, scoresOf, takesLog, testsOf } from "../metrics.js";
import { asCurl, leaves, pretty, shortSpec } from "../spec.js";
import { announcement, Copy, FileLink, Picture, Progress, State, Trouble } from "../ui.js";
import { Ask } from "./ask.js";
import { draft } from "./new.js";
import { Checkpoints, Model } from "./outcome.js";

/** What can be asked of a job in each state. @type {Record<string, string[]>} */
const ACTIONS = {
  queued: ["cancel"],
  running: ["pause", "cancel"],
  pausing: ["cancel"],
  paused: ["resume", "cancel"],
};
const SHOWN_EVENTS = 200;

/** How the charts are drawn; the same for every job that is looked at. */
const look = { logY: false, smooth: 0 };

/** @param {{id: string}} props */
export function JobView({ id }) {
  const live = useMemo(() => follow(id), [id]);
  useEffect(() => () => live.stop(), [live]);
  const job = live.job.value;
  useEffect(() => {
    if (job) announcement.value = `${job.name} is ${job.state}: ${job.state_reason}`;
  }, [job?.state]);
  useEffect(() => {
    if (job) document.title = `${job.terminal ? job.state : `${percent(job.progress.step / (job.progress.total_steps || 1))}`} · ${job.name} · Anneal`;
  }, [job]);

  if (!job) return html`<main id="main" tabindex="-1"><${Trouble} problem=${live.trouble.value} /></main>`;
  return html`<main id="main" tabindex="-1">
    <${Head} job=${job} refresh=${live.refresh} />
    <${Trouble} problem=${live.trouble.value} />
    ${job.error && html`<section class="trouble" role="alert" aria-label="Why it failed">
      <p><code>${job.error.code}</code> ${job.error.message}</p><p class="hint">${job.error.hint}</p>
    </section>`}
    ${job.warnings.map((/** @type {any} */ fault) => html`<p class="warning"><code>${fault.pointer}</code> ${fault.message}</p>`)}
    <${Facts} job=${job} />
    <${Curves} id=${id} job=${job} series=${live.curves.value} />
    ${job.state === "succeeded" && html`<${Ask} key=${job.id} job=${job} />`}
    <div class="columns outcome">
      ${job.state === "succeeded" && html`<${Model} key=${job.id} job=${job} />`}
      <${Checkpoints} job=${job} written=${live.events.value.filter((event) => event.type === "checkpoint").length} />
    </div>
    <div class="columns">
      <${Spec} job=${job} />
      <${Events} events=${live.events.value} />
    </div>
    <${Architecture} job=${job} />
  </main>`;
}

/** @param {{job: any, refresh: () => Promise<void>}} props */
function Head({ job, refresh }) {
  const problem = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  const act = async (/** @type {string} */ action) => {
    try {
      await call(`/v1/jobs/${job.id}/${action}`, { method: "POST", headers: { "Idempotency-Key": idempotencyKey() } });
      problem.value = null;
    } catch (error) {
      problem.value = asProblem(error);
    }
    await refresh();
  };
  const again = async () => {
    const spec = await shortSpec(job.spec).catch(() => job.spec);
    draft.value = pretty(spec);
    location.hash = "#/new";
  };
  return html`<header class="head job-head">
      <div>
        <p class="crumbs"><a href="#/">Jobs</a> / <code>${job.id}</code></p>
        <h1>${job.name}</h1>
        <p class="reason"><${State} state=${job.state} /> ${job.state_reason}</p>
        ${job.waiting && html`<p class="reason">Waits for ${job.waiting.for}; ${number(job.waiting.ahead)} ahead</p>`}
      </div>
      <div class="actions">
        ${(ACTIONS[job.state] ?? []).map((action) => html`<button class=${action === "cancel" ? "danger" : ""} onClick=${() => act(action)}>
          ${action[0].toUpperCase() + action.slice(1)}
        </button>`)}
        <button onClick=${again}>Change and run again</button>
      </div>
    </header>
    <${Trouble} problem=${problem.value} />`;
}

/** @param {{job: any}} props */
function Facts({ job }) {
  const { progress, metrics } = job;
  const tile = (/** @type {string} */ key) => [key, number(metrics[key].last), bestOf(metrics[key])];
  const facts = [
    ["Step", `${number(progress.step)} of ${number(progress.total_steps)}`, `epoch ${number(progress.epoch, 3)}`],
    ...[lossOf(metrics), ...scoresOf(metrics)].filter((key) => key !== undefined).map(tile),
    ...testsOf(metrics).map((key) => [key, number(metrics[key].last), "once, at the end"]),
    job.started_at && ["Time", duration((Date.parse(job.finished_at ?? new Date().toISOString()) - Date.parse(job.started_at)) / 1000),
      progress.samples_per_second ? `${number(Math.round(progress.samples_per_second))} rows/s` : `started ${ago(job.started_at)}`],
    job.parameters !== null && ["Parameters", number(job.parameters), job.flops_per_step === null ? "" : `${many(job.flops_per_step)} FLOPs a step`],
    ["Attempt", job.attempt, job.environment?.device ?? job.worker ?? "waits for a worker"],
  ].filter(Boolean);
  return html`<section class="card facts-card" aria-label="Progress">
    <${Progress} job=${job} />
    <dl class="numbers">${facts.map(([label, value, note]) => html`<div><dt>${label}</dt><dd>${value}</dd><dd class="note" title=${note}>${note}</dd></div>`)}</dl>
  </section>`;
}

/** @param {{id: string, job: any, series: import("../live.js").Series[]}} props */
function Curves({ id, job, series }) {
  const logY = useSignal(look.logY);
  const smooth = useSignal(look.smooth);
  const zoomed = useSignal(/** @type {{from: number, to: number, series: import("../live.js").Series[]} | null} */ (null));
  const problem = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  const onProblem = (/** @type {import("../api.js").Problem | null} */ found) => (problem.value = found);
  useEffect(() => void Object.assign(look, { logY: logY.value, smooth: smooth.value }), [logY.value, smooth.value]);
  const asked = useRef(0);
  const zoom = async (/** @type {[number, number] | null} */ range) => {
    const turn = ++asked.current; // what was asked for last counts, in whatever order the answers come
    try {
      const found = range && { from: range[0], to: range[1], series: await fetchCurves(id, { from: range[0], to: range[1] }) };
      if (turn !== asked.current) return;
      zoomed.value = found;
      problem.value = null;
    } catch (error) {
      if (turn === asked.current) problem.value = asProblem(error);
    }
  };
  useEffect(() => {
    const onKey = (/** @type {any} */ event) => {
      if (event.detail === "l") logY.value = !logY.value;
      if (event.detail === "r") zoom(null);
    };
    addEventListener("anneal:key", onKey);
    return () => removeEventListener("anneal:key", onKey);
  }, [id]);

  const charts = arrange(zoomed.value?.series ?? series, Object.keys(job.metrics));
  const last = Math.max(0, ...series.map((one) => one.step.at(-1) ?? 0));
  /** @type {[number, number]} */
  const span = zoomed.value ? [zoomed.value.from, Math.min(last, zoomed.value.to)] : [0, last];
  return html`<section aria-label="Curves">
    <div class="toolbar">
      <label><input type="checkbox" checked=${logY.value} onChange=${() => (logY.value = !logY.value)} /> Log y</label>
      <label class="smooth">Smoothing
        <input type="range" min="0" max="0.99" step="0.01" value=${smooth.value} onInput=${(/** @type {any} */ event) => (smooth.value = Number(event.target.value))} />
        <output>${smooth.value.toFixed(2)}</output>
      </label>
      ${zoomed.value && html`<button onClick=${() => zoom(null)}>Show all steps (now ${number(zoomed.value.from)} to ${number(zoomed.value.to)})</button>`}
      <span class="links" role="group" aria-label="Curves as files">
        <${FileLink} href=${`/v1/jobs/${id}/curve.svg`} name=${`${id}.svg`} onProblem=${onProblem}>SVG<//>
        <${FileLink} href=${`/v1/jobs/${id}/curve.png`} name=${`${id}.png`} onProblem=${onProblem}>PNG<//>
        <${FileLink} href=${`/v1/jobs/${id}/metrics.csv`} name=${`${id}.csv`} save onProblem=${onProblem}>CSV<//>
      </span>
    </div>
    <${Trouble} problem=${problem.value} />
    ${charts.length === 0 && html`<div class="empty card"><h2>No points yet</h2><p>${job.terminal ? "The job ended before its first step." : "The first step draws the first point."}</p></div>`}
    <div class="charts">
      ${charts.map((chart) => html`<${Chart} key=${chart.title} ...${chart} span=${span} wide=${chart.title === "loss"}
        logY=${logY.value && takesLog(chart.series.map((one) => one.key), job.metrics)} smooth=${smooth.value} onZoom=${zoom} />`)}
    </div>
  </section>`;
}

/** @param {{job: any}} props */
function Spec({ job }) {
  const short = useSignal(/** @type {any} */ (null));
  const all = useSignal(false);
  const problem = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  useEffect(() => {
    shortSpec(job.spec).then((spec) => (short.value = spec), () => (short.value = job.spec));
  }, [job.id]);
  const spec = all.value ? job.spec : short.value;
  return html`<section class="card spec" aria-label="Spec">
    <header><h2>Spec</h2>
      <div class="tabs">
        <button aria-pressed=${!all.value} onClick=${() => (all.value = false)}>What differs</button>
        <button aria-pressed=${all.value} onClick=${() => (all.value = true)}>All</button>
      </div>
      <${Copy} text=${() => asCurl(short.value ?? job.spec, location.origin)}>Copy as curl<//>
      <span class="links"><${FileLink} href=${`/v1/jobs/${job.id}/script`} name=${`${job.id}.py`} save onProblem=${(/** @type {import("../api.js").Problem | null} */ found) => (problem.value = found)}>Script<//></span>
    </header>
    <${Trouble} problem=${problem.value} />
    ${spec && html`<dl class="leaves">${leaves(spec).map(([path, value]) => html`<div><dt>${path}</dt><dd>${value}</dd></div>`)}</dl>`}
    ${job.environment && html`<p class="note">torch ${job.environment.torch} · ${job.environment.device} · ${job.environment.threads} threads ·
      ${job.environment.deterministic ? " the same spec gives the same bits here" : " not deterministic"}</p>`}
  </section>`;
}

/** The network as a picture, asked for when it is looked at. @param {{job: any}} props */
function Architecture({ job }) {
  const open = useSignal(false);
  const problem = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  const onProblem = (/** @type {import("../api.js").Problem | null} */ found) => (problem.value = found);
  const path = `/v1/jobs/${job.id}/architecture`;
  return html`<section class="card" aria-label="Architecture">
    <header><h2>Architecture</h2>
      ${job.parameters !== null && html`<small>${number(job.parameters)} parameters${job.flops_per_step !== null && ` · ${many(job.flops_per_step)} FLOPs a step`}</small>`}
      <button aria-expanded=${open.value} onClick=${() => (open.value = !open.value)}>${open.value ? "Hide" : "Show"}</button>
      <span class="links" role="group" aria-label="Architecture as files">
        <${FileLink} href=${`${path}.svg`} name=${`${job.id}-architecture.svg`} onProblem=${onProblem}>SVG<//>${" "}
        <${FileLink} href=${`${path}.png`} name=${`${job.id}-architecture.png`} onProblem=${onProblem}>PNG<//>
      </span>
    </header>
    <${Trouble} problem=${problem.value} />
    ${open.value && html`<${Picture} path=${`${path}.svg`} about=${`The layers of ${job.name}, from a row to the scores`} />`}
  </section>`;
}

/** @param {{events: {id: string, type: string, at: string, data: any}[]}} props */
function Events({ events }) {
  const shown = events.slice(-SHOWN_EVENTS).reverse();
  return html`<section class="card events" aria-label="Events">
    <header><h2>Events</h2>${events.length > SHOWN_EVENTS && html`<small>the last ${SHOWN_EVENTS} of ${number(events.length)}</small>`}</header>
    <ol tabindex="0" aria-label="Newest first">
      ${shown.map((event) => html`<li key=${event.id}>
        ${event.at && html`<time datetime=${event.at}>${clock(event.at)}</time>`} <b>${event.type}</b> <span>${sentence(event.data)}</span>
      </li>`)}
    </ol>
    ${!events.length && html`<p class="note">Nothing yet.</p>`}
  </section>`;
}

/** @param {Record<string, any>} data */
const sentence = (data) =>
  Object.entries(data ?? {})
    .filter(([, value]) => value !== null && typeof value !== "object")
    .map(([key, value]) => `${key} ${typeof value === "number" ? number(value) : value}`)
    .join(" · ");
