// @ts-check
// The page's one way to the gateway: requests, errors as sentences, event streams, the API key.

import { signal } from "@preact/signals";

/** @typedef {{pointer: string, code: string, message: string}} Fault */
/** @typedef {{id: string | null, type: string, data: any}} ServerEvent */
/** @typedef {{method?: string, json?: unknown, form?: FormData, headers?: Record<string, string>, signal?: AbortSignal,
 *   onSent?: (share: number) => void}} Options `onSent` hears how much of the body is on its way, as a share of 1. */

const STORED_KEY = "anneal.key";
const ASK_AGAIN_MS = 1000;

/** Set while a request waits for a person to give an API key. @type {import("@preact/signals").Signal<((key: string | null) => void) | null>} */
export const keyWanted = signal(null);

/** An error answer of the gateway (RFC 9457), or a gateway that cannot be reached (status 0). */
export class Problem extends Error {
  /** @param {{status: number, detail: string, errors?: Fault[], request_id?: string}} problem */
  constructor(problem) {
    super(problem.detail);
    this.status = problem.status;
    /** @type {Fault[]} */
    this.faults = problem.errors ?? [];
    this.requestId = problem.request_id;
  }
}

/**
 * Send a request and read its JSON answer.
 *
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<{status: number, data: any, etag: string | null}>} `data` is null for 204 and 304.
 * @throws {Problem} on any other status than 2xx and 304.
 */
export async function call(path, options = {}) {
  const response = await open(path, options);
  const empty = response.status === 204 || response.status === 304;
  return { status: response.status, data: empty ? null : await response.json(), etag: response.headers.get("ETag") };
}

/**
 * Read an event stream as it comes. EventSource would do, but cannot send a key.
 *
 * @param {string} path
 * @param {{after: string | null, signal: AbortSignal}} from the last event that is known already.
 * @returns {AsyncGenerator<ServerEvent>}
 */
export async function* stream(path, { after, signal }) {
  const headers = { Accept: "text/event-stream", ...(after ? { "Last-Event-ID": after } : {}) };
  const response = await open(path, { headers, signal });
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event) yield event;
    }
  }
}

/**
 * Fetch a file, or another answer that a worker may have to make first. A link would do, but cannot send a key.
 *
 * @param {string} path
 * @param {Options} [options] with `headers` for a part of it, or a body where the file answers one.
 * @returns {Promise<Blob>}
 * @throws {Problem}
 */
export async function fetchFile(path, options = {}) {
  let response = await open(path, { ...options, headers: { Accept: "*/*", ...options.headers } });
  while (response.status === 202) {
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    response = await open(response.headers.get("Location") ?? path, { headers: { Accept: "*/*", ...options.headers }, signal: options.signal });
  }
  return response.blob();
}

/** @param {string} block one event's lines; comments are heartbeats. @returns {ServerEvent | null} */
function parseEvent(block) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = name in fields ? `${fields[name]}\n${value}` : value;
  }
  if (fields.data === undefined) return null;
  return { id: fields.id ?? null, type: fields.event ?? "message", data: JSON.parse(fields.data) };
}

/** @param {string} path @param {Options} options @returns {Promise<Response>} */
async function open(path, options) {
  const key = storedKey();
  let response = await send(path, options);
  if (response.status === 401 && (storedKey() !== key || (!declined && (await askForKey())))) {
    await response.body?.cancel();
    response = await send(path, options);
  }
  if (response.ok || response.status === 304) return response;
  throw new Problem(await readProblem(response));
}

/** @param {string} path @param {Options} options @returns {Promise<Response>} */
async function send(path, { method = "GET", json, form, headers = {}, signal, onSent }) {
  const key = storedKey();
  const body = form ?? (json === undefined ? undefined : JSON.stringify(json));
  const sent = {
    Accept: "application/json",
    ...(json === undefined ? {} : { "Content-Type": "application/json" }),
    ...(key ? { Authorization: `Bearer ${key}` } : {}),
    ...headers,
  };
  try {
    if (onSent && form) return await sendTold(path, { method, form, headers: sent, onSent });
    return await fetch(path, { method, body, headers: sent, signal, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ status: 0, detail: "The gateway cannot be reached; is it running?" });
  }
}

/** What fetch does for a form; only this older way tells how far it is. @param {string} path @param {{method: string, form: FormData, headers: Record<string, string>, onSent: (share: number) => void}} options @returns {Promise<Response>} */
const sendTold = (path, { method, form, headers, onSent }) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onSent(total ? loaded / total : 0);
    request.onload = () => resolve(new Response(request.response, { status: request.status, statusText: request.statusText, headers: headersOf(request) }));
    request.onerror = reject;
    request.send(form);
  });

/** @param {XMLHttpRequest} request @returns {[string, string][]} */
const headersOf = (request) =>
  request.getAllResponseHeaders().trim().split("\r\n").map((line) => {
    const [name, ...rest] = line.split(": ");
    return [name, rest.join(": ")];
  });

/** @param {Response} response */
async function readProblem(response) {
  const fallback = { status: response.status, detail: `The gateway answered ${response.status} ${response.statusText}.` };
  return response.json().then((problem) => ({ ...fallback, ...problem }), () => fallback);
}

/** The key that this browser keeps. @returns {string | null} */
export const storedKey = () => localStorage.getItem(STORED_KEY);

/** @type {Promise<boolean> | null} */
let asking = null;
/** Whether a person closed the question: what repeats itself every second does not ask again. */
let declined = false;

/** Ask once, however many requests wait. @returns {Promise<boolean>} whether there is a new key to try. */
export function askForKey() {
  asking ??= new Promise((resolve) => {
    keyWanted.value = (key) => {
      if (key) localStorage.setItem(STORED_KEY, key);
      keyWanted.value = null;
      asking = null;
      declined = !key;
      resolve(Boolean(key));
    };
  });
  return asking;
}

/** A key for one POST, so that sending it twice does it once. @returns {string} */
export function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
