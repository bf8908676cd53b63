// @ts-check
// The small parts that several views share.

import { html } from "htm/preact";
import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { askForKey, fetchFile, storedKey } from "./api.js";
import { duration } from "./format.js";
import { asProblem } from "./live.js";

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
    ${problem.status === 401 && html`<button onClick=${askForKey}>Give a key</button>`}
    ${problem.requestId && html`<small>request ${problem.requestId}</small>`}
  </div>`;
}

/** Enough of a file to know that it is there. */
const FIRST_BYTE = { headers: { Range: "bytes=0-0" } };

/**
 * A link to a file, which a tab shows or `save` saves. A link sends no key, so where one is kept the file is fetched with
 * it, and saved: a tab that opens after the answer came would be blocked as a pop-up. What a worker has to make first is
 * waited for here: a browser would save the answer that says so.
 *
 * @param {{href: string, name: string, save?: boolean, made?: boolean, onProblem: (problem: import("./api.js").Problem | null) => void,
 *   children: any}} props
 */
export function FileLink({ href, name, save, made, onProblem, children }) {
  const [busy, setBusy] = useState(false);
  const fetchAndSave = async (/** @type {Event} */ event) => {
    const keyed = storedKey() !== null;
    if (!keyed && !made) return;
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      const file = await fetchFile(href, keyed ? {} : FIRST_BYTE);
      if (keyed) saveAs(name, file);
      else download(href, name);
      announcement.value = `Saved ${name}`;
      onProblem(null);
    } catch (error) {
      onProblem(asProblem(error));
    }
    setBusy(false);
  };
  const way = save || storedKey() ? { download: name } : { target: "_blank", rel: "noopener" };
  return html`<a href=${href} ...${way} aria-busy=${busy} onClick=${fetchAndSave}>${children}${busy && made && " (a worker writes it…)"}</a>`;
}

/** @param {string} name @param {Blob} file */
export function saveAs(name, file) {
  const address = URL.createObjectURL(file);
  download(address, name);
  // Browsers read the address after the click; kept, it would hold the file in memory.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** @param {string} href @param {string} name */
function download(href, name) {
  const link = document.createElement("a");
  Object.assign(link, { href, download: name });
  link.click();
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

/** @param {{label: string, options: string[], value: string, onChoice: (value: string) => void}} props */
export const Choice = ({ label, options, value, onChoice }) => html`<select aria-label=${label} value=${value} onChange=${(/** @type {any} */ event) => onChoice(event.target.value)}>
  ${options.map((option) => html`<option value=${option}>${option}</option>`)}
</select>`;

/** A picture of the gateway's, shown once it is there; an <img> with its address would send no key. @param {{path: string, about: string}} props */
export function Picture({ path, about }) {
  const source = useSignal("");
  useEffect(() => {
    fetchFile(path).then(async (file) => (source.value = `data:image/svg+xml,${encodeURIComponent(await file.text())}`), () => {});
  }, [path]);
  return source.value && html`<figure class="card picture" tabindex="0"><img src=${source.value} alt=${about} /><figcaption class="note">${about}</figcaption></figure>`;
}

/** A page over plain HTTP on a network has no clipboard of its own. @param {string} text @param {HTMLTextAreaElement | null} area */
async function writeClipboard(text, area) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  if (!area) return;
  area.value = text;
  area.select();
  document.execCommand("copy");
}
