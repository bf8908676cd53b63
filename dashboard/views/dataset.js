// @ts-check
// Files that are dropped, or a dataset that is there: read, and shown with what can be corrected.

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { signal, useSignal } from "@preact/signals";
import { call, idempotencyKey } from "../api.js";
import { useFormats } from "../catalog.js";
import { number } from "../format.js";
import { asProblem, sleep } from "../live.js";
import { Trouble } from "../ui.js";
import { Columns, SizeForm } from "./columns.js";

/** The dataset that was looked at last; kept while other views are looked at. @type {import("@preact/signals").Signal<any>} */
export const dataset = signal(null);

/** @param {{id?: string, onTarget: (id: string, target: string | null) => void}} props `id` of the dataset to show at first */
export function DatasetCard({ id, onTarget }) {
  const problem = useSignal(/** @type {import("../api.js").Problem | null} */ (null));
  const over = useSignal(false);
  const busy = useSignal("");
  const dropped = useRef(/** @type {File[]} */ ([]));

  const last = useRef(Promise.resolve());
  // One after the other: while a correction has the file read again, the gateway takes no other.
  const attempt = (/** @type {string} */ doing, /** @type {() => Promise<any>} */ task) =>
    (last.current = last.current.then(async () => {
      busy.value = doing;
      try {
        dataset.value = await task();
        problem.value = null;
      } catch (error) {
        problem.value = asProblem(error);
      }
      busy.value = "";
    }));
  const whole = (/** @type {any} */ data) =>
    untilRead(data, (/** @type {any} */ { name, progress }) => {
      busy.value = `Reading ${name}…${progress?.rows_read ? ` ${number(progress.rows_read)} rows` : ""}`;
    });
  const take = async (/** @type {any} */ data) => {
    const read = await whole(data);
    if (read.state === "ready" && (read.target || read.format === "text")) onTarget(read.id, read.target);
    return read;
  };
  const send = (/** @type {[number, number] | null} */ imageSize) =>
    attempt(`Sending ${dropped.current.map((file) => file.name).join(", ")}…`, async () => {
      const form = new FormData();
      for (const file of dropped.current) form.append("file", file);
      if (imageSize) form.append("image_size", imageSize.join("x"));
      const { data } = await call("/v1/datasets", { method: "POST", form, headers: { "Idempotency-Key": idempotencyKey() } });
      return take(data);
    });
  const upload = (/** @type {FileList | null | undefined} */ files) => {
    if (!files?.length) return;
    dropped.current = [...files];
    send(null);
  };
  useEffect(() => {
    if (id && dataset.value?.id !== id) attempt("Opening…", async () => take((await call(`/v1/datasets/${id}`)).data));
  }, [id]);
  const change = (/** @type {any} */ body) =>
    attempt("Saving…", async () => whole((await call(`/v1/datasets/${dataset.value.id}`, { method: "PATCH", json: body })).data));
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
  const sizeWanted = dropped.current.length > 0 && problem.value?.faults.some((fault) => fault.pointer === "/image_size");

  return html`<section class=${`card dataset ${over.value ? "over" : ""}`} aria-label="Your data"
    onDragOver=${(/** @type {Event} */ event) => { event.preventDefault(); over.value = true; }} onDragLeave=${() => (over.value = false)} onDrop=${drop}>
    <header><h2>Your data</h2></header>
    <label class="drop">
      <input type="file" multiple onChange=${(/** @type {any} */ event) => upload(event.target.files)} />
      <span>${busy.value || html`Drop a table, arrays, images or a text here, or <u>choose files</u>`}</span>
      <${Endings} />
    </label>
    <${Trouble} problem=${problem.value} />
    ${sizeWanted && html`<${SizeForm} size=${[64, 64]} onSize=${send} />`}
    ${known?.state === "failed" && html`<p class="trouble" role="alert">${known.error?.message}</p>`}
    ${known?.state === "ready" && html`<${Columns} known=${known} change=${change} choose=${choose} />`}
  </section>`;
}

/** What files can be; a chooser that showed these alone would hide MNIST's, whose names have no dot. */
function Endings() {
  const formats = useFormats();
  return formats.length > 0 && html`<small>${formats.map((format) => html`<span title=${format.summary}>${format.endings.join(" ")}</span> `)} also .gz and .zst</small>`;
}

/** Wait until a dataset has been read. @param {any} data @param {(known: any) => void} tell hears how far it is. @returns {Promise<any>} */
async function untilRead(data, tell) {
  let known = data;
  let etag = "";
  while (!known.terminal) {
    tell(known);
    const answer = await call(`/v1/datasets/${known.id}`, { headers: { Prefer: "wait=10", ...(etag ? { "If-None-Match": etag } : {}) } });
    etag = answer.etag ?? "";
    if (answer.data) known = answer.data;
    if (!known.terminal) await sleep(300);
  }
  return known;
}
