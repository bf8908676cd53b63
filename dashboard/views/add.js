// @ts-check
// New data: files that are dropped, or a URL that a worker fetches; and what has to be said where they do not say it.

import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { call, idempotencyKey } from "../api.js";
import { useFormats, useHosts } from "../catalog.js";
import { percent } from "../format.js";
import { Choice } from "../ui.js";
import { SizeForm } from "./columns.js";

const TABLES = ["csv", "tsv", "parquet", "feather", "jsonl"];
const BY_NAME = "as its name says";
const PARTS = [BY_NAME, "train", "validation", "test"];

/** @typedef {{name: string, summary: string, endings: string[]}} Format */
/** @typedef {{size?: [number, number], ending?: string, parts?: string[]}} Said what a person adds: the size of images, what the
 *   names would end with if they told the format, the part that each file holds */

/** @param {{work: import("../dataset.js").Work, onRead: (read: any) => void}} props */
export function AddData({ work, onRead }) {
  const formats = useFormats();
  const over = useSignal(false);
  const files = useSignal(/** @type {File[]} */ ([]));
  const again = useRef((/** @type {Said} */ _) => {});

  const fetchUrl = (/** @type {string} */ url, /** @type {Said} */ said = {}) => {
    files.value = [];
    again.current = (more) => fetchUrl(url, more);
    const filename = said.ending && withEnding(lastOf(url), said.ending);
    const json = { source: { url, ...(filename ? { filename } : {}) } };
    work.attempt("Asking for it…", () => post({ json }), onRead);
  };
  const send = (/** @type {File[]} */ chosen, /** @type {Said} */ said = {}) => {
    if (!chosen.length) return;
    files.value = chosen;
    again.current = (more) => send(chosen, { ...said, ...more });
    const names = chosen.map((file) => file.name).join(", ");
    const onSent = (/** @type {number} */ share) =>
      work.say(share < 1 ? { said: `Sending ${names}: ${percent(share)}`, share } : { said: `Reading ${names}…` });
    work.attempt(`Sending ${names}…`, () => post({ form: formOf(chosen, said, formats), onSent }), onRead);
  };
  useDrop(send, over);
  const isFault = (/** @type {(fault: import("../api.js").Fault) => boolean} */ test) => Boolean(work.problem?.faults.some(test));

  return html`<label class=${`drop ${over.value ? "over" : ""}`}>
      <input type="file" multiple onChange=${(/** @type {any} */ event) => { send([...event.target.files]); event.target.value = ""; }} />
      <span>${work.doing?.said ?? html`Drop a table, arrays, images or a text here, or <u>choose files</u>`}</span>
      ${work.doing?.share !== undefined && html`<progress max="1" value=${work.doing.share} aria-label="Sent"></progress>`}
      ${formats.length > 0 && html`<small>${formats.map((format) => html`<span title=${format.summary}>${format.endings.join(" ")}</span> `)} also .gz and .zst</small>`}
    </label>
    <${FromUrl} onUrl=${fetchUrl} />
    ${isFault(({ code }) => code === "unknown_format") && html`<${FormatForm} formats=${formats} onEnding=${(/** @type {string} */ ending) => again.current({ ending })} />`}
    ${files.value.length > 0 && isFault(({ pointer }) => pointer === "/image_size") && html`<${SizeForm} size=${[64, 64]} onSize=${(/** @type {[number, number]} */ size) => again.current({ size })} />`}
    ${files.value.length > 1 && files.value.every((file) => TABLES.includes(formatOf(file.name, formats)?.name ?? "")) && html`<${PartsForm} key=${files.value.map((file) => file.name).join("/")}
      files=${files.value} busy=${work.doing !== null} onParts=${(/** @type {string[]} */ parts) => again.current({ parts })} />`}`;
}

/** Take files that are dropped anywhere: a browser would leave the page for them. @param {(files: File[]) => void} onFiles @param {import("@preact/signals").Signal<boolean>} over */
function useDrop(onFiles, over) {
  const take = useRef(onFiles);
  take.current = onFiles;
  useEffect(() => {
    const stopped = new AbortController();
    const on = (/** @type {"dragover" | "dragleave" | "drop"} */ name, /** @type {(event: DragEvent) => void} */ act) =>
      addEventListener(name, (event) => event.dataTransfer?.types.includes("Files") && act(event), { signal: stopped.signal });
    on("dragover", (event) => {
      event.preventDefault();
      over.value = true;
    });
    on("dragleave", (event) => event.relatedTarget === null && (over.value = false));
    on("drop", (event) => {
      event.preventDefault();
      over.value = false;
      take.current([...(event.dataTransfer?.files ?? [])]);
    });
    return () => stopped.abort();
  }, []);
}

/** @param {{onUrl: (url: string) => void}} props */
function FromUrl({ onUrl }) {
  const hosts = useHosts();
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    onUrl(String(new FormData(event.target).get("url")));
  };
  return html`<details class="from-url"><summary>From a URL</summary>
    ${hosts?.length === 0
      ? html`<p class="note">This gateway fetches no files. Its operator allows hosts with <code>ANNEAL_FETCH_HOSTS</code>.</p>`
      : html`<form class="line" onSubmit=${submit}>
          <label class="wide">URL of a file <input type="url" name="url" required placeholder="https://host/path/data.csv" aria-describedby="hosts" /></label>
          <button>Fetch</button>
        </form>
        <p class="note" id="hosts">A worker fetches it${hosts && html` from ${hosts.map((host, index) => html`${index > 0 && ", "}<code>${host === "*" ? "any host" : host}</code>`)}`}.</p>`}
  </details>`;
}

/** Asked only where the names do not tell. @param {{formats: Format[], onEnding: (ending: string) => void}} props */
function FormatForm({ formats, onEnding }) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    onEnding(String(new FormData(event.target).get("ending")));
  };
  return html`<form class="line" onSubmit=${submit}>
    <label>What it holds <select name="ending">${formats.map((format) => html`<option value=${format.endings[0]}>${format.summary} (${format.endings[0]})</option>`)}</select></label>
    <button>Read it so</button>
  </form>`;
}

/** Which file trains and which judges, where it is not as the names say. @param {{files: File[], busy: boolean, onParts: (parts: string[]) => void}} props */
function PartsForm({ files, busy, onParts }) {
  const parts = useSignal(files.map(() => BY_NAME));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    onParts(parts.value);
  };
  return html`<form aria-label="What the files are for" onSubmit=${submit}>
    <ul class="files-of">${files.map((file, index) => html`<li><span>${file.name}</span> <${Choice} label=${`Part of ${file.name}`} options=${PARTS} value=${parts.value[index]}
      onChoice=${(/** @type {string} */ part) => (parts.value = parts.value.with(index, part))} /></li>`)}</ul>
    ${parts.value.some((part) => part !== BY_NAME) && html`<button disabled=${busy}>Send again with these parts</button>`}
  </form>`;
}

/** @param {import("../api.js").Options} body */
const post = async (body) => (await call("/v1/datasets", { method: "POST", headers: { "Idempotency-Key": idempotencyKey() }, ...body })).data;

/** @param {File[]} files @param {Said} said @param {Format[]} formats */
function formOf(files, { size, ending, parts }, formats) {
  const form = new FormData();
  files.forEach((file, index) => {
    const part = parts && parts[index] !== BY_NAME ? `${parts[index]}-` : ""; // the gateway goes by the first such word
    const name = ending && !formatOf(file.name, formats) ? withEnding(file.name, ending) : file.name;
    form.append("file", file, part + name);
  });
  if (size) form.append("image_size", size.join("x"));
  return form;
}

const COMPRESSED = /(\.(?:gz|zst))?$/i;

/** @param {string} name @param {string} ending */
const withEnding = (name, ending) => name.replace(COMPRESSED, `${ending}$1`);

/** @param {string} name @param {Format[]} formats */
const formatOf = (name, formats) => formats.find((format) => format.endings.some((ending) => name.toLowerCase().replace(COMPRESSED, "").endsWith(ending)));

/** @param {string} url */
const lastOf = (url) => url.split(/[?#]/)[0].split("/").at(-1) || "data";
