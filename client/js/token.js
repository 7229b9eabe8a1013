/**
 * Who we are to the server: a signed token, kept so that a reload is the same person.
 * In: the token that the page gave, or none, and those that the server renews. Out: the one for the next connection.
 *
 * A token of the page's own is only ever its own affair: it is neither stored nor read from storage.
 */
import { RoomClosed } from "./errors.js";

/** @typedef {string | (() => string | null | undefined | Promise<string | null | undefined>)} Given */
/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Store */

/** Where storage is off or full: one person for as long as the page lives. @type {Map<string, string>} */
const memory = new Map();

export class Token {
  #given;
  #storage;
  #key;
  /** @type {string | null} */
  #value = null;
  /** What this façade last saw in storage. @type {string | null} */
  #stored = null;

  /**
   * @param {Given | null | undefined} given
   * @param {Store | null | undefined} storage null: memory only
   * @param {string} origin the server's; each keeps tokens of its own
   */
  constructor(given, storage, origin) {
    this.#given = given ?? null;
    this.#storage = storage;
    this.#key = `rooms.token ${origin}`;
    if (typeof given === "string") this.#value = given;
    if (this.#given === null) this.#value = this.#stored = this.#read();
  }

  /** Whether there can be another one, should the server refuse this one. */
  get renewable() {
    return typeof this.#given === "function" || (this.#given === null && this.#value !== null);
  }

  /**
   * The token for a new connection.
   * @param {boolean} refused the server refused the last one (4401)
   * @throws {RoomClosed} there is only the refused one. Whatever the page's function throws: ask it again later.
   */
  async next(refused) {
    if (typeof this.#given === "function") {
      const token = (await this.#given()) ?? null;
      if (refused && token === this.#value) throw new RoomClosed(4401, "`token` gave the refused token again");
      this.#value = token;
    } else if (refused) {
      if (this.#read() === this.#value) this.#write(null);
      this.#value = this.#stored = this.#read();
    }
    return this.#value;
  }

  /** The server renewed it. @param {string} token */
  keep(token) {
    this.#value = token;
    // Of two tabs that were new together the first decides who a later page is; the other stays who it is.
    if (this.#given === null && this.#read() === this.#stored) this.#write((this.#stored = token));
  }

  #read() {
    let kept = null;
    try {
      kept = this.#store().getItem(this.#key);
    } catch {
      // memory has it
    }
    return kept ?? memory.get(this.#key) ?? null;
  }

  /** @param {string | null} token */
  #write(token) {
    memory.delete(this.#key);
    try {
      if (token === null) this.#store().removeItem(this.#key);
      else this.#store().setItem(this.#key, token);
    } catch {
      if (token !== null) memory.set(this.#key, token);
    }
  }

  /** The mere mention of localStorage throws where the visitor forbids it. @returns {Store} */
  #store() {
    const storage = this.#storage === undefined ? globalThis.localStorage : this.#storage;
    if (!storage) throw new Error("no storage");
    return storage;
  }
}
