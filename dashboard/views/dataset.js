// @ts-check
// A file that is dropped, or a dataset that is there: its columns as they were read, corrected, one of them the target.

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { signal, useSignal } from "@preact/signals";
import { call, fetchFile, idempotencyKey } from "../api.js";
import { number, size } from "../format.js";
import { asProblem } from "../live.js";
import { Trouble } from "../ui.js";

/** The dataset that was looked at last; kept while other views are looked at. @type {import("@preact/signals").Signal<any>} */
export const dataset = signal(null);
const TYPES = ["numeric", "category", "text"];
const MISSING = ["error", "mean", "median", "most_frequent", "indicator"];

/** @param {{id?: string, onTarget: (id: string, target: string) => void}} props `id` of the dataset to show at first */
export function DatasetCard({ id, onTarget }) {
  const problem = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  const over = useSignal(false);
  const busy = useSignal("");

  const attempt = async (/** @type {string} */ doing, /** @type {() => Promise<any>} */ task) => {
    busy.value = doing;
    try {
      dataset.value = await task();
      problem.value = null;
    } catch (error) {
      problem.value = asProblem(error);
    }
    busy.value = "";
  };
  const take = async (/** @type {any} */ data) => {
    const read = await whole(data);
    if (read.state === "ready" && read.target) onTarget(read.id, read.target);
    return read;
  };
  const upload = (/** @type {FileList | null | undefined} */ files) =>
    files?.length && attempt(`Reading ${files[0].name}…`, async () => {
      const form = new FormData();
      for (const file of files) form.append("file", file);
      const { data } = await call("/v1/datasets", { method: "POST", form, headers: { "Idempotency-Key": idempotencyKey() } });
      return take(data);
    });
  useEffect(() => {
    if (id && dataset.value?.id !== id) attempt("Opening…", async () => take((await call(`/v1/datasets/${id}`)).data));
  }, [id]);
  const change = (/** @type {any} */ body) =>
    attempt("Saving…", async () => (await call(`/v1/datasets/${dataset.value.id}`, { method: "PATCH", json: body })).data);
  const choose = (/** @type {string} */ target) => {
    dataset.value = { ...dataset.value, target };
    onTarget(dataset.value.id, target);
    return change({ target });
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    over.value = false;
    upload(event.dataTransfer?.files);
  };
  const known = dataset.value;

  return html`<section class=${`card dataset ${over.value ? "over" : ""}`} aria-label="Your data"
    onDragOver=${(/** @type {Event} */ event) => { event.preventDefault(); over.value = true; }} onDragLeave=${() => (over.value = false)} onDrop=${drop}>
    <header><h2>Your data</h2></header>
    <label class="drop">
      <input type="file" multiple onChange=${(/** @type {any} */ event) => upload(event.target.files)} />
      <span>${busy.value || html`Drop a table, arrays or a zip of images here, or <u>choose files</u>`}</span>
    </label>
    <${Trouble} problem=${problem.value} />
    ${known?.state === "failed" && html`<p class="trouble" role="alert">${known.error?.message}</p>`}
    ${known?.state === "ready" && html`<${Columns} known=${known} change=${change} choose=${choose} />`}
  </section>`;
}

/** @param {{known: any, change: (body: any) => void, choose: (target: string) => void}} props */
const Columns = ({ known, change, choose }) => html`<p class="note">${known.name} · ${number(known.rows)} rows · ${size(known.bytes)}. Choose the column to predict.</p>
  ${known.warnings.map((/** @type {any} */ fault) => html`<p class="warning">${fault.message}</p>`)}
  ${[2, 3].includes(known.array?.length) && html`<${Images} known=${known} />`}
  <div class="table-scroll"><table class="columns-table">
    <thead><tr><th scope="col">Target</th><th scope="col">Column</th><th scope="col">Type</th><th scope="col">Missing</th></tr></thead>
    <tbody>${known.columns.map((/** @type {any} */ column) => html`<tr key=${column.name}>
      <td>${column.type !== "array" && html`<input type="radio" name="target" aria-label=${`Predict ${column.name}`} checked=${known.target === column.name} onChange=${() => choose(column.name)} />`}</td>
      <th scope="row">${column.name} <small>${about(column.stats)}</small></th>
      <td><${Choice} label=${`Type of ${column.name}`} options=${[...(column.type === "array" ? ["array"] : TYPES), "ignore"]} value=${column.role === "ignore" ? "ignore" : column.type}
        onChoice=${(/** @type {string} */ type) => change({ columns: [type === "ignore" ? { name: column.name, role: "ignore" } : { name: column.name, type, ...(column.role === "ignore" ? { role: "feature" } : {}) }] })} /></td>
      <td>${column.stats.missing ? html`${number(column.stats.missing)} <${Choice} label=${`Missing values of ${column.name}`} options=${MISSING} value=${column.missing}
        onChoice=${(/** @type {string} */ missing) => change({ columns: [{ name: column.name, missing }] })} />` : "–"}</td>
    </tr>`)}</tbody>
  </table></div>`;

/** The first images; an <img> with their address would send no key. @param {{known: any}} props */
function Images({ known }) {
  const source = useSignal("");
  useEffect(() => {
    const reader = new FileReader();
    reader.onload = () => (source.value = String(reader.result));
    fetchFile(`/v1/datasets/${known.id}/images.png`).then((file) => reader.readAsDataURL(file), () => {});
  }, [known.id, known.version]);
  return source.value && html`<img class="images" src=${source.value} alt=${`The first images of ${known.name}`} />`;
}

/** @param {{label: string, options: string[], value: string, onChoice: (value: string) => void}} props */
const Choice = ({ label, options, value, onChoice }) => html`<select aria-label=${label} value=${value} onChange=${(/** @type {any} */ event) => onChoice(event.target.value)}>
  ${options.map((option) => html`<option value=${option}>${option}</option>`)}
</select>`;

/** @param {any} stats */
const about = (stats) =>
  stats.shape.length ? `${stats.shape.join(" × ")} numbers` :
  stats.minimum != null && stats.maximum != null ? `${number(stats.minimum, 3)} to ${number(stats.maximum, 3)}` : `${number(stats.distinct)} values`;

/** Wait until a dataset has been read. @param {any} data @returns {Promise<any>} */
async function whole(data) {
  let known = data;
  let etag = "";
  while (!known.terminal) {
    const answer = await call(`/v1/datasets/${known.id}`, { headers: { Prefer: "wait=10", ...(etag ? { "If-None-Match": etag } : {}) } });
    etag = answer.etag ?? "";
    if (answer.data) known = answer.data;
    if (!known.terminal) await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return known;
}
