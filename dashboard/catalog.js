// @ts-check
// What a job may say: its schema and the entries of the catalog, held for as long as the page is open.

import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { call } from "./api.js";
import { asProblem } from "./live.js";

/** @typedef {{[key: string]: any}} Schema a JSON Schema */
/** @typedef {{kind: string, name: string, summary: string, description: string, formula: string, pitfall: string, paper: string,
 *   target: string | null, knobs: Record<string, Schema>, definitions: Record<string, Schema>}} Entry */
/** @typedef {{data: any, problem: import("./api.js").Problem | null}} Held */

/** @typedef {{answer: import("@preact/signals").Signal<Held>, etag: string, asking: boolean}} Document */

/** @type {Map<string, Document>} */
const documents = new Map();

/**
 * Documents of the gateway's that rarely change: fetched when a view first needs them, asked for again, at the price of a
 * 304, when another does.
 *
 * @param {string[]} paths
 * @returns {Held[]} `data` is null until the first answer.
 */
function useDocuments(paths) {
  useEffect(() => paths.forEach((path) => ask(path, documentAt(path))), [paths.join(" ")]);
  return paths.map((path) => documentAt(path).answer.value);
}

/** @param {string} path @returns {Document} */
function documentAt(path) {
  const known = documents.get(path) ?? { answer: signal(/** @type {Held} */ ({ data: null, problem: null })), etag: "", asking: false };
  documents.set(path, known);
  return known;
}

/** @param {string} path @param {Document} document */
async function ask(path, document) {
  if (document.asking) return;
  document.asking = true;
  try {
    const { data, etag } = await call(path, { headers: document.etag ? { "If-None-Match": document.etag } : {} });
    document.etag = etag ?? "";
    if (data) document.answer.value = { data, problem: null };
  } catch (error) {
    document.answer.value = { ...document.answer.value, problem: asProblem(error) };
  }
  document.asking = false;
}

/** The JSON Schema of a job; where it holds an entry it has the entry's kind under `catalog`. */
export const useJobSchema = () => useDocuments(["/v1/jobs/schema"])[0];

/** The kinds of files that can be datasets. @returns {{name: string, summary: string, endings: string[]}[]} none until they are there. */
export const useFormats = () => useDocuments(["/v1/datasets/formats"])[0].data?.data ?? [];

/** From where a worker may fetch datasets. @returns {string[] | null} null until it is known. */
export const useHosts = () => useDocuments(["/v1/datasets/hosts"])[0].data?.data.map((/** @type {any} */ host) => host.pattern) ?? null;

/**
 * The entries of some kinds.
 *
 * @param {string[]} kinds "" stands for all of them.
 * @returns {{entries: Entry[] | null, problem: import("./api.js").Problem | null}} `entries` is null until all are there.
 */
export function useEntries(kinds) {
  const held = useDocuments(kinds.map((kind) => `/v1/catalog${kind && `/${kind}`}`));
  const problem = held.find((one) => one.problem)?.problem ?? null;
  return { entries: held.every((one) => one.data) ? held.flatMap((one) => one.data.data) : null, problem };
}

/**
 * The entries that a person may mean, the likeliest first: each word stands in the name, the summary or the paper.
 *
 * @param {Entry[]} entries
 * @param {string} query
 * @returns {Entry[]}
 */
export function search(entries, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return entries;
  const ranked = entries.map((entry) => ({ entry, rank: Math.max(...words.map((word) => rankOf(entry, word))) }));
  // A sort keeps the order of equals, which is the order of the catalog.
  return ranked.filter(({ rank }) => rank < Infinity).sort((a, b) => a.rank - b.rank).map(({ entry }) => entry);
}

/** How far a word is from an entry; Infinity where it has nothing to do with it. @param {Entry} entry @param {string} word */
function rankOf({ name, summary, paper }, word) {
  const plain = name.replaceAll("_", "");
  if (name === word || plain === word) return 0;
  if (name.startsWith(word) || plain.startsWith(word)) return 1;
  if (name.includes(word) || plain.includes(word)) return 2;
  return `${summary} ${paper}`.toLowerCase().includes(word) ? 3 : Infinity;
}
