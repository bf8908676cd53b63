// @ts-check
// What the catalog says of an entry, as a person reads it: in the form and on the entry's own page.

import { html } from "htm/preact";

/** @typedef {import("./catalog.js").Entry} Entry */

/** A text with `code` in it; blank lines part its paragraphs, and a list keeps its lines. @param {{text: string}} props */
export const Prose = ({ text }) => text.split(/\n\s*\n/).map((part) => html`<p class=${/^\s*[-*] /m.test(part) ? "lines" : ""}><${Inline} text=${part} /></p>`);

/** @param {{text: string}} props */
export const Inline = ({ text }) => text.split(/`+/).map((piece, index) => (index % 2 ? html`<code>${piece}</code>` : piece));

/** Formula, use, pitfall and paper. @param {{entry: Entry}} props */
export const About = ({ entry }) => html`<div class="about">
  <${Prose} text=${entry.description} />
  ${entry.formula && html`<pre class="formula">${entry.formula}</pre>`}
  ${entry.pitfall && html`<p class="pitfall"><b>What goes wrong</b> <${Inline} text=${entry.pitfall} /></p>`}
  ${entry.paper && html`<p class="note"><${Sources} text=${entry.paper} /></p>`}
</div>`;

/** A text whose addresses are links. @param {{text: string}} props */
const Sources = ({ text }) =>
  text.split(/(https?:\/\/[^\s,;)]+)/).map((piece, index) => (index % 2 ? html`<a href=${piece} rel="noopener noreferrer" target="_blank">${piece}</a>` : piece));

/** @param {string} kind @param {string} [name] */
export const addressOf = (kind, name) => `#/catalog/${[kind, name].filter(Boolean).join("/")}`;
