// @ts-check
// The input of one knob: a choice, a box to tick, or a line to type in.

import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { optionsOf, read, UNREADABLE, write } from "./knobs.js";

/**
 * @typedef {{id: string, shape: import("./knobs.js").Shape, value: any, filledIn: any, invalid: boolean, put: (value: any) => void}} Props
 *   `value` is undefined where nothing is said, `filledIn` what holds then.
 */

/** @param {Props} props */
export function KnobInput(props) {
  if (props.shape.input === "choice") return html`<${Choice} ...${props} />`;
  return props.shape.input === "flag" ? html`<${Flag} ...${props} />` : html`<${Line} ...${props} />`;
}

/** @param {Props} props */
function Choice({ id, shape, value, filledIn, invalid, put }) {
  const options = optionsOf(shape.of);
  const chosen = (/** @type {any} */ event) => put(event.target.value === "" ? undefined : JSON.parse(event.target.value));
  return html`<select id=${id} aria-invalid=${invalid} aria-describedby=${`${id}-about`} value=${value === undefined ? "" : JSON.stringify(value)} onChange=${chosen}>
    <option value="">${filledIn === undefined || filledIn === null ? "by default" : `${write(filledIn)} (default)`}</option>
    ${options.filter((option) => option !== filledIn || value === option).map((option) => html`<option value=${JSON.stringify(option)}>${write(option)}</option>`)}
  </select>`;
}

/** @param {Props} props */
const Flag = ({ id, value, filledIn, invalid, put }) => html`<input id=${id} type="checkbox" aria-invalid=${invalid} aria-describedby=${`${id}-about`}
  checked=${value ?? filledIn ?? false} onChange=${(/** @type {any} */ event) => put(event.target.checked)} />`;

/** @param {Props} props */
function Line({ id, shape, value, filledIn, invalid, put }) {
  // What is being typed stands as it is: "1e" on the way to 1e-3 is no number, and 0.10 would become 0.1 under the hand.
  const typed = useSignal(/** @type {string | null} */ (null));
  const unreadable = typed.value !== null && read(typed.value, shape) === UNREADABLE;
  const onInput = (/** @type {any} */ event) => {
    typed.value = event.target.value;
    const value = read(event.target.value, shape);
    if (value !== UNREADABLE) put(value);
  };
  return html`<input id=${id} type="text" inputmode=${shape.input === "number" ? "decimal" : "text"} autocomplete="off" autocapitalize="off" spellcheck="false"
    aria-invalid=${invalid || unreadable} aria-describedby=${`${id}-about`} placeholder=${write(filledIn ?? undefined)}
    value=${typed.value ?? write(value)} onInput=${onInput} onBlur=${() => (typed.value = null)} />`;
}
