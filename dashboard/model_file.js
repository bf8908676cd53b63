// @ts-check
// What a trained model reads, from the head of its file.

import { fetchFile } from "./api.js";

/** @typedef {{name: string, categories: string[] | null, size: number, dates: boolean, fill: number | null}} ModelColumn */

/** A safetensors file begins with the length of its header, and the header, which is JSON. */
const LENGTH_BYTES = 8;

/**
 * The raw columns that a job's model needs for a prediction.
 *
 * @param {string} job
 * @returns {Promise<ModelColumn[]>}
 * @throws {import("./api.js").Problem}
 */
export async function modelColumns(job) {
  const path = `/v1/jobs/${job}/model`;
  const length = new DataView(await part(path, 0, LENGTH_BYTES)).getBigUint64(0, true);
  const header = JSON.parse(new TextDecoder().decode(await part(path, LENGTH_BYTES, Number(length))));
  return JSON.parse(header.__metadata__.preparation).columns ?? [];
}

/** @param {string} path @param {number} start @param {number} length @returns {Promise<ArrayBuffer>} */
const part = async (path, start, length) =>
  (await fetchFile(path, { headers: { Range: `bytes=${start}-${start + length - 1}` } })).arrayBuffer();
