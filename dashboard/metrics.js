// @ts-check
// Which of a job's series are metrics, and which of its metrics are shown where.

import { number } from "./format.js";

/** @typedef {{last: number | null, best: number | null, best_step: number | null, better: "higher" | "lower"}} Summary */
/** @typedef {Record<string, Summary>} Metrics by key, in the order that the job names them */

export const SPLITS = ["train", "val", "test"];

/** @param {string} key such as "val/accuracy". */
export const splitOf = (key) => key.split("/")[0];
/** @param {string} key */
export const nameOf = (key) => key.split("/")[1];

/** Whether a series says how good the network is: losses, and whatever held-out rows are judged by. @param {string} key */
export const isJudged = (key) => ["val", "test"].includes(splitOf(key)) || key === "train/loss";

/** The key of the loss that counts, where there is any yet. @param {Metrics} metrics */
export const lossOf = (metrics) => ["val/loss", "train/loss"].find((key) => key in metrics);

/** The keys of what else the validation rows are judged by. @param {Metrics} metrics */
export const scoresOf = (metrics) => Object.keys(metrics).filter((key) => splitOf(key) === "val" && nameOf(key) !== "loss");

/** The keys of what the test rows said at the end. @param {Metrics} metrics */
export const testsOf = (metrics) => Object.keys(metrics).filter((key) => splitOf(key) === "test");

/** Whether a chart may have a log axis: what should rise has an end that it nears, and what is scheduled is no measurement. @param {string[]} keys @param {Metrics} metrics */
export const takesLog = (keys, metrics) => keys.every((key) => key.includes("/") && metrics[key]?.better !== "higher");

/** The best value in words, which also say which way is better. @param {Summary} summary */
export const bestOf = ({ best, best_step: step, better }) =>
  best === null ? "no finite value yet" : `${better === "higher" ? "highest" : "lowest"} ${number(best)} at step ${number(step)}`;
