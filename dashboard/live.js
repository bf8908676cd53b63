// @ts-check
// A job as it goes on: its record, its curves and its events, kept up to date for as long as somebody looks.

import { signal } from "@preact/signals";
import { call, Problem, stream } from "./api.js";

/** @typedef {{key: string, points: number, sampled: boolean, bucket_steps: number | null, step: number[], value: (number | null)[],
 *   min: (number | null)[] | null, max: (number | null)[] | null, mean: (number | null)[] | null,
 *   nonfinite: {step: number, value: string}[]}} Series */

/** Points of a series that are asked for at once: two for each pixel of a wide chart. */
const MAX_POINTS = 2000;
const REFRESH_GAP_MS = 250;
const RETRY_MS = 1000;

/**
 * Fetch a stretch of a job's curves.
 *
 * @param {string} id
 * @param {{from?: number, to?: number, signal?: AbortSignal}} [range] in steps.
 * @returns {Promise<Series[]>}
 */
export async function fetchCurves(id, { from, to, signal } = {}) {
  const query = new URLSearchParams({ max_points: String(MAX_POINTS) });
  if (from !== undefined) query.set("from_step", String(from));
  if (to !== undefined) query.set("to_step", String(to));
  return (await call(`/v1/jobs/${id}/metrics?${query}`, { signal })).data.series;
}

/**
 * Follow a job until it ends or `stop` is called. Its signals change as it does; a stream says when, polling does where
 * there is none.
 *
 * @param {string} id
 */
export function follow(id) {
  const job = signal(/** @type {any} */ (null));
  const curves = signal(/** @type {Series[]} */ ([]));
  const events = signal(/** @type {{id: string, type: string, at: string, data: any}[]} */ ([]));
  const trouble = signal(/** @type {Problem | null} */ (null));
  const stopped = new AbortController();
  let etag = "";
  let lastEvent = /** @type {string | null} */ (null);

  async function readJob() {
    const answer = await call(`/v1/jobs/${id}`, { headers: etag ? { "If-None-Match": etag } : {}, signal: stopped.signal });
    etag = answer.etag ?? "";
    if (answer.data) job.value = answer.data;
  }

  async function readCurves(whole = false) {
    const last = Math.max(-1, ...curves.value.map((series) => series.step.at(-1) ?? -1));
    const fresh = whole || last < 0;
    const part = await fetchCurves(id, { from: fresh ? undefined : last, signal: stopped.signal });
    const next = fresh ? part : append(curves.value, part);
    if (next.some((series) => series.step.length > 2 * MAX_POINTS)) return readCurves(true);
    curves.value = next;
  }

  const refresh = coalesce(async () => {
    try {
      await Promise.all([readJob(), readCurves()]);
      trouble.value = null;
    } catch (error) {
      if (!stopped.signal.aborted) trouble.value = asProblem(error);
    }
  });

  async function listen() {
    for await (const event of stream(`/v1/jobs/${id}/events`, { after: lastEvent, signal: stopped.signal })) {
      if (event.id) {
        lastEvent = event.id;
        const { at, ...data } = event.data;
        events.value = [...events.value, { id: event.id, type: event.type, at, data }];
      }
      if (event.type === "end") return;
      refresh();
    }
  }

  async function run() {
    await refresh();
    while (!stopped.signal.aborted && trouble.value?.status !== 404) {
      await listen().catch(() => {});
      await refresh();
      if (job.value?.terminal) break;
      await sleep(RETRY_MS);
    }
    if (!stopped.signal.aborted && job.value) await readCurves(true).catch(() => {});
  }

  run();
  return { job, curves, events, trouble, refresh, stop: () => stopped.abort() };
}

/**
 * Add the points of a later stretch to the curves that are there. A sampled curve grows by single points, buckets of one.
 *
 * @param {Series[]} held
 * @param {Series[]} part
 * @returns {Series[]}
 */
export function append(held, part) {
  const byKey = new Map(held.map((series) => [series.key, series]));
  for (const more of part) {
    const old = byKey.get(more.key);
    byKey.set(more.key, old ? extend(old, more) : more);
  }
  return [...byKey.values()];
}

/** @param {Series} old @param {Series} more @returns {Series} */
function extend(old, more) {
  const last = old.step.at(-1) ?? -1;
  const from = more.step.findIndex((step) => step > last);
  if (from < 0) return old;
  const sampled = old.sampled || more.sampled;
  /** @param {"min" | "max" | "mean"} name */
  const column = (name) => (sampled ? [...(old[name] ?? old.value), ...(more[name] ?? more.value).slice(from)] : null);
  return {
    ...old,
    sampled,
    points: old.points + more.points - (more.sampled ? 0 : from),
    bucket_steps: old.bucket_steps ?? more.bucket_steps,
    step: [...old.step, ...more.step.slice(from)],
    value: [...old.value, ...more.value.slice(from)],
    min: column("min"),
    max: column("max"),
    mean: column("mean"),
    nonfinite: [...old.nonfinite, ...more.nonfinite.filter((odd) => odd.step > last)],
  };
}

/**
 * Repeat a request while the page is looked at, telling the gateway what is known already.
 *
 * @param {string} path
 * @param {(data: any) => void} onData called when something changed.
 * @param {(problem: Problem | null) => void} onTrouble
 * @param {() => number} gap milliseconds until the next request.
 * @returns {() => void} stops it.
 */
export function poll(path, onData, onTrouble, gap) {
  const stopped = new AbortController();
  let etag = "";
  (async () => {
    while (!stopped.signal.aborted) {
      try {
        const answer = await call(path, { headers: etag ? { "If-None-Match": etag } : {}, signal: stopped.signal });
        etag = answer.etag ?? "";
        if (answer.data) onData(answer.data);
        onTrouble(null);
      } catch (error) {
        if (!stopped.signal.aborted) onTrouble(asProblem(error));
      }
      do await sleep(gap());
      while (document.hidden && !stopped.signal.aborted);
    }
  })();
  return () => stopped.abort();
}

/**
 * Run a task one at a time; asked again meanwhile, it runs once more, however often it was asked.
 *
 * @param {() => Promise<void>} task
 * @returns {() => Promise<void>}
 */
function coalesce(task) {
  /** @type {Promise<void> | null} */
  let running = null;
  let again = false;
  const loop = async () => {
    do {
      again = false;
      await task();
      if (again) await sleep(REFRESH_GAP_MS);
    } while (again);
    running = null;
  };
  return () => {
    again = running !== null;
    return (running ??= loop());
  };
}

/** @param {unknown} error @returns {Problem} */
export function asProblem(error) {
  return error instanceof Problem ? error : new Problem({ status: 0, detail: String(error) });
}

/** @param {number} milliseconds @returns {Promise<void>} */
export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
