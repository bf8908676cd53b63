// @ts-check
// The small parts that several views share.

import { html } from "htm/preact";
import { signal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";
import { duration } from "./format.js";

/** What a screen reader is told when something changes by itself. */
export const announcement = signal("");

/** @param {{state: string}} props */
export const State = ({ state }) => html`<span class=${`state ${state}`}><i></i>${state}</span>`;

/** @param {{job: any, showEta?: boolean}} props */
export function Progress({ job, showEta = true }) {
  const { step, total_steps: total, eta_seconds: eta } = job.progress;
  const share = total ? Math.min(1, step / total) : 0;
  return html`<div class="progress">
    <progress class=${job.state} max="1" value=${share} aria-label=${`${job.name}: ${Math.round(share * 100)}%`}></progress>
    <span>${Math.round(share * 100)}%${showEta && !job.terminal && eta != null ? html` · ${duration(eta)} left` : ""}</span>
  </div>`;
}

/** An error as a sentence and where it points. @param {{problem: import("./api.js").Problem | null}} props */
export function Trouble({ problem }) {
  if (!problem) return null;
  const faults = problem.faults.filter((fault) => fault.message !== problem.message);
  return html`<div class="trouble" role="alert">
    <p>${problem.message}</p>
    ${faults.length > 0 && html`<ul>${faults.map((fault) => html`<li><code>${fault.pointer || "/"}</code> ${fault.message}</li>`)}</ul>`}
    ${problem.requestId && html`<small>request ${problem.requestId}</small>`}
  </div>`;
}

/** A button that copies text and says so. @param {{text: () => string, children: any}} props */
export function Copy({ text, children }) {
  const [copied, setCopied] = useState(false);
  const fallback = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const copy = async () => {
    await writeClipboard(text(), fallback.current);
    setCopied(true);
    announcement.value = "Copied";
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<button onClick=${copy}>${copied ? "Copied ✓" : children}</button>
    <textarea class="visually-hidden" tabindex="-1" aria-hidden="true" ref=${fallback}></textarea>`;
}

/** A page over plain HTTP on a network has no clipboard of its own. @param {string} text @param {HTMLTextAreaElement | null} area */
async function writeClipboard(text, area) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  if (!area) return;
  area.value = text;
  area.select();
  document.execCommand("copy");
}
