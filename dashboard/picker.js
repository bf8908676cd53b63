// @ts-check
// A field that takes one name out of many: type to narrow the list, arrows and Enter to choose.

import { html } from "htm/preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { search } from "./catalog.js";
import { Inline } from "./entry.js";

/**
 * An ARIA combobox over the entries of a kind.
 *
 * @param {{label: string, value: string, entries: import("./catalog.js").Entry[], unset: string | null, invalid: boolean,
 *   describedBy: string, onPick: (name: string | undefined) => void}} props `unset` is what stands for no choice at all, null
 *   where there must be one.
 */
export function Picker({ label, value, entries, unset, invalid, describedBy, onPick }) {
  const id = useId();
  const query = useSignal(/** @type {string | null} */ (null));
  const active = useSignal(0);
  const open = query.value !== null;
  const found = search(entries, query.value ?? "").map((entry) => ({ name: /** @type {string | undefined} */ (entry.name), summary: entry.summary }));
  const options = unset !== null && !query.value ? [{ name: undefined, summary: unset }, ...found] : found;

  const show = () => {
    if (open) return;
    query.value = "";
    active.value = Math.max(0, options.findIndex((option) => option.name === (value || undefined)));
  };
  const close = () => (query.value = null);
  const choose = (/** @type {number} */ index) => {
    if (options[index] && options[index].name !== (value || undefined)) onPick(options[index].name);
    close();
  };
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowDown: () => (open ? (active.value = Math.min(active.value + 1, options.length - 1)) : show()),
    ArrowUp: () => (open ? (active.value = Math.max(active.value - 1, 0)) : show()),
    Enter: () => (open ? choose(active.value) : show()),
    ...(open ? { Escape: close, PageDown: () => (active.value = Math.min(active.value + 8, options.length - 1)), PageUp: () => (active.value = Math.max(active.value - 8, 0)) } : {}),
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  const onInput = (/** @type {any} */ event) => {
    query.value = event.target.value;
    active.value = 0;
  };

  return html`<div class="picker">
    <input type="text" role="combobox" aria-label=${label} aria-autocomplete="list" aria-expanded=${open} aria-controls=${`${id}-list`}
      aria-activedescendant=${open && options.length ? `${id}-${active.value}` : undefined} aria-invalid=${invalid} aria-describedby=${describedBy}
      autocomplete="off" autocapitalize="off" spellcheck="false" placeholder=${open ? value || "type to search" : unset ?? "choose one"}
      value=${query.value ?? value} onClick=${show} onInput=${onInput} onKeyDown=${onKeyDown} onBlur=${close} />
    ${open && html`<${List} id=${id} label=${label} options=${options} active=${active.value} chosen=${value} choose=${choose} />`}
  </div>`;
}

/** @param {{id: string, label: string, options: {name: string | undefined, summary: string}[], active: number, chosen: string, choose: (index: number) => void}} props */
function List({ id, label, options, active, chosen, choose }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => place.current?.querySelector(".active")?.scrollIntoView({ block: "nearest" }), [active, options.length]);
  // The press of a mouse would take the focus from the field, which closes the list before the click arrives.
  const keepFocus = (/** @type {Event} */ event) => event.preventDefault();
  return html`<ul ref=${place} id=${`${id}-list`} role="listbox" aria-label=${label} onMouseDown=${keepFocus}>
    ${options.map(({ name, summary }, index) => html`<li key=${name} id=${`${id}-${index}`} role="option" class=${index === active ? "active" : ""}
      aria-selected=${(name ?? "") === chosen} onClick=${() => choose(index)}><b>${name ?? "by default"}</b> <span><${Inline} text=${summary} /></span></li>`)}
    ${options.length === 0 && html`<li role="option" aria-disabled="true" aria-selected="false" class="nothing">nothing by that name</li>`}
  </ul>`;
}
