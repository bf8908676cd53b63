// @ts-check
// How numbers, durations and moments are written.

/** @param {number | null | undefined} value @param {number} [digits] significant ones */
export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return Number(value.toPrecision(digits - 1)).toExponential().replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

/** A large count in three digits, as 32.3 M. @param {number | null | undefined} count */
export function many(count) {
  if (count === null || count === undefined) return "–";
  const unit = Math.min(5, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  return `${number(count / 1000 ** unit, 3)}${["", " k", " M", " G", " T", " P"][unit]}`;
}

/** @param {number | null | undefined} share of 1 */
export function percent(share) {
  return share === null || share === undefined ? "–" : `${(share * 100).toFixed(1)}%`;
}

/** @param {number | null | undefined} bytes */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  const unit = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${number(bytes / 1024 ** unit, 3)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return "< 1 s";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {string} moment RFC 3339 @param {number} [now] milliseconds */
export function ago(moment, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(moment).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

/** @param {string} moment RFC 3339 */
export function clock(moment) {
  return new Date(moment).toLocaleTimeString("en", { hour12: false });
}

/** @param {number} days since 1970-01-01 */
export const day = (days) => new Date(days * 86_400_000).toISOString().slice(0, 10);
