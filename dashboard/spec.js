// @ts-check
// A job's spec as text: what differs from the defaults, the curl command, and where a JSON Pointer lies in it.

import { call } from "./api.js";

/** @typedef {{[key: string]: any}} Spec */

/** What a piece of a schedule cannot do without: what it is and how long. */
const PIECE = ["name", "steps", "epochs", "fraction"];

/**
 * Leave out of a full spec what the gateway fills in by itself.
 *
 * @param {Spec} spec
 * @returns {Promise<Spec>} the shortest spec that means the same.
 * @throws {import("./api.js").Problem} where the gateway refuses the dataset by now.
 */
export async function shortSpec(spec) {
  const bare = { dataset: pick(spec.dataset, ["id", "name"]), ...(spec.dataset.id ? { target: spec.target } : {}) };
  const [defaults, ofNames] = await Promise.all([resolve(bare), resolve({ ...onlyNames(spec), ...bare })]);
  const { name, dataset, ...rest } = difference(spec, ofNames, defaults);
  return { ...(name === defaults.name ? {} : { name }), ...bare, dataset: { ...bare.dataset, ...dataset }, ...rest };
}

/** @param {Spec} spec @returns {Promise<Spec>} */
async function resolve(spec) {
  return (await call("/v1/jobs?validate_only=true", { method: "POST", json: spec })).data.spec;
}

/** The choices of a spec without their knobs; the pieces of a schedule keep their lengths, which they need. @param {Spec} spec @returns {Spec} */
function onlyNames(spec) {
  /** @param {Spec} value @returns {Spec} */
  const names = (value) =>
    Object.fromEntries(
      Object.entries(value)
        .filter(([key, inner]) => (key === "name" && value !== spec) || isObject(inner))
        .map(([key, inner]) => [key, isObject(inner) ? names(inner) : inner]),
    );
  const chosen = names(spec);
  delete chosen.training;
  delete chosen.tags;
  return { ...chosen, schedule: spec.schedule.map((/** @type {Spec} */ piece) => pick(piece, PIECE)) };
}

/**
 * What a spec says that neither the defaults nor the defaults of its own choices say.
 *
 * @param {Spec} spec
 * @param {Spec} ofNames the same choices, all knobs at their defaults.
 * @param {Spec} defaults nothing chosen at all.
 * @returns {Spec}
 */
export function difference(spec, ofNames, defaults) {
  /** @type {Spec} */
  const kept = {};
  for (const [key, value] of Object.entries(spec)) {
    if (isObject(value) && isObject(ofNames?.[key])) {
      const inner = difference(value, ofNames[key], defaults?.[key]);
      if (Object.keys(inner).length) kept[key] = inner;
    } else {
      const reference = key === "name" || isPieces(value) ? defaults?.[key] : ofNames?.[key];
      if (!same(value, reference)) kept[key] = isPieces(value) ? shortPieces(value, ofNames?.[key]) : value;
    }
  }
  if ("name" in spec && Object.keys(kept).length && typeof ofNames?.name === "string") kept.name ??= spec.name;
  const { name, ...rest } = kept;
  return name === undefined ? rest : { name, ...rest };
}

/** @param {any} value */
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
/** @param {any} a @param {any} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
/** @param {any} value */
const isPieces = (value) => Array.isArray(value) && value.some(isObject);
/** @param {Spec} value @param {string[]} keys those of them that are not null. */
const pick = (value, keys) => Object.fromEntries(keys.filter((key) => value[key] != null).map((key) => [key, value[key]]));

/** The pieces of a schedule with the knobs that are not at their defaults. @param {Spec[]} pieces @param {Spec[]} ofNames */
const shortPieces = (pieces, ofNames) =>
  pieces.map((piece, index) => pick(piece, Object.keys(piece).filter((key) => PIECE.includes(key) || !same(piece[key], ofNames?.[index]?.[key]))));

/**
 * A short spec after a JSON Patch (RFC 6902) that was made for the whole one.
 *
 * @param {Spec} spec
 * @param {{op: "replace", path: string, value: any}[]} patch
 * @param {Spec} whole the same spec, every default filled in; what a path needs of it is taken over.
 * @returns {Spec}
 */
export function patched(spec, patch, whole) {
  const result = structuredClone(spec);
  for (const { path, value } of patch) {
    const steps = path.slice(1).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = /** @type {string} */ (steps.pop());
    let [here, default_] = [result, whole];
    for (const step of steps) {
      default_ = default_[step];
      here[step] ??= isObject(default_) ? pick(default_, ["name"]) : structuredClone(default_);
      here = here[step];
    }
    here[last] = value;
  }
  return result;
}

/** The leaves of a spec with their dotted paths. @param {any} value @param {string} [path] @returns {[string, string][]} */
export function leaves(value, path = "") {
  const inner = isObject(value) ? Object.entries(value) : Array.isArray(value) && value.some(isObject) ? value.map((v, i) => [i, v]) : null;
  if (!inner?.length) return [[path, JSON.stringify(value)]];
  return inner.flatMap(([key, below]) => leaves(below, path ? `${path}.${key}` : String(key)));
}

/** JSON for people: short objects and lists stay on one line. @param {any} value @param {string} [indent] @returns {string} */
export function pretty(value, indent = "") {
  const flat = onOneLine(value);
  const isList = Array.isArray(value);
  if (!(isList || isObject(value)) || (indent && flat.length + indent.length < 76)) return flat;
  const inner = `${indent}  `;
  const rows = isList
    ? value.map((item) => inner + pretty(item, inner))
    : Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${pretty(item, inner)}`);
  const [opening, closing] = isList ? "[]" : "{}";
  return rows.length ? `${opening}\n${rows.join(",\n")}\n${indent}${closing}` : opening + closing;
}

/** @param {any} value @returns {string} */
function onOneLine(value) {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(", ")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${onOneLine(inner)}`).join(", ")}}`;
}

/** The command that submits a spec. @param {Spec} spec @param {string} origin */
export function asCurl(spec, origin) {
  const body = pretty(spec).replaceAll("'", `'\\''`);
  return `curl -X POST ${origin}/v1/jobs -H 'Content-Type: application/json' -d '${body}'`;
}

const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = new RegExp(`${STRING.source}|-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null`, "y");

/** What JSON.parse does not say in every browser: where a text stops being JSON. */
export class NotJson extends SyntaxError {
  /** @param {string} expected @param {number} position in the text. */
  constructor(expected, position) {
    super(`not JSON: expected ${expected} here`);
    this.position = position;
  }
}

/**
 * Where each value of a JSON text starts and ends, by its JSON Pointer (RFC 6901).
 *
 * @param {string} text
 * @returns {Map<string, [number, number]>}
 * @throws {NotJson}
 */
export function places(text) {
  /** @type {Map<string, [number, number]>} */
  const found = new Map();
  let at = 0;
  const take = (/** @type {RegExp} */ pattern) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match && match[0];
  };
  const need = (/** @type {RegExp} */ pattern, /** @type {string} */ what) => {
    const taken = take(pattern);
    if (taken === null) throw new NotJson(what, at);
    take(SPACE);
    return taken;
  };
  const value = (/** @type {string} */ pointer) => {
    const start = at;
    if (take(/\{/y)) members(pointer, /\}/y, "}");
    else if (take(/\[/y)) members(pointer, /\]/y, "]");
    else if (take(SCALAR) === null) throw new NotJson("a value", at);
    found.set(pointer, [start, at]);
    take(SPACE);
  };
  const members = (/** @type {string} */ pointer, /** @type {RegExp} */ end, /** @type {string} */ closing) => {
    take(SPACE);
    for (let index = 0; ; index++) {
      if (index === 0 && take(end)) return;
      const name = closing === "}" ? JSON.parse(need(STRING, "a name in double quotes")) : String(index);
      if (closing === "}") need(/:/y, "':' after the name");
      value(`${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
      if (take(end)) return;
      need(/,/y, `',' or '${closing}'`);
    }
  };
  take(SPACE);
  value("");
  need(/$/y, "the end of the text");
  return found;
}

/** Where the value of a JSON Pointer lies, or the nearest one around it that is there. @param {string} text @param {string} pointer @returns {[number, number]} */
export function locate(text, pointer) {
  const found = places(text);
  for (let around = pointer; around; around = around.slice(0, around.lastIndexOf("/"))) {
    const place = found.get(around);
    if (place) return place;
  }
  return found.get("") ?? [0, text.length];
}
