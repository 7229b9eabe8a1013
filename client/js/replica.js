/**
 * The view that this browser holds, at its cursor (PURE).
 * In: `room.view` and `room.patch`. Out: a view that is never changed in place: each new one shares with the former
 * all that stayed the same, so that `===` tells a page what to draw again. Who asks for what is missing: room.js.
 */
import { PatchRefused } from "./errors.js";

/**
 * @typedef {{ value?: import("./value.js").StateValue, context?: any, status?: string, tags?: string[], output?: any,
 *   error?: any, children?: Record<string, any>, can?: string[], timers?: Record<string, number> }} View
 * @typedef {(string | number)[]} Path
 * @typedef {[Path, any] | [Path] | [Path, number, number, any[]]} Op set · delete · splice
 */

export class Replica {
  /** @type {View | null} */
  view = null;
  /** @type {string | null} */
  cursor = null;

  /** Take a whole view. @param {string} cursor @param {View} view */
  replace(cursor, view) {
    this.view = share(this.view, view);
    this.cursor = cursor;
  }

  /** What is held is the newest, and is called so. @param {string} cursor @throws {PatchRefused} nothing is held */
  confirm(cursor) {
    if (this.view === null) throw new PatchRefused("holds nothing");
    this.cursor = cursor;
  }

  /**
   * Take what changed since `base`.
   * @param {string} base @param {string} cursor @param {Op[]} ops
   * @throws {PatchRefused} `base` isn't held, or an operation doesn't fit; what is held stays as it was
   */
  patch(base, cursor, ops) {
    if (this.cursor !== base) throw new PatchRefused(`holds ${this.cursor}, not ${base}`);
    this.view = apply(this.view, ops);
    this.cursor = cursor;
  }
}

/**
 * A view with operations applied; the one given stays as it was.
 * @param {any} view @param {Op[]} ops @returns {any}
 * @throws {PatchRefused} for an operation that doesn't fit, or a key that could reach a prototype
 */
export function apply(view, ops) {
  if (!Array.isArray(ops)) throw new PatchRefused("operations are an array");
  return ops.reduce(applied, view);
}

/** @param {any} view @param {Op} op */
function applied(view, op) {
  if (!Array.isArray(op) || !Array.isArray(op[0])) throw new PatchRefused("an operation is [path, …]");
  const [path, ...rest] = /** @type {[Path, ...any[]]} */ (op);
  if (rest.length === 3) return at(view, path, 0, (list) => spliced(list, rest[0], rest[1], rest[2]));
  if (rest.length > 1) throw new PatchRefused("an operation has one, two or four parts");
  const key = path.at(-1);
  if (key !== undefined) {
    return at(view, path.slice(0, -1), 0, (parent) => (rest.length ? set(parent, key, rest[0]) : deleted(parent, key)));
  }
  if (!rest.length) throw new PatchRefused("the whole view can't be deleted");
  return share(view, rest[0]);
}

/**
 * `node` with what lies at `path` changed.
 * @param {any} node @param {Path} path @param {number} depth @param {(inner: any) => any} change @returns {any}
 */
function at(node, path, depth, change) {
  if (depth === path.length) return change(node);
  const key = existing(node, path[depth]);
  const after = at(node[key], path, depth + 1, change);
  return after === node[key] ? node : replaced(node, key, after);
}

/** @param {any} parent @param {string | number} key @param {any} value */
function set(parent, key, value) {
  if (!Array.isArray(parent) && !Object.hasOwn(branch(parent), safe(key))) return replaced(parent, key, value);
  const before = parent[existing(parent, key)];
  const after = share(before, value);
  return after === before ? parent : replaced(parent, key, after);
}

/** @param {any} parent @param {string | number} key */
function deleted(parent, key) {
  if (Array.isArray(parent)) throw new PatchRefused("arrays shrink by splice");
  const { [existing(parent, key)]: _, ...others } = parent;
  return others;
}

/** @param {any} list @param {number} from @param {number} count @param {any[]} items */
function spliced(list, from, count, items) {
  const fits = [from, count].every((n) => Number.isInteger(n) && n >= 0) && from + count <= list?.length;
  if (!Array.isArray(list) || !fits || !Array.isArray(items)) throw new PatchRefused("a splice that doesn't fit");
  return count || items.length ? [...list.slice(0, from), ...items, ...list.slice(from + count)] : list;
}

/** A copy with another value. @param {any} node @param {string | number} key @param {any} value */
function replaced(node, key, value) {
  const copy = Array.isArray(node) ? [...node] : { ...node };
  copy[key] = value;
  return copy;
}

/** The key, if `node` has it. @param {any} node @param {string | number | undefined} key @returns {string | number} */
function existing(node, key) {
  const is = Array.isArray(node)
    ? typeof key === "number" && Number.isInteger(key) && key >= 0 && key < node.length
    : Object.hasOwn(branch(node), safe(key));
  if (!is) throw new PatchRefused(`nothing at ${key}`);
  return /** @type {string | number} */ (key);
}

/** @param {any} node */
function branch(node) {
  if (node === null || typeof node !== "object") throw new PatchRefused("a path ends early");
  return node;
}

/** @param {unknown} key @returns {string} */
function safe(key) {
  if (typeof key !== "string" || key === "__proto__" || key === "constructor" || key === "prototype") {
    throw new PatchRefused(`no key of an object: ${key}`);
  }
  return key;
}

/**
 * `next`, made of the parts of `old` wherever the two are equal; `old` itself when all is.
 * @param {any} old @param {any} next @returns {any}
 */
export function share(old, next) {
  if (!isTree(old) || !isTree(next) || Array.isArray(old) !== Array.isArray(next)) return next;
  const keys = Object.keys(next);
  /** @type {any} */
  const mixed = Array.isArray(next) ? [...next] : { ...next };
  let same = keys.length === Object.keys(old).length;
  for (const key of keys) {
    // Both copies own the key, so that even a "__proto__" in a view stays plain data here.
    if (Object.hasOwn(old, key)) mixed[key] = share(old[key], mixed[key]);
    same &&= mixed[key] === old[key];
  }
  return same ? old : mixed;
}

/** @param {unknown} value @returns {boolean} */
const isTree = (value) => value !== null && typeof value === "object";
