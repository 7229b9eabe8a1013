/**
 * Those who want to be told. One that throws is reported and doesn't stop the others.
 */

/**
 * @typedef {{ next?: (...args: any[]) => void, error?: (error: any) => void, complete?: () => void }} Observer
 * @typedef {{ unsubscribe(): void }} Subscription
 */

export class Listeners {
  /** One entry a listener, so that a function may listen twice. @type {Set<{ observer: Observer }>} */
  #all = new Set();
  /** @type {{ what: "error" | "complete", why?: any } | null} */
  #end = null;

  /**
   * @param {Observer | ((...args: any[]) => void)} listener
   * @param {any[]} [now] what there is to tell it at once
   * @returns {Subscription}
   */
  add(listener, now) {
    const entry = { observer: typeof listener === "function" ? { next: listener } : listener };
    this.#all.add(entry);
    if (now) call(entry.observer, "next", ...now);
    if (this.#end) call(entry.observer, this.#end.what, this.#end.why);
    return { unsubscribe: () => void this.#all.delete(entry) };
  }

  /**
   * Who comes meanwhile is told the next time, who leaves meanwhile not any more. False: there was nobody.
   * @param {any[]} args
   */
  tell(...args) {
    const all = [...this.#all];
    for (const entry of all) if (this.#all.has(entry)) call(entry.observer, "next", ...args);
    return all.length > 0;
  }

  /**
   * Tell all, and whoever still comes, that nothing will follow.
   * @param {"error" | "complete"} what @param {any} [why]
   */
  end(what, why) {
    this.#end = { what, why };
    const all = [...this.#all];
    this.#all.clear();
    for (const { observer } of all) call(observer, what, why);
  }
}

/** @param {any} observer @param {keyof Observer} what @param {any[]} args */
function call(observer, what, ...args) {
  try {
    observer[what]?.(...args);
  } catch (error) {
    if (globalThis.reportError) globalThis.reportError(error);
    else console.error(error);
  }
}
