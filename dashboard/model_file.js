// @ts-check
// What a trained model reads: its raw columns and a row of them, from its file.

import { fetchFile } from "./api.js";
import { day } from "./format.js";

/** @typedef {{name: string, categories: string[] | null, encoding: string, size: number, dates: boolean,
 *   fill: number | null}} ModelColumn */

/** A safetensors file begins with the length of its header, and the header, which is JSON. */
const LENGTH_BYTES = 8;

/** What preparation has where it moves and stretches numbers, and nothing else. */
const [SHIFT, AFFINE] = ["preparation/numeric.shift", ["preparation/numeric.scale", "preparation/numeric.shift"]];

/**
 * The raw columns that a job's model needs for a prediction, and a row in the middle of what it learned from, or near: the
 * numbers that the preparation subtracts.
 *
 * @param {string} job
 * @returns {Promise<{columns: ModelColumn[], row: Record<string, any>}>}
 * @throws {import("./api.js").Problem}
 */
export async function readModel(job) {
  const path = `/v1/jobs/${job}/model`;
  const length = Number(new DataView(await part(path, 0, LENGTH_BYTES)).getBigUint64(0, true));
  const { __metadata__: about, ...tensors } = JSON.parse(new TextDecoder().decode(await part(path, LENGTH_BYTES, length)));
  /** @type {ModelColumn[]} */
  const columns = JSON.parse(about.preparation).columns ?? [];
  const fitted = Object.keys(tensors).filter((name) => name.startsWith("preparation/numeric."));
  if (!columns.length || String(fitted.sort()) !== String(AFFINE)) return { columns, row: rowOf(columns, []) };
  const [start, end] = tensors[SHIFT].data_offsets;
  return { columns, row: rowOf(columns, [...new Float64Array(await part(path, LENGTH_BYTES + length + start, end - start))]) };
}

/** A value for each column; `numbers` holds those of the scaled inputs, in their order. @param {ModelColumn[]} columns @param {number[]} numbers */
function rowOf(columns, numbers) {
  let place = 0;
  const value = (/** @type {ModelColumn} */ { categories, size, dates, encoding }) => {
    if (categories) {
      place += encoding === "ordinal" ? 1 : 0;
      return categories[0];
    }
    const values = Array.from({ length: size }, () => Number((numbers[place++] ?? 0).toPrecision(4)));
    return dates ? day(values[0]) : size > 1 ? values : values[0];
  };
  return Object.fromEntries(columns.map((column) => [column.name, value(column)]));
}

/** @param {string} path @param {number} start @param {number} length @returns {Promise<ArrayBuffer>} */
const part = async (path, start, length) =>
  (await fetchFile(path, { headers: { Range: `bytes=${start}-${start + length - 1}` } })).arrayBuffer();
