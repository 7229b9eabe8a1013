/**
 * A browser and a network for one façade, all in our hands: time stands still until it is advanced, the dice fall as
 * told, and sockets are objects with WebSocket's interface whose other end is the test.
 */
import { connect } from "../../client/js/index.js";

export const START = 1_000_000;

/** Time that passes only when told to. It has the interface of the façade's `timers` option. */
export class Time {
  #now = START;
  #count = 0;
  /** @type {Map<number, { due: number, run: () => void }>} */
  #pending = new Map();

  now() {
    return this.#now;
  }

  /** @param {() => void} run @param {number} ms */
  setTimeout(run, ms) {
    this.#pending.set(++this.#count, { due: this.#now + ms, run });
    return this.#count;
  }

  /** @param {number} timer */
  clearTimeout(timer) {
    this.#pending.delete(timer);
  }

  get pending() {
    return this.#pending.size;
  }

  /** Let `ms` pass; every timer runs at its moment, and what it started settles before the next. @param {number} ms */
  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#pending].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due);
      if (!next) break;
      this.#pending.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].due);
      next[1].run();
      await settled();
    }
    this.#now = end;
  }
}

/** All that promises have to do is done. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** What a browser's WebSocket looks like from inside the page; the verbs below `close` are the server's. */
export class Socket {
  readyState = 0;
  bufferedAmount = 0;
  /** @type {any[]} */
  sent = [];
  /** @type {any} */ onopen = null;
  /** @type {any} */ onmessage = null;
  /** @type {any} */ onclose = null;

  /** @param {string} url @param {string[] | undefined} protocols */
  constructor(url, protocols) {
    this.url = new URL(url);
    this.query = Object.fromEntries(this.url.searchParams);
    this.protocols = protocols;
  }

  /** @param {string} text */
  send(text) {
    if (this.readyState === 0) throw new DOMException("still connecting", "InvalidStateError");
    if (this.readyState === 1) this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = Math.max(this.readyState, 2);
  }

  accept() {
    this.readyState = 1;
    this.onopen?.({});
  }

  /** @param {any} frame an object, or the text itself */
  deliver(frame) {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  /** @param {number} code @param {string} [reason] */
  drop(code, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** What was sent since the last call; pings only where they are asked for. @param {boolean} [pings] */
  take(pings = false) {
    return this.sent.splice(0).filter(({ type }) => pings || type !== "room.ping");
  }
}

/** Web storage. @param {Record<string, string>} [items] */
export function storage(items = {}) {
  const kept = new Map(Object.entries(items));
  return {
    kept,
    /** @param {string} key */
    getItem: (key) => kept.get(key) ?? null,
    /** @param {string} key @param {string} value */
    setItem: (key, value) => void kept.set(key, value),
    /** @param {string} key */
    removeItem: (key) => void kept.delete(key),
  };
}

/** One façade and everything around it. */
export class World {
  time = new Time();
  /** @type {Socket[]} every socket that was asked for */
  sockets = [];
  roll = 0.5;
  kept = storage();

  /** @param {import("../../client/js/room.js").Options} [options] @param {string} [address] */
  constructor(options = {}, address = "https://example.org/rooms/counter/abc") {
    const { sockets } = this;
    /** @type {import("../../client/js/link.js").SocketClass} */
    const WebSocket = class extends Socket {
      /** @param {string} url @param {string[]} [protocols] */
      constructor(url, protocols) {
        super(url, protocols);
        sockets.push(this);
      }
    };
    this.room = connect(address, {
      WebSocket,
      timers: this.time,
      random: () => this.roll,
      storage: this.kept,
      ...options,
    });
  }

  /** The newest socket. */
  get socket() {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was asked for");
    return socket;
  }

  /** A façade that is connected and shown `view`. @param {any} [view] @param {any} [you] */
  async joined(view = { value: "a" }, you = {}) {
    await settled();
    this.socket.accept();
    this.greet(you);
    this.socket.deliver({ type: "room.view", cursor: "n.1", now: START, view });
    this.socket.take();
    return this;
  }

  /** @param {any} [you] */
  greet(you = {}) {
    const me = { id: "ann", role: "player", connection: "c1" };
    this.socket.deliver({ type: "room.you", me, token: null, seq: 0, now: START, ...you });
  }
}

/** What became of a promise, without waiting for it. @template T @param {Promise<T>} promise */
export function fate(promise) {
  /** @type {{ value?: T, error?: any }} */
  const seen = {};
  promise.then(
    (value) => (seen.value = value),
    (error) => (seen.error = error),
  );
  return seen;
}
