// @ts-check
// What a trained model says: how it goes on with a prompt, or what it predicts of a row or of a file's rows.

import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { call, fetchFile } from "../api.js";
import { number } from "../format.js";
import { asProblem } from "../live.js";
import { readModel } from "../model_file.js";
import { announcement, saveAs, Trouble } from "../ui.js";

/** A row of more numbers is typed as JSON, and of even more comes in a file. */
const MOST_FIELDS = 40;
const MOST_TYPED = 5000;
/** Classes whose probabilities are shown, the likeliest first. */
const SHOWN_CLASSES = 5;

/** @typedef {import("../api.js").Problem | null} Found */

/** @param {{job: any}} props a job that has succeeded. */
export function Ask({ job }) {
  const problem = useSignal(/** @type {Found} */ (null));
  const busy = useSignal(false);
  const attempt = async (/** @type {() => Promise<void>} */ task) => {
    busy.value = true;
    try {
      await task();
      problem.value = null;
    } catch (error) {
      problem.value = asProblem(error);
    }
    busy.value = false;
  };
  const Form = "context" in job.spec.model ? PromptForm : Rows;
  return html`<section class="card ask" aria-label="Ask the model" aria-busy=${busy.value}>
    <header><h2>Ask the model</h2></header>
    <${Form} job=${job} busy=${busy.value} attempt=${attempt} />
    <${Trouble} problem=${problem.value} />
  </section>`;
}

/** @typedef {{job: any, busy: boolean, attempt: (task: () => Promise<void>) => Promise<void>}} Props */

/** @param {Props} props */
function PromptForm({ job, busy, attempt }) {
  const written = useSignal(/** @type {{prompt: string, text: string} | null} */ (null));
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    const { prompt, ...numbers } = Object.fromEntries(new FormData(event.target));
    const asked = { prompt: String(prompt), ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Number(value)])) };
    attempt(async () => {
      const { predictions } = await predict(job.id, asked);
      written.value = { prompt: asked.prompt, text: predictions[0] };
      announcement.value = "The model has written";
    });
  };
  return html`<form onSubmit=${submit}>
      <label>Prompt <textarea name="prompt" rows="3" required placeholder="How the text begins"></textarea></label>
      <div class="line">
        <label title="How many tokens to write">Length <input type="number" name="length" min="1" max="10000" required defaultValue="200" /></label>
        <label title="0 always takes the likeliest token; more gives chance more room">Temperature <input type="number" name="temperature" min="0" max="100" step="any" required defaultValue="1" /></label>
        <label title="The same seed writes the same text">Seed <input type="number" name="seed" min="0" required defaultValue="0" /></label>
        <button class="primary" disabled=${busy}>${busy ? "Writing…" : "Write on"}</button>
      </div>
    </form>
    ${written.value && html`<output class="written"><b>${written.value.prompt}</b>${written.value.text}</output>`}`;
}

/** @param {Props} props */
function Rows({ job, busy, attempt }) {
  const model = useSignal(/** @type {{columns: import("../model_file.js").ModelColumn[], row: Record<string, any>} | null} */ (null));
  const answer = useSignal(/** @type {any} */ (null));
  useEffect(() => {
    attempt(async () => {
      const { columns, row } = await readModel(job.id);
      const known = Object.entries(await firstRow(job.spec.dataset.id)).filter(([name]) => columns.some((column) => column.name === name && column.size === 1));
      model.value = { columns, row: { ...row, ...Object.fromEntries(known) } };
    });
  }, [job.id]);
  const ask = (/** @type {() => Record<string, any>} */ read) =>
    attempt(async () => {
      answer.value = await predict(job.id, { rows: [read()] });
      announcement.value = answer.value.reconstructions ? `The row comes back with an error of ${answer.value.predictions[0]}` : `The model says ${answer.value.predictions[0]}`;
    });
  const { columns, row } = model.value ?? { columns: [], row: {} };
  const numbers = columns.reduce((sum, column) => sum + column.size, 0);
  const Form = numbers === columns.length && numbers <= MOST_FIELDS ? Fields : Json;
  return html`${numbers > 0 && numbers <= MOST_TYPED && html`<${Form} columns=${columns} row=${row} busy=${busy} ask=${ask} />
    ${answer.value && html`<${Answer} answer=${answer.value} />`}`}
    <${FileForm} job=${job} busy=${busy} attempt=${attempt} />`;
}

/** @typedef {{columns: import("../model_file.js").ModelColumn[], row: Record<string, any>, busy: boolean, ask: (read: () => Record<string, any>) => void}} RowProps */

/** @param {RowProps} props */
function Fields({ columns, row, busy, ask }) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    ask(() => Object.fromEntries(columns.map((column, index) => [column.name, given.get(String(index)) || null])));
  };
  return html`<form onSubmit=${submit}>
    <div class="row-form">${columns.map((column, index) => html`<label>${column.name} <${Cell} column=${column} place=${index} value=${row[column.name]} /></label>`)}</div>
    <${PredictButton} busy=${busy} />
  </form>`;
}

/** A row of many numbers, as the API takes it. @param {RowProps} props */
function Json({ row, busy, ask }) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    const text = String(new FormData(event.target).get("row"));
    ask(() => JSON.parse(text));
  };
  return html`<form onSubmit=${submit}>
    <label>A row as JSON <textarea name="row" class="json" rows="6" spellcheck="false" required defaultValue=${linesOf(row)}></textarea></label>
    <${PredictButton} busy=${busy} />
  </form>`;
}

/** @param {Record<string, any>} row as JSON, a line for each column. */
const linesOf = (row) => `{\n${Object.entries(row).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(",\n")}\n}`;

/** @param {{busy: boolean}} props */
const PredictButton = ({ busy }) => html`<div class="line"><button class="primary" disabled=${busy}>${busy ? "Asking…" : "Predict"}</button></div>`;

/** @param {{column: import("../model_file.js").ModelColumn, place: number, value: any}} props */
const Cell = ({ column, place, value }) =>
  column.categories
    ? html`<select name=${place}>
        ${column.fill !== null && html`<option value="">missing</option>`}
        ${column.categories.map((category) => html`<option value=${category} selected=${category === String(value)}>${category}</option>`)}
      </select>`
    : html`<input type=${column.dates ? "date" : "number"} step="any" name=${place} required=${column.fill === null} defaultValue=${value ?? ""} placeholder=${column.fill === null ? "" : "missing"} />`;

/** @param {{answer: any}} props */
const Answer = ({ answer }) => (answer.reconstructions ? html`<${GivenBack} answer=${answer} />` : html`<${Said} answer=${answer} />`);

/** How far an autoencoder's row is from what came back. @param {{answer: any}} props */
function GivenBack({ answer }) {
  const [[error], [code], [row]] = [answer.predictions, answer.codes, answer.reconstructions];
  return html`<output class="said">error: <b>${number(error)}</b>
    <small>code ${code.map((/** @type {number} */ part) => number(part, 3)).join(", ")}</small>
    <details><summary>What came back</summary><pre>${linesOf(row)}</pre></details></output>`;
}

/** @param {{answer: any}} props */
function Said({ answer }) {
  const [said] = answer.predictions;
  const shares = (answer.probabilities?.[0] ?? []).map((/** @type {number} */ share, /** @type {number} */ index) => ({ name: answer.classes[index], share }));
  const likeliest = shares.sort((/** @type {any} */ a, /** @type {any} */ b) => b.share - a.share).slice(0, SHOWN_CLASSES);
  return html`<output class="said">${answer.target ?? "target"}: <b>${typeof said === "number" ? number(said) : said ?? "no finite number"}</b>
    ${likeliest.length > 0 && html` <small>${likeliest.map((/** @type {any} */ { name, share }) => `${name} ${number(share, 3)}`).join(" · ")}</small>`}</output>`;
}

/** @param {Props} props */
function FileForm({ job, busy, attempt }) {
  const send = (/** @type {any} */ event) => {
    const [file] = event.target.files;
    event.target.value = ""; // the same file again is a change too
    if (!file) return;
    attempt(async () => {
      const form = new FormData();
      form.append("file", file);
      saveAs("predictions.csv", await fetchFile(`/v1/jobs/${job.id}/predict`, { method: "POST", form }));
      announcement.value = "Saved predictions.csv";
    });
  };
  return html`<label class="line note">A table, arrays or a zip of images to predict; it comes back as a table with the answers
    <input type="file" aria-label="Rows to predict" disabled=${busy} onChange=${send} /></label>`;
}

/** @param {string} job @param {any} asked @returns {Promise<any>} */
const predict = async (job, asked) => JSON.parse(await (await fetchFile(`/v1/jobs/${job}/predict`, { method: "POST", json: asked })).text());

/** The first row of an upload, to begin with. @param {string | undefined} dataset @returns {Promise<Record<string, any>>} */
async function firstRow(dataset) {
  if (!dataset) return {};
  const zip = (/** @type {any} */ { data }) => Object.fromEntries(data.columns.map((/** @type {string} */ name, /** @type {number} */ place) => [name, data.rows[0]?.[place]]));
  return call(`/v1/datasets/${dataset}/preview`).then(zip, () => ({})); // it may have been deleted since
}
