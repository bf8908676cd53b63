// @ts-check
// What a view does with one dataset: opens it, follows it until it has been read, corrects it.

import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { call } from "./api.js";
import { asProblem, sleep } from "./live.js";

const LOOK_GAP_MS = 300;

/** @typedef {{said: string, share?: number}} Doing what is going on, and how far of 1 it is where that is known */
/** @typedef {{known: any, reading: any, doing: Doing | null, problem: import("./api.js").Problem | null, say: (doing: Doing) => void,
 *   attempt: (said: string, task: () => Promise<any>, then?: (read: any) => void) => Promise<void>, change: (body: any) => Promise<void>}} Work
 *   `reading` is the dataset as it is while a worker reads it; `attempt` does what answers a dataset, and `then` hears of that
 *   once it has been read. */

/**
 * Work with one dataset for as long as the view stays.
 *
 * @param {import("@preact/signals").Signal<any>} held the dataset once it has been read.
 * @param {string | undefined} id of the one to open at first.
 * @param {(read: any) => void} [onOpen] hears of it once it has been read.
 * @returns {Work}
 */
export function useDataset(held, id, onOpen) {
  const problem = useSignal(/** @type {import("./api.js").Problem | null} */ (null));
  const reading = useSignal(/** @type {any} */ (null));
  const doing = useSignal(/** @type {Doing | null} */ (null));
  const last = useRef(Promise.resolve());
  const left = useRef(false);
  useEffect(() => () => void (left.current = true), []);

  // One after the other: while a correction has the file read again, the gateway takes no other.
  /** @type {Work["attempt"]} */
  const attempt = (said, task, then) =>
    (last.current = last.current.then(async () => {
      doing.value = { said };
      try {
        let now = await task();
        for (let etag = ""; !now.terminal && !left.current; ) {
          reading.value = now;
          if (held.value?.id !== now.id) held.value = null;
          ({ now, etag } = await changed(now, etag));
        }
        if (left.current) return;
        held.value = now;
        problem.value = null;
        then?.(now);
      } catch (error) {
        problem.value = asProblem(error);
      }
      doing.value = null;
      reading.value = null;
    }));
  const change = (/** @type {any} */ body) => {
    held.value = { ...held.value, target: body.target ?? held.value.target }; // what was chosen is seen at once
    return attempt("Saving…", async () => (await call(`/v1/datasets/${held.value.id}`, { method: "PATCH", json: body })).data);
  };
  useEffect(() => {
    if (id) attempt("Opening…", async () => (await call(`/v1/datasets/${id}`)).data, onOpen);
  }, [id]);

  const say = (/** @type {Doing} */ now) => void (doing.value = now);
  return { known: held.value, reading: reading.value, doing: doing.value, problem: problem.value, say, attempt, change };
}

/** The dataset after its next change, or as it is after a while. @param {any} now @param {string} etag of `now`; empty where it is not known. */
async function changed(now, etag) {
  const headers = { Prefer: "wait=10", ...(etag ? { "If-None-Match": etag } : {}) };
  const answer = await call(`/v1/datasets/${now.id}`, { headers });
  if (!answer.data?.terminal) await sleep(LOOK_GAP_MS);
  return { now: answer.data ?? now, etag: answer.etag ?? "" };
}
