// @ts-check
// Where in a job an entry of the catalog goes.

import { shapeOf, withField } from "./knobs.js";

/** @typedef {import("./catalog.js").Schema} Schema */
/** @typedef {import("./catalog.js").Entry} Entry */
/** @typedef {import("./knobs.js").Shape} Shape */

/**
 * A job that uses an entry, its other choices kept as far as they have a place for it.
 *
 * @param {any} job the job as it is.
 * @param {Schema} schema the job's.
 * @param {Entry[]} entries all of the catalog.
 * @param {Entry} entry
 * @returns {any} null where no job has a place for this kind.
 */
export const withEntry = (job, schema, entries, entry) => placed(job, schema.properties, schema.$defs ?? {}, entries, entry, []);

/**
 * @param {any} object @param {Record<string, Schema>} properties @param {Record<string, Schema>} definitions
 * @param {Entry[]} entries @param {Entry} entry @param {string[]} passed the kinds that this object stands in
 * @returns {any}
 */
function placed(object, properties, definitions, entries, entry, passed) {
  const order = ["name", ...Object.keys(properties)];
  const fields = Object.entries(properties).map(([name, schema]) => ({ name, schema, shape: shapeOf(schema, definitions) }));
  const takes = (/** @type {Shape} */ shape) => shape.kinds.includes(entry.kind);
  for (const { name, shape } of fields) {
    if (takes(shape)) return withField(object, name, { name: entry.name }, order);
    if (shape.input === "entries" && takes(shapeOf(shape.of.items, definitions))) return withField(object, name, [{ name: entry.name }], order);
  }
  for (const { name, schema, shape } of fields) {
    const inner = shape.input === "object" ? placed(object?.[name] ?? {}, shape.of.properties, definitions, entries, entry, passed) : null;
    if (inner) return withField(object, name, inner, order);
    for (const holder of holders(shape.kinds, entries, object?.[name]?.name ?? schema.default?.name, passed)) {
      const now = object?.[name]?.name === holder.name ? object[name] : { name: holder.name };
      const held = placed(now, holder.knobs, holder.definitions, entries, entry, [...passed, holder.kind]);
      if (held) return withField(object, name, held, order);
    }
  }
  return null;
}

/** The entries of a kind that might hold another, the one that is chosen now first. @param {string[]} kinds @param {Entry[]} entries @param {string} now @param {string[]} passed */
function holders(kinds, entries, now, passed) {
  const family = entries.filter((entry) => kinds.includes(entry.kind) && !passed.includes(entry.kind));
  return [...family.filter((entry) => entry.name === now), ...family.filter((entry) => entry.name !== now)];
}
