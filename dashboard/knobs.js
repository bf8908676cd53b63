// @ts-check
// A knob as its JSON Schema describes it: which input sets it, what it may be, how its value is written and read.

/** @typedef {import("./catalog.js").Schema} Schema */
/** @typedef {Record<string, Schema>} Definitions */
/** @typedef {"entry" | "entries" | "object" | "objects" | "choice" | "flag" | "number" | "text" | "list" | "any"} Input */
/**
 * @typedef {{input: Input, of: Schema, kinds: string[], nullable: boolean, choices: Schema[]}} Shape `of` is what it holds when
 *   it is not null, `kinds` the lists of the catalog that it may name an entry of.
 */

/** What cannot be read as a value. */
export const UNREADABLE = Symbol("unreadable");

/**
 * What a schema comes to for somebody who fills it in.
 *
 * @param {Schema} schema
 * @param {Definitions} definitions what it may refer to.
 * @returns {Shape}
 */
export function shapeOf(schema, definitions) {
  const all = choicesOf(schema, definitions);
  const choices = all.filter((choice) => choice.type !== "null");
  const nullable = choices.length < all.length;
  const kinds = choices.flatMap((choice) => choice.catalog ?? []);
  const of = choices.length === 1 ? choices[0] : {};
  return { input: kinds.length ? "entry" : inputOf(of, nullable, definitions), of, kinds, nullable, choices };
}

/** The members of a union, those of unions within it too; a schema that is none is its own. @param {Schema} schema @param {Definitions} definitions @returns {Schema[]} */
function choicesOf(schema, definitions) {
  const plain = resolve(schema, definitions);
  const members = plain.anyOf ?? plain.oneOf;
  return members ? members.flatMap((/** @type {Schema} */ member) => choicesOf(member, definitions)) : [plain];
}

/** @param {Schema} of @param {boolean} nullable @param {Definitions} definitions @returns {Input} */
function inputOf(of, nullable, definitions) {
  if (of.properties) return "object";
  if (optionsOf(of).length) return "choice";
  if (of.type === "boolean") return nullable ? "any" : "flag";
  if (of.type === "array") {
    const { input } = shapeOf(of.items ?? {}, definitions);
    return input === "entry" ? "entries" : input === "object" ? "objects" : "list";
  }
  if (of.type === "number" || of.type === "integer") return "number";
  return of.type === "string" ? "text" : "any";
}

/** @param {Schema} schema @param {Definitions} definitions @returns {Schema} */
export const resolve = (schema, definitions) => (schema.$ref ? definitions[schema.$ref.split("/").at(-1)] : schema);

/** The values of a schema that lists them. @param {Schema} schema @returns {any[]} */
export const optionsOf = (schema) => schema.enum ?? ("const" in schema ? [schema.const] : []);

/** What a knob may be, in a few words; empty where anything goes. @param {Schema} schema @param {Definitions} definitions */
export function boundsOf(schema, definitions) {
  const { choices, nullable } = shapeOf(schema, definitions);
  const told = choices.map((choice) => boundsOfOne(choice, definitions)).filter(Boolean);
  // Where null is the default, leaving the field empty says it.
  return [...told, ...(nullable && schema.default !== null ? ["null"] : [])].join(" or ");
}

/** @param {Schema} schema @param {Definitions} definitions @returns {string} */
function boundsOfOne(schema, definitions) {
  if (optionsOf(schema).length) return optionsOf(schema).join(", ");
  if (schema.catalog) return `one of the ${schema.catalog}`;
  if (schema.type === "array") {
    const each = boundsOf(schema.items ?? schema.prefixItems?.[0] ?? {}, definitions);
    return [["list", counted(schema)].filter(Boolean).join(" "), each && `each a ${each}`].filter(Boolean).join(", ");
  }
  const type = { integer: "whole number", number: "number" }[/** @type {string} */ (schema.type)] ?? "";
  return [type, limits(schema)].filter(Boolean).join(" ");
}

/** @param {Schema} schema */
function counted({ minItems, maxItems }) {
  if (minItems !== undefined && minItems === maxItems) return `of ${minItems}`;
  return maxItems === undefined ? "" : `of at most ${maxItems}`;
}

/** @param {Schema} schema */
const limits = (schema) =>
  [["minimum", "≥"], ["exclusiveMinimum", ">"], ["maximum", "≤"], ["exclusiveMaximum", "<"]]
    .filter(([key]) => schema[key] !== undefined)
    .map(([key, sign]) => `${sign} ${brief(schema[key])}`)
    .join(", ");

/** A bound, short: 1e9 rather than 1000000000. @param {number} value */
const brief = (value) => (Math.abs(value) >= 1e6 ? value.toExponential(3).replace(/\.?0+e\+?/, "e") : String(value));

/** A value as somebody would type it. @param {any} value @returns {string} */
export function write(value) {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number") return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
  if (Array.isArray(value) && value.length && value.every((item) => item === null || typeof item !== "object")) return value.map(write).join(", ");
  if (value !== null && typeof value === "object" && typeof value.name === "string") return value.name;
  return JSON.stringify(value);
}

/**
 * What somebody typed, as a value.
 *
 * @param {string} typed
 * @param {Shape} shape
 * @returns {any} undefined where nothing was typed, which means the default; UNREADABLE where it is no such value yet.
 */
export function read(typed, { input, nullable }) {
  const text = typed.trim();
  if (!text) return undefined;
  if (nullable && text === "null") return null;
  if (input === "number") return Number.isFinite(Number(text)) ? Number(text) : UNREADABLE;
  if (input === "text") return typed;
  if (input === "list" && !text.startsWith("[")) return text.split(",").map((item) => asJson(item.trim())).filter((item) => item !== "");
  return input === "list" || text.startsWith("{") ? asJson(text, UNREADABLE) : asJson(text);
}

/** @param {string} text @param {any} otherwise what it is where it is no JSON. */
function asJson(text, otherwise = text) {
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Whether two values say the same; the order of names does not matter. @param {any} a @param {any} b @returns {boolean} */
export function equal(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object" || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && equal(a[name], b[name]));
}

/** The values that the knobs of an entry or the fields of an object have by themselves. @param {Record<string, Schema>} properties */
export const defaultsOf = (properties) =>
  Object.fromEntries(Object.entries(properties).filter(([, schema]) => "default" in schema).map(([name, schema]) => [name, schema.default]));

/**
 * An object with one field changed; the fields stand in the order of its schema, unknown ones after them.
 *
 * @param {any} object
 * @param {string} name
 * @param {any} value undefined takes the field away.
 * @param {string[]} order
 * @returns {{[key: string]: any}}
 */
export function withField(object, name, value, order) {
  const { [name]: _, ...rest } = isObject(object) ? object : {};
  const place = (/** @type {string} */ key) => (order.includes(key) ? order.indexOf(key) : order.length);
  const fields = Object.entries(value === undefined ? rest : { ...rest, [name]: value });
  return Object.fromEntries(fields.sort(([a], [b]) => place(a) - place(b)));
}

/** @param {any} value */
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
