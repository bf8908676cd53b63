// @ts-check
// A new job: an example or a file to begin with, JSON to change, its faults shown where they are.

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { signal, useSignal } from "@preact/signals";
import { call, idempotencyKey } from "../api.js";
import { EXAMPLES } from "../examples.js";
import { duration, many, number, size } from "../format.js";
import { asProblem, sleep } from "../live.js";
import { locate, NotJson, patched, places, pretty } from "../spec.js";
import { Trouble } from "../ui.js";
import { dataset, DatasetCard } from "./dataset.js";
import { JobForm } from "./form.js";

/** @typedef {{pointer: string, message: string, line: number, start: number, end: number}} Mark */

/** What is being written; kept while other views are looked at. */
export const draft = signal(pretty(EXAMPLES[0].spec));
const VALIDATE_AFTER_MS = 250;

/** @param {{datasetId?: string}} props */
export function NewJobView({ datasetId }) {
  const verdict = useSignal(/** @type {{plan: any, problem: import("../api.js").Problem | null, marks: Mark[]} | null} */ (null));
  const sending = useSignal(false);
  const refused = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  const once = useRef({ text: "", key: "" });
  const text = draft.value;

  useEffect(() => {
    const stopped = new AbortController();
    validate(text, stopped.signal).then((result) => result && (verdict.value = result));
    refused.value = null;
    return () => stopped.abort();
  }, [text, dataset.value]);

  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (sending.value) return;
    if (once.current.text !== text) once.current = { text, key: idempotencyKey() };
    sending.value = true;
    try {
      const { data } = await call("/v1/jobs", { method: "POST", json: JSON.parse(text), headers: { "Idempotency-Key": once.current.key } });
      once.current = { text: "", key: "" };
      location.hash = `#/jobs/${data.id}`;
    } catch (error) {
      refused.value = asProblem(error);
    }
    sending.value = false;
  };
  const { plan = null, problem = null, marks = [] } = verdict.value ?? {};

  return html`<main id="main" tabindex="-1">
    <header class="head"><h1>New job</h1></header>
    <section aria-label="Examples" class="examples">
      ${EXAMPLES.map((example) => html`<button class="card example" aria-pressed=${text === pretty(example.spec)} onClick=${() => (draft.value = pretty(example.spec))}>
        <b>${example.title}</b><span>${example.about}</span>
      </button>`)}
    </section>
    <div class="columns">
      <div class="stack beside">
        <form class="card" onSubmit=${submit}>
          <header><h2 id="spec-title">Spec</h2>
            <button type="button" class="quiet" onClick=${() => (draft.value = tidy(text))}>Tidy</button>
          </header>
          <${Editor} marks=${marks} />
          ${problem && !marks.length && html`<${Trouble} problem=${problem} />`}
          <${Trouble} problem=${refused.value} />
          <button class="primary" type="submit" disabled=${!plan || sending.value}>${sending.value ? "Submitting…" : "Submit"}</button>
        </form>
        ${plan && html`<${Plan} plan=${plan} onFix=${(/** @type {any} */ advice) => (draft.value = fixed(draft.value, advice, plan.spec))} />`}
      </div>
      <div class="stack">
        <${DatasetCard} id=${datasetId} onTarget=${(/** @type {string} */ id, /** @type {string | null} */ target) => (draft.value = withDataset(draft.value, id, target))} />
        <${JobForm} text=${text} onText=${(/** @type {string} */ changed) => (draft.value = changed)} faults=${marks} resolved=${plan?.spec} />
      </div>
    </div>
  </main>`;
}

/** The text area, its line numbers and its faults. @param {{marks: Mark[]}} props */
function Editor({ marks }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const gutter = useRef(/** @type {HTMLDivElement | null} */ (null));
  const lines = draft.value.split("\n");
  const wrong = new Set(marks.map((mark) => mark.line));
  const goTo = (/** @type {Mark} */ mark) => {
    area.current?.focus();
    area.current?.setSelectionRange(mark.start, mark.end);
  };
  const scroll = () => gutter.current && (gutter.current.scrollTop = area.current?.scrollTop ?? 0);
  return html`<div class="editor">
      <div class="gutter" ref=${gutter} aria-hidden="true">
        ${lines.map((_, index) => html`<span class=${wrong.has(index + 1) ? "wrong" : ""}>${index + 1}</span>`)}
      </div>
      <textarea ref=${area} aria-labelledby="spec-title" aria-invalid=${marks.length > 0} aria-describedby="faults" spellcheck="false" autocapitalize="off" autocomplete="off"
        wrap="off" rows=${Math.max(14, Math.min(32, lines.length + 1))} value=${draft.value}
        onInput=${(/** @type {any} */ event) => (draft.value = event.target.value)} onScroll=${scroll}></textarea>
    </div>
    <ul class="faults" id="faults" aria-live="polite">
      ${marks.map((mark) => html`<li><button type="button" onClick=${() => goTo(mark)}>line ${mark.line}</button> <code>${mark.pointer || "/"}</code> ${mark.message}</li>`)}
    </ul>`;
}

/** @param {{plan: any, onFix: (advice: any) => void}} props */
const Plan = ({ plan, onFix }) => html`<section class="card" aria-label="What would run">
  <header><h2>What would run</h2></header>
  <dl class="facts">
    <dt>Rows</dt><dd>${number(plan.train_rows)} train, ${number(plan.validation_rows)} validate${plan.test_rows ? `, ${number(plan.test_rows)} test` : ""}</dd>
    <dt>Steps</dt><dd>${number(plan.total_steps)} (${number(plan.steps_per_epoch)} an epoch)</dd>
    <dt>Network</dt><dd>${number(plan.parameters)} parameters, ${many(plan.flops_per_step)} FLOPs a step</dd>
    <dt>Loss</dt><dd>${plan.spec.loss.name}</dd>
    <dt>Memory</dt><dd>about ${size(plan.memory_bytes)}</dd>
    <dt>Time</dt><dd>${duration(plan.seconds)} on one core, roughly</dd>
  </dl>
  ${plan.warnings.map((/** @type {any} */ advice) => html`<p class="warning" key=${advice.code}>
    <code>${advice.pointer}</code> ${advice.message}
    ${advice.fix.length > 0 && html` <button type="button" title=${pretty(advice.fix[0].value)} aria-label=${`Apply fix: ${advice.pointer}`} onClick=${() => onFix(advice)}>Apply fix</button>`}
  </p>`)}
</section>`;

/**
 * Ask the gateway what a spec would do, once nobody types any more.
 *
 * @param {string} text
 * @param {AbortSignal} signal
 */
async function validate(text, signal) {
  await sleep(VALIDATE_AFTER_MS);
  if (signal.aborted) return null;
  try {
    places(text);
  } catch (error) {
    if (error instanceof NotJson) return { plan: null, problem: null, marks: [unreadable(text, error)] };
    throw error;
  }
  try {
    const { data } = await call("/v1/jobs?validate_only=true", { method: "POST", json: JSON.parse(text), signal });
    return { plan: data, problem: null, marks: [] };
  } catch (error) {
    if (signal.aborted) return null;
    const problem = asProblem(error);
    return { plan: null, problem, marks: problem.faults.map((fault) => mark(text, fault)) };
  }
}

/** @param {string} text @param {{pointer: string, message: string}} fault @returns {Mark} */
function mark(text, { pointer, message }) {
  const [start, end] = locate(text, pointer);
  return { pointer, message, start, end, line: lineOf(text, start) };
}

/** @param {string} text @param {NotJson} error @returns {Mark} */
const unreadable = (text, { message, position }) => ({
  pointer: "",
  message,
  start: position,
  end: position + 1,
  line: lineOf(text, position),
});

/** @param {string} text @param {number} position */
const lineOf = (text, position) => text.slice(0, position).split("\n").length;

/** @param {string} text */
function tidy(text) {
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}

/** The spec after an advice's fix. @param {string} text @param {any} advice @param {any} resolved the whole spec that the fix is for. */
function fixed(text, advice, resolved) {
  try {
    return pretty(patched(JSON.parse(text), advice.fix, resolved));
  } catch {
    return text;
  }
}

/** The spec with another dataset; one that cannot be read is replaced. @param {string} text @param {string} id @param {string | null} target null for a text. */
function withDataset(text, id, target) {
  let spec;
  try {
    spec = JSON.parse(text);
  } catch {
    spec = {};
  }
  if (spec.dataset?.id === id && (target === null || spec.target === target)) return text;
  const { name, dataset: _, target: __, loss: ___, ...rest } = spec;
  if (target === null) rest.model = { name: "gpt" };
  return pretty({ name: name ?? "untitled", dataset: { id }, ...(target === null ? {} : { target }), ...rest });
}
