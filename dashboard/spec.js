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

/**
 * Find the value that a JSON Pointer names, or the nearest one around it that is there.
 *
 * @param {string} text valid JSON.
 * @param {string} pointer RFC 6901.
 * @returns {[number, number]} where it starts and ends in the text.
 */
export function locate(text, pointer) {
  const wanted = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const token = /\s*("(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+)/y;
  /** @type {[number, number]} */
  let found = [0, text.length];
  const next = () => {
    const match = token.exec(text);
    return match ? match[1] : "";
  };
  /** @param {number} depth how much of the pointer led here; -1 off its path. */
  const value = (depth) => {
    const opening = next();
    const start = token.lastIndex - opening.length;
    if (opening === "{" || opening === "[") members(opening, depth);
    if (depth >= 0 && depth >= reached) [reached, found] = [depth, [start, token.lastIndex]];
  };
  /** @param {string} opening @param {number} depth */
  const members = (opening, depth) => {
    for (let index = 0; ; index++) {
      const before = token.lastIndex;
      const first = next();
      if (first === "}" || first === "]" || first === "") return;
      let name = String(index);
      if (opening === "{") {
        name = JSON.parse(first);
        next();
      } else token.lastIndex = before;
      value(depth >= 0 && wanted[depth] === name ? depth + 1 : -1);
      const after = next();
      if (after !== ",") return;
    }
  };
  let reached = -1;
  value(0);
  return found;
}
