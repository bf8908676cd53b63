// @ts-check
// A list of the gateway's, newest first: its first page kept up to date, older ones added when asked for.

import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { call } from "./api.js";
import { asProblem, poll } from "./live.js";

const PAGE = 50;
const BUSY_MS = 1000;
const QUIET_MS = 4000;

/**
 * Follow a list for as long as the view that uses it is shown.
 *
 * @param {string} path
 * @param {Record<string, string>} [filters] query parameters; the empty ones are left out.
 * @returns {{items: any[] | null, problem: import("./api.js").Problem | null, more: (() => Promise<void>) | null}} `items` is
 *   null until the first answer; `more` adds a page, and is null where there is none.
 */
export function usePages(path, filters = {}) {
  const first = useSignal(/** @type {any} */ (null));
  const older = useSignal(/** @type {any[]} */ ([]));
  const next = useSignal(/** @type {string | null | undefined} */ (undefined));
  const problem = useSignal(/** @type {import("./api.js").Problem | null} */ (null));
  const given = Object.entries({ limit: String(PAGE), ...filters }).filter(([, value]) => value);
  const address = `${path}?${new URLSearchParams(given)}`;

  useEffect(() => {
    first.value = null;
    older.value = [];
    next.value = undefined;
    const busy = () => first.value?.data.some((/** @type {any} */ one) => one.terminal === false);
    return poll(
      address,
      (page) => {
        if (next.value !== undefined) older.value = [...pushedOut(first.value.data, page.data), ...older.value];
        first.value = page;
      },
      (trouble) => (problem.value = trouble),
      () => (busy() ? BUSY_MS : QUIET_MS),
    );
  }, [address]);

  const cursor = next.value === undefined ? first.value?.next_cursor : next.value;
  const more = async () => {
    try {
      const { data } = await call(`${address}&cursor=${encodeURIComponent(cursor)}`);
      older.value = [...older.value, ...data.data];
      next.value = data.next_cursor;
    } catch (error) {
      problem.value = asProblem(error);
    }
  };
  return { items: first.value && unique([...first.value.data, ...older.value]), problem: problem.value, more: cursor ? more : null };
}

/** What newer items pushed off the first page; the pages after it begin where it ended before. @param {any[]} before @param {any[]} now */
function pushedOut(before, now) {
  const end = now.at(-1)?.created_at ?? "";
  return before.filter((one) => Date.parse(one.created_at) < Date.parse(end));
}

/** @param {any[]} items the first of an id counts. */
const unique = (items) => [...new Map([...items].reverse().map((one) => [one.id, one])).values()].reverse();
