/**
 * The façade: one room as a page has it. What the page calls and reads is all here; what it says goes out through
 * outbox.js and link.js, and what comes in is taken apart in `#receive`, message by message as the SPEC lists them.
 */
import { Clock } from "./clock.js";
import { OutcomeLost, PatchRefused, RoomClosed } from "./errors.js";
import { Link } from "./link.js";
import { Listeners } from "./listeners.js";
import { Outbox, tooLarge } from "./outbox.js";
import { Replica } from "./replica.js";
import { Token } from "./token.js";
import { matches } from "./value.js";

/**
 * @typedef {import("./link.js").Connection} Connection
 * @typedef {import("./listeners.js").Subscription} Subscription
 * @typedef {import("./value.js").StateValue} StateValue
 * @typedef {{ id: string, role: string, connection: string }} Me
 * @typedef {{ type: string, [field: string]: any }} AnyEvent
 * @typedef {{ outcome: "accepted" | "ignored" | "rejected", reason?: any, result?: any, cursor?: string }} Outcome
 * @typedef {{ body: string, resolve: (outcome: Outcome) => void, reject: (error: Error) => void }} Posted
 *
 * @typedef {object} Options
 * @property {boolean} [create] false: a session that doesn't exist is refused (4404) instead of made
 * @property {import("./token.js").Given | null} [token] who we are; a function is asked for each connection. Without
 *   one the server makes us somebody, and storage keeps who
 * @property {Record<string, string | number | boolean | null | undefined>} [params] more of the query
 * @property {import("./token.js").Store | null} [storage] instead of localStorage; null: memory only
 * @property {import("./link.js").SocketClass} [WebSocket] where there is none built in
 * @property {string | null} [protocol] the subprotocol to ask for; null: none
 * @property {import("./link.js").Timers} [timers] for tests
 * @property {() => number} [random] for tests
 */

const RESERVED = ["client", "since", "cursor", "token", "create"];
const NOTHING = Object.freeze({});
/** @type {readonly string[]} */
const NO_TAGS = Object.freeze([]);

/** Goes on evenly when somebody sets the device's clock, unlike Date.now. @type {import("./link.js").Timers} */
const TIMERS = {
  now: () => performance.timeOrigin + performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

/**
 * @template [Context=any]
 * @template {{ type: string }} [Event=AnyEvent]
 */
export class Room {
  /** Who we are here; null until the server said so. @type {Me | null} */
  me = null;
  /** Who is here, and their presence data, by viewer id. @type {Readonly<Record<string, any>>} */
  present = NOTHING;
  /** How many are here; in a large room that is all one is told. */
  presentCount = 0;
  /**
   * Resolves with the room when there is a view, rejects when there will never be one.
   * @type {Promise<Room<Context, Event>>}
   */
  ready;

  #url;
  #create;
  #token;
  #timers;
  #link;
  /** Only in memory: two pages that shared it would take the room from each other. */
  #client = secret();
  /** @type {number | null} */
  #since = null;
  #replica = new Replica();
  #clock = new Clock();
  /** @type {Outbox<Posted>} */
  #outbox = new Outbox();
  /** The whole view was asked for, as what came didn't fit. */
  #asked = false;
  /** Outcomes that wait for that view. @type {(() => void)[]} */
  #parked = [];
  /** What others are to know of us. @type {string | null} */
  #presence = null;
  #observers = new Listeners();
  #connections = new Listeners();
  #presents = new Listeners();
  /** By event type. @type {Map<string, Listeners>} */
  #emitted = new Map();
  /** @type {{ resolve: (room: Room<Context, Event>) => void, reject: (error: Error) => void }} */
  #readiness;

  /** @param {string | URL} address @param {Options} [options] */
  constructor(address, options = {}) {
    const { WebSocket = globalThis.WebSocket, protocol = "rooms.v1.json", timers = TIMERS } = options;
    if (!WebSocket) throw new TypeError("no WebSocket here: give one as `options.WebSocket`");
    this.#url = located(address, options.params ?? {});
    this.#create = options.create ?? true;
    this.#token = new Token(options.token, options.storage, this.#url.origin);
    this.#timers = timers;
    let readiness;
    this.ready = new Promise((resolve, reject) => (readiness = { resolve, reject }));
    this.#readiness = /** @type {any} */ (readiness);
    this.ready.catch(() => {}); // nobody has to await it
    this.#link = new Link({
      address: (refused) => this.#address(refused),
      renewable: () => this.#token.renewable,
      receive: (message, first) => this.#receive(message, first),
      changed: (connection) => this.#changed(connection),
      WebSocket,
      protocols: protocol === null ? [] : [protocol],
      timers,
      roll: options.random ?? Math.random,
    });
    this.#link.open();
  }

  // ---------------------------------------------------------------- what is so

  /** The view as it was sent; null before the first. Never changed in place. */
  get view() {
    return this.#replica.view;
  }
  get value() {
    return this.view?.value;
  }
  /** @returns {Context} */
  get context() {
    return this.view?.context ?? NOTHING;
  }
  get status() {
    return this.view?.status;
  }
  get tags() {
    return this.view?.tags ?? NO_TAGS;
  }
  get children() {
    return this.view?.children ?? NOTHING;
  }
  get output() {
    return this.view?.output;
  }
  get error() {
    return this.view?.error;
  }
  /** Names of running timers and when they are due, in the time of `now()`. */
  get timers() {
    return this.view?.timers ?? NOTHING;
  }
  get cursor() {
    return this.#replica.cursor;
  }
  /** @returns {Connection} */
  get connection() {
    return this.#link.state;
  }
  /** Why the room isn't connected; null while it is. */
  get closing() {
    return this.#link.closing;
  }

  /** Whether the machine is in this state, or in one within it. @param {StateValue} value */
  matches(value) {
    return matches(this.value, value);
  }

  /** @param {string} tag */
  hasTag(tag) {
    return this.tags.includes(tag);
  }

  /**
   * Whether this event would do something now; false where the room doesn't tell.
   * @param {Event["type"] | Event} event
   */
  can(event) {
    return this.view?.can?.includes(typeof event === "string" ? event : event.type) ?? false;
  }

  /** The server's clock, ms, as well as it is known. */
  now() {
    return Math.round(this.#timers.now() + this.#clock.offset);
  }

  // ---------------------------------------------------------------- what the page says

  /**
   * Send an event. It is kept and sent again until its outcome came, and has its effect exactly once. The promise
   * resolves when the view that it led to was shown; it rejects only when the room is closed for good. An event too
   * many (over a thousand are waiting), or of over 64 KiB, is `rejected` here, without having been sent.
   * @param {Event} event @returns {Promise<Outcome>}
   */
  send(event) {
    return this.#post('"type":"room.send"', event);
  }

  /** Send an event to a child of the machine. @param {string | { id: string }} child @param {AnyEvent} event */
  sendTo(child, event) {
    const id = JSON.stringify(typeof child === "string" ? child : child.id);
    return this.#post(`"type":"room.send_to","child":${id}`, event);
  }

  /** Send an event at most once, and only now. False: not connected, or too slowly, or too large. @param {Event} event */
  cast(event) {
    const message = encoded(event);
    return !tooLarge(message) && this.#link.send(message, true);
  }

  /** Tell the others something volatile, where the room has presence; the latest counts. @param {any} data */
  presence(data) {
    const presence = JSON.stringify({ type: "room.presence", data });
    if (tooLarge(presence)) throw new RangeError("presence has at most 2 KB");
    this.#link.send((this.#presence = presence));
  }

  /** Leave for good. What is unanswered rejects. */
  close() {
    this.#link.close();
  }

  /** Drop the connection and make a new one now. */
  reconnect() {
    if (this.#closed) throw this.#closed;
    this.#link.open();
  }

  // ---------------------------------------------------------------- what the page is told

  /**
   * Called with the room at once when there is a view, then whenever it changed; `error` when the server closed the
   * room for good, `complete` when the page did.
   * @param {((room: Room<Context, Event>) => void) | { next?: (room: Room<Context, Event>) => void,
   *   error?: (error: RoomClosed) => void, complete?: () => void }} observer
   * @returns {Subscription}
   */
  subscribe(observer) {
    return this.#observers.add(observer, this.view ? [this] : undefined);
  }

  /**
   * Called with each event of this type that the machine emits; `"*"`: with every one. `"room.error"`: with what the
   * server says of a message that it refused (as long as nobody listens, refused casts are warnings in the console).
   * @param {string} type @param {(event: AnyEvent) => void} listener
   */
  on(type, listener) {
    const listeners = this.#emitted.get(type) ?? new Listeners();
    this.#emitted.set(type, listeners);
    return listeners.add(listener);
  }

  /** Called at once and with each change of `connection`. @param {(connection: Connection) => void} listener */
  onConnection(listener) {
    return this.#connections.add(listener, [this.connection]);
  }

  /**
   * Called at once and with each change of `present`.
   * @param {(present: Readonly<Record<string, any>>) => void} listener
   */
  onPresent(listener) {
    return this.#presents.add(listener, [this.present]);
  }

  // ---------------------------------------------------------------- out

  /** @param {string} head @param {AnyEvent} event @returns {Promise<Outcome>} */
  #post(head, event) {
    const body = `${head},"event":${encoded(event)}`;
    /** @type {Promise<Outcome>} */
    const outcome = new Promise((resolve, reject) => {
      if (this.#closed) reject(this.#closed);
      else if (tooLarge(body)) resolve({ outcome: "rejected", reason: "an event has at most 64 KiB" });
      else if (!this.#outbox.add({ body, resolve, reject })) {
        resolve({ outcome: "rejected", reason: "too many events are waiting to be sent" });
      }
    });
    outcome.catch(() => {}); // nobody has to await it
    this.#flush();
    return outcome;
  }

  /** Nothing numbered leaves before the server has said, in its `room.you`, where it stands. */
  #flush() {
    if (this.connection === "open" || this.connection === "moving") this.#put(this.#outbox.take());
  }

  /** @param {[number, Posted][]} numbered */
  #put(numbered) {
    const { acked } = this.#outbox;
    for (const [seq, { body }] of numbered)
      this.#link.send(`{${body},"seq":${seq}${acked ? `,"acked":${acked}` : ""}}`);
  }

  #ask() {
    if (!this.#asked) this.#link.send('{"type":"room.get"}');
    this.#asked = true;
  }

  /** @param {boolean} refused */
  async #address(refused) {
    const token = await this.#token.next(refused);
    const url = new URL(this.#url);
    const query = {
      client: this.#client,
      since: this.#since,
      cursor: this.cursor,
      token,
      create: this.#create ? null : 0,
    };
    for (const [name, value] of Object.entries(query)) if (value !== null) url.searchParams.set(name, String(value));
    return url.href;
  }

  // ---------------------------------------------------------------- in

  /** @param {import("./link.js").Message} message @param {boolean} first on this connection */
  #receive(message, first) {
    if (typeof message.now === "number" && message.type !== "room.emitted") {
      const sent = first ? this.#link.dialed : message.type === "room.pong" ? message.t : undefined;
      this.#clock.sample(message.now, this.#timers.now(), sent);
    }
    switch (message.type) {
      case "room.you":
        return this.#welcome(message, first);
      case "room.view":
        return this.#show(() => this.#replica.replace(message.cursor, message.view));
      case "room.patch":
        return this.#show(() => this.#replica.patch(message.base, message.cursor, message.ops));
      case "room.unchanged":
        return this.#show(() => this.#replica.confirm(message.cursor));
      case "room.outcome":
        return this.#settle(message);
      case "room.resend":
        return this.#put(this.#outbox.again(message.from));
      case "room.emitted":
        for (const type of [message.event.type, "*"]) this.#emitted.get(type)?.tell(message.event);
        return;
      case "room.present":
        return this.#meet(message);
      case "room.error":
        if (this.#emitted.get("room.error")?.tell(message) || message.seq) return;
        console.warn(`the room refused a message: ${message.code}: ${message.reason}`);
    }
  }

  /** @param {any} you @param {boolean} first */
  #welcome({ me, token, seq, now }, first) {
    if (this.me && this.me.id !== me.id) {
      for (const { reject } of this.#outbox.disown(seq)) reject(new OutcomeLost());
    }
    this.me = me;
    this.#since ??= now;
    if (token) this.#token.keep(token);
    if (first) {
      this.#asked = false;
      this.#put(this.#outbox.again());
      if (this.#presence) this.#link.send(this.#presence);
    }
    this.#flush();
  }

  /** Change the view; then tell subscribers, and only then what waited for it. @param {() => void} change */
  #show(change) {
    const before = this.view;
    try {
      change();
    } catch (error) {
      if (error instanceof PatchRefused) return this.#ask();
      throw error;
    }
    this.#asked = false;
    if (this.view !== before) this.#observers.tell(this);
    this.#readiness.resolve(this);
    for (const resolve of this.#parked.splice(0)) resolve();
  }

  /** @param {any} message */
  #settle({ type: _, seq, ...outcome }) {
    const posted = this.#outbox.settle(seq);
    if (!posted) return; // said before
    const behind = this.#asked || this.view === null;
    if (behind && outcome.cursor) this.#parked.push(() => posted.resolve(outcome));
    else posted.resolve(outcome);
    this.#flush();
  }

  /** Who is here: all of them, or what changed. @param {any} message */
  #meet({ viewers, count, all }) {
    const here = Object.entries({ ...(all ? NOTHING : this.present), ...viewers });
    this.present = Object.fromEntries(here.filter(([, data]) => data !== null));
    this.presentCount = count ?? Object.keys(this.present).length;
    this.#presents.tell(this.present);
  }

  /** @param {Connection} connection */
  #changed(connection) {
    const closed = this.#closed;
    if (closed) {
      for (const resolve of this.#parked.splice(0)) resolve();
      for (const { reject } of this.#outbox.clear()) reject(closed);
      this.#readiness.reject(closed);
      if (closed.code === 1000) this.#observers.end("complete");
      else this.#observers.end("error", closed);
    }
    this.#connections.tell(connection);
  }

  get #closed() {
    return this.connection === "closed" && this.closing ? new RoomClosed(this.closing.code, this.closing.reason) : null;
  }
}

/** @param {string | URL} address @param {NonNullable<Options["params"]>} params */
function located(address, params) {
  const url = new URL(address, globalThis.location?.href);
  url.protocol = url.protocol.replace(/^http/, "ws");
  url.hash = "";
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(`a room's address is http(s) or ws(s), not ${url.protocol}`);
  for (const [name, value] of Object.entries(params)) {
    if (RESERVED.includes(name)) throw new TypeError(`params can't have ${name}: it is the façade's own`);
    if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** The event as it goes out, as it was when it was sent. @param {AnyEvent} event */
function encoded(event) {
  if (typeof event?.type !== "string") throw new TypeError('an event is an object with a type: { type: "increment" }');
  if (event.type.startsWith("room.")) throw new TypeError(`${event.type}: names with room. are the room's own`);
  return JSON.stringify(event);
}

/** 128 bits. (crypto.randomUUID is missing where a page comes over plain http, as on the phones of a LAN.) */
function secret() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
