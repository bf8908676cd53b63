// @ts-check
// The page itself: which view the address asks for, the frame around it, the keys.

import { html, render } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { keyWanted, storedKey } from "./api.js";
import { announcement } from "./ui.js";
import { CatalogView } from "./views/catalog.js";
import { DatasetView } from "./views/dataset_page.js";
import { DatasetsView } from "./views/datasets.js";
import { JobView } from "./views/job.js";
import { JobsView } from "./views/jobs.js";
import { ModelsView } from "./views/models.js";
import { NewJobView } from "./views/new.js";
import { WorkersView } from "./views/workers.js";

const route = signal(location.hash);
const help = signal(false);
addEventListener("hashchange", () => (route.value = location.hash));

const KEYS = [
  ["j", "jobs", () => (location.hash = "#/")],
  ["n", "new job", () => (location.hash = "#/new")],
  ["d", "datasets", () => (location.hash = "#/datasets")],
  ["m", "models", () => (location.hash = "#/models")],
  ["c", "catalog", () => (location.hash = "#/catalog")],
  ["w", "workers", () => (location.hash = "#/workers")],
  ["l", "log or linear loss", () => tell("l")],
  ["r", "show all steps again", () => tell("r")],
  ["?", "these keys", () => (help.value = !help.value)],
];

/** @param {string} key for the view that listens. */
const tell = (key) => dispatchEvent(new CustomEvent("anneal:key", { detail: key }));

addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLElement && event.target.matches("input:not([type=checkbox]), textarea, select, dialog[open] *");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const [, , act] = KEYS.find(([key]) => key === event.key) ?? [];
  if (typeof act === "function") act();
});

/** @param {string} hash @returns {{title: string, at: string, view: any}} */
function find(hash) {
  const [, noun = "", id, name] = hash.split("/");
  if (noun === "jobs" && id) return { title: "Job", at: "", view: html`<${JobView} key=${id} id=${id} />` };
  if (noun === "new") return { title: "New job", at: "#/new", view: html`<${NewJobView} datasetId=${id} />` };
  if (noun === "catalog") return { title: name || "Catalog", at: "#/catalog", view: html`<${CatalogView} kind=${id} name=${name} />` };
  if (noun === "datasets" && id) return { title: "Dataset", at: "#/datasets", view: html`<${DatasetView} key=${id} id=${id} />` };
  if (noun === "datasets") return { title: "Datasets", at: "#/datasets", view: html`<${DatasetsView} />` };
  if (noun === "models") return { title: "Models", at: "#/models", view: html`<${ModelsView} />` };
  if (noun === "workers") return { title: "Workers", at: "#/workers", view: html`<${WorkersView} />` };
  return { title: "Jobs", at: "#/", view: html`<${JobsView} />` };
}

function App() {
  const { title, at, view } = find(route.value);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${title} · Anneal`;
    scrollTo(0, 0);
    // A new view is read out from its start, as a new page would be.
    if (!first.current) document.getElementById("main")?.focus({ preventScroll: true });
    first.current = false;
  }, [route.value]);
  const link = (/** @type {string} */ href, /** @type {string} */ text) =>
    html`<a href=${href} aria-current=${at === href ? "page" : undefined}>${text}</a>`;
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <nav aria-label="Main">
      <a class="brand" href="#/" aria-label="Anneal"><img src="/assets/favicon.svg" alt="" width="24" height="24" /><span>Anneal</span></a>
      ${link("#/", "Jobs")} ${link("#/new", "New job")} ${link("#/datasets", "Datasets")} ${link("#/models", "Models")} ${link("#/catalog", "Catalog")} ${link("#/workers", "Workers")}
      <a class="end" href="/docs">API</a>
      <button class="quiet" aria-label="Keyboard keys" title="Keyboard keys" onClick=${() => (help.value = true)}>?</button>
    </nav>
    ${view}
    ${help.value && html`<${Help} />`} ${keyWanted.value && html`<${AskForKey} answer=${keyWanted.value} />`}
    <div class="visually-hidden" role="status" aria-live="polite">${announcement.value}</div>`;
}

/** @param {Event} event the address after # is the route, so the link cannot do this by itself. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

const Help = () => html`<${Dialog} title="Keys" onClose=${() => (help.value = false)}>
  <dl class="facts">${KEYS.map(([key, about]) => html`<dt><kbd>${key}</kbd></dt><dd>${about}</dd>`)}
    <dt><kbd>←</kbd> <kbd>→</kbd></dt><dd>read a chart that has the focus</dd></dl>
  <form method="dialog"><button class="primary">Close</button></form>
<//>`;

/** @param {{answer: (key: string | null) => void}} props */
function AskForKey({ answer }) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    answer(new FormData(event.target).get("key")?.toString().trim() || null);
  };
  return html`<${Dialog} title="API key" onClose=${() => answer(null)}>
    <p>${storedKey() ? "The gateway refuses the key that this browser keeps." : "This gateway asks for a key."} <code>anneal keys create</code> makes one; this browser keeps it.</p>
    <form onSubmit=${submit}>
      <label>Key <input name="key" type="password" autocomplete="off" placeholder="ann_…" autofocus /></label>
      <button class="primary">Continue</button>
    </form>
  <//>`;
}

/** @param {{title: string, onClose: () => void, children: any}} props */
function Dialog({ title, onClose, children }) {
  const place = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => place.current?.showModal(), []);
  return html`<dialog ref=${place} aria-label=${title} onClose=${onClose}><h2>${title}</h2>${children}</dialog>`;
}

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
