/** The vectors that both façades read. */
import { readFileSync } from "node:fs";

/** @param {string} name @returns {any[]} */
export const vectors = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));
