// @ts-check
// A job as a form: every field of its schema, every entry of the catalog, written into the job's JSON and read from it.

import { html } from "htm/preact";
import { createContext } from "preact";
import { useContext, useId, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { useEntries, useJobSchema } from "../catalog.js";
import { About, addressOf, Inline } from "../entry.js";
import { KnobInput } from "../inputs.js";
import { boundsOf, defaultsOf, equal, isObject, shapeOf, withField, write as asText } from "../knobs.js";
import { Picker } from "../picker.js";
import { pretty } from "../spec.js";
import { Trouble } from "../ui.js";

/** @typedef {import("../catalog.js").Schema} Schema */
/** @typedef {import("../knobs.js").Definitions} Definitions */
/** @typedef {import("../knobs.js").Shape} Shape */
/** @typedef {{pointer: string, message: string}} Fault */
/**
 * What every field is handed: its place, what stands there (undefined where the default holds) and how to change that.
 *
 * @typedef {{name: string, pointer: string, schema: Schema, shape: Shape, definitions: Definitions, value: any, put: (value: any) => void}} Place
 */

/** What the gateway said of the text: its faults, and the spec with every default filled in. */
const Verdict = createContext(/** @type {{faults: Fault[], resolved: any}} */ ({ faults: [], resolved: null }));

/** @param {{text: string, onText: (text: string) => void, faults: Fault[], resolved: any}} props `text` is the job's JSON */
export function JobForm({ text, onText, faults, resolved }) {
  const { data: schema, problem } = useJobSchema();
  const readable = useRef(/** @type {any} */ ({}));
  const spec = parse(text);
  if (spec) readable.current = spec;
  return html`<section class="card form" aria-label="Settings">
    <header><h2>Settings</h2><a href="#/catalog">All that a job can name</a></header>
    <${Trouble} problem=${problem} />
    ${!spec && html`<p class="warning">The text is no JSON object now; the form follows it again when it is.</p>`}
    ${schema && html`<fieldset disabled=${!spec}>
      <${Verdict.Provider} value=${{ faults, resolved }}>
        <${Fields} properties=${schema.properties} definitions=${schema.$defs ?? {}} pointer="" value=${readable.current}
          put=${(/** @type {any} */ changed) => onText(pretty(changed))} />
      <//>
    </fieldset>`}
  </section>`;
}

/** @param {string} text */
function parse(text) {
  try {
    const spec = JSON.parse(text);
    return isObject(spec) ? spec : null;
  } catch {
    return null;
  }
}

/** @param {{properties: Record<string, Schema>, definitions: Definitions, pointer: string, value: any, put: (value: any) => void}} props */
const Fields = ({ properties, definitions, pointer, value, put }) =>
  Object.entries(properties).map(
    ([name, schema]) => html`<${Field} key=${name} name=${name} schema=${schema} definitions=${definitions} pointer=${`${pointer}/${name}`}
      value=${isObject(value) ? value[name] : undefined}
      put=${(/** @type {any} */ inner) => put(withField(value, name, inner, ["name", ...Object.keys(properties)]))} />`,
  );

/** @param {Omit<Place, "shape">} props */
function Field({ schema, put, ...rest }) {
  const shape = shapeOf(schema, rest.definitions);
  // What says no more than the default is not written down.
  const change = (/** @type {any} */ value) => put(equal(value, schema.default) ? undefined : value);
  const place = { ...rest, schema, shape, put: change };
  if (shape.input === "entry") return html`<${EntryPart} ...${place} />`;
  if (shape.input === "object") return html`<${ObjectPart} ...${place} />`;
  if (shape.input === "entries" || shape.input === "objects") return html`<${ListPart} ...${place} />`;
  return html`<${Knob} ...${place} />`;
}

/** One setting: its name, its input, what it means. @param {Place} props */
function Knob({ name, pointer, schema, shape, definitions, value, put }) {
  const id = useId();
  const { resolved } = useContext(Verdict);
  const faults = useFaults(pointer, true);
  // What was resolved is the default only as long as nothing was said.
  const filledIn = schema.default ?? (value === undefined ? at(resolved, pointer) : undefined);
  return html`<div class="knob">
    <label for=${id}><code>${name}</code></label>
    <${KnobInput} id=${id} shape=${shape} value=${value} filledIn=${filledIn} invalid=${faults.length > 0} put=${put} />
    <div class="note" id=${`${id}-about`}>
      <${Inline} text=${schema.description ?? ""} /> <small class="bounds">${boundsOf(schema, definitions)}</small>
      <${Faults} faults=${faults} />
    </div>
  </div>`;
}

/** A choice out of the catalog, and the knobs of what is chosen. @param {Place} props */
function EntryPart(props) {
  const { resolved } = useContext(Verdict);
  const shown = props.value ?? props.schema.default ?? at(resolved, props.pointer);
  // An item that was just added to a list is still empty.
  const fresh = equal(props.value, {});
  const told = fresh ? "choose one" : props.value === undefined ? (shown?.name ?? "none") : digest(shown);
  return html`<${Part} name=${props.name} pointer=${props.pointer} changed=${props.value !== undefined} opened=${fresh} digest=${told}>
    ${() => html`<${Chosen} ...${props} shown=${shown} />`}
  <//>`;
}

/** @param {Place & {shown: any}} props */
function Chosen({ name, pointer, schema, shape, value, shown, put }) {
  const id = useId();
  const { entries, problem } = useEntries(shape.kinds);
  const faults = [...useFaults(pointer), ...useFaults(`${pointer}/name`)];
  if (!entries) return html`<${Fetching} problem=${problem} />`;
  const chosen = entries.find((entry) => entry.name === shown?.name);
  const knobs = chosen?.knobs ?? {};
  const change = (/** @type {any} */ next) => {
    const entry = entries.find((one) => one.name === next.name);
    const whole = { ...defaultsOf(entry?.knobs ?? {}), ...next };
    put(equal(whole, schema.default) ? undefined : next);
  };
  const given = value ?? (isObject(schema.default) ? changedKnobs(schema.default, knobs) : { name: shown?.name });
  // A field that has no default holds what the gateway fills in; then no choice is a choice too.
  const unset = shape.nullable ? `left to the job${value ? "" : `: ${shown?.name ?? "none"}`}` : null;
  const other = isObject(value) && !("name" in value) ? JSON.stringify(value) : "";
  return html`<p class="note" id=${`${id}-about`}><${Inline} text=${schema.description ?? ""} /></p>
    <${Picker} label=${`${name}: name`} value=${value || schema.default ? (shown?.name ?? other) : ""} entries=${entries} unset=${unset}
      invalid=${faults.length > 0} describedBy=${`${id}-about`} onPick=${(/** @type {string | undefined} */ next) => (next ? change({ name: next }) : put(undefined))} />
    <${Faults} faults=${faults} />
    ${chosen && html`<${About} entry=${chosen} /><p class="note"><a href=${addressOf(chosen.kind, chosen.name)}>More on ${chosen.name}</a></p>
      <${Fields} key=${chosen.name} properties=${knobs} definitions=${chosen.definitions} pointer=${pointer} value=${given} put=${change} />`}`;
}

/** Fields that belong together; where none need be, they can be left out as a whole. @param {Place} props */
function ObjectPart({ name, pointer, schema, shape, definitions, value, put }) {
  const absent = value === null || (value === undefined && shape.nullable && !schema.default);
  const change = (/** @type {any} */ next) => put(!shape.nullable && Object.keys(next).length === 0 ? undefined : next);
  return html`<${Part} name=${name} pointer=${pointer} changed=${value !== undefined} digest=${absent ? "none" : digest(value)}>
    ${() => html`<p class="note"><${Inline} text=${schema.description ?? shape.of.description ?? ""} /></p>
      ${shape.nullable && html`<label class="switch"><input type="checkbox" checked=${!absent} onChange=${() => put(absent ? {} : undefined)} /> use it</label>`}
      ${!absent && html`<${Fields} properties=${shape.of.properties} definitions=${definitions} pointer=${pointer} value=${value} put=${change} />`}`}
  <//>`;
}

/** Entries or objects that follow each other. @param {Place} props */
function ListPart(props) {
  const { resolved } = useContext(Verdict);
  const shown = props.value ?? props.schema.default ?? at(resolved, props.pointer) ?? [];
  return html`<${Part} name=${props.name} pointer=${props.pointer} changed=${props.value !== undefined} digest=${digest(shown)}>
    ${() => html`<${Items} ...${props} />`}
  <//>`;
}

/** @param {Place} props */
function Items({ name, pointer, schema, shape, definitions, value, put }) {
  const { entries, problem } = useEntries(shapeOf(shape.of.items, definitions).kinds);
  const faults = useFaults(pointer);
  if (!entries) return html`<${Fetching} problem=${problem} />`;
  const short = (/** @type {any} */ item) => changedKnobs(item, entries.find((entry) => entry.name === item.name)?.knobs ?? {});
  const items = Array.isArray(value) ? value : (schema.default ?? []).map(short);
  const replace = (/** @type {number} */ index, /** @type {number} */ count, /** @type {any[]} */ ...by) => {
    const next = [...items.slice(0, index), ...by, ...items.slice(index + count)];
    put(next.length || !shape.nullable ? next : undefined);
  };
  const least = shape.nullable ? 0 : (shape.of.minItems ?? 0);
  const button = (/** @type {string} */ sign, /** @type {string} */ doing, /** @type {() => void} */ act) =>
    html`<button type="button" class="quiet" aria-label=${doing} title=${doing} onClick=${act}>${sign}</button>`;
  return html`<p class="note"><${Inline} text=${schema.description ?? ""} /></p>
    <${Faults} faults=${faults} />
    <ol class="pieces">${items.map((/** @type {any} */ item, /** @type {number} */ index) => html`<li key=${index}>
      <${Field} name=${`${name} ${index + 1}`} schema=${shape.of.items} definitions=${definitions} pointer=${`${pointer}/${index}`} value=${item}
        put=${(/** @type {any} */ next) => replace(index, 1, next ?? {})} />
      <div class="actions">
        ${index > 0 && button("↑", `Move ${name} ${index + 1} up`, () => replace(index - 1, 2, item, items[index - 1]))}
        ${items.length > least && button("×", `Remove ${name} ${index + 1}`, () => replace(index, 1))}
      </div>
    </li>`)}</ol>
    <button type="button" disabled=${items.length >= (shape.of.maxItems ?? Infinity)} onClick=${() => replace(items.length, 0, {})}>Add to ${name}</button>`;
}

/** @param {{problem: import("../api.js").Problem | null}} props */
const Fetching = ({ problem }) => (problem ? html`<${Trouble} problem=${problem} />` : html`<p class="note" role="status">Fetching the catalog…</p>`);

/** A part of the job that opens; nothing of it is drawn before. @param {{name: string, pointer: string, changed: boolean, opened?: boolean, digest: string, children: () => any}} props */
function Part({ name, pointer, changed, opened = false, digest, children }) {
  const open = useSignal(opened);
  const within = useFaults(pointer, true).length;
  return html`<details class="part" open=${open.value} onToggle=${(/** @type {any} */ event) => (open.value = event.currentTarget.open)}>
    <summary><code>${name}</code> <span class=${changed ? "changed" : ""}>${digest}</span>${within > 0 && html` <span class="bad">${within === 1 ? "1 fault" : `${within} faults`}</span>`}</summary>
    ${open.value && html`<div role="group" aria-label=${name}>${children()}</div>`}
  </details>`;
}

/** @param {{faults: Fault[]}} props */
const Faults = ({ faults }) => faults.map((fault) => html`<p class="fault">${fault.message}</p>`);

/** What the gateway found wrong at a place, or also below it. @param {string} pointer @param {boolean} [below] @returns {Fault[]} */
const useFaults = (pointer, below = false) =>
  useContext(Verdict).faults.filter((fault) => fault.pointer === pointer || (below && fault.pointer.startsWith(`${pointer}/`)));

/** The value at a JSON Pointer whose steps need no escape. @param {any} value @param {string} pointer */
const at = (value, pointer) => pointer.split("/").slice(1).reduce((here, step) => here?.[step], value);

/** The knobs of an entry that are not at their defaults, and its name. @param {any} entry @param {Record<string, Schema>} knobs */
const changedKnobs = (entry, knobs) => Object.fromEntries(Object.entries(entry).filter(([key, value]) => !equal(value, knobs[key]?.default)));

/** A part in a few words. @param {any} value @returns {string} */
function digest(value) {
  if (Array.isArray(value)) return value.map((item) => item?.name ?? "?").join(", ") || "none";
  if (value === null) return "none";
  if (!isObject(value)) return value === undefined ? "by default" : asText(value);
  const { name, ...knobs } = value;
  const told = Object.entries(knobs).map(([key, inner]) => `${key} ${asText(inner)}`);
  return [...(name ? [name] : []), ...told].join(", ") || "by default";
}
