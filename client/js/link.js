/**
 * One room's connection, kept up for as long as the room will have us.
 * In: an address for each attempt, and frames. Out: messages in order, and what state the connection is in. Here are
 * decided: who comes back after which close code (SPEC, CLOSE), when, and that a silent socket is a dead one. What the
 * messages mean is room.js's affair. Next: room.js
 *
 * There is one socket and one timer at a time; whatever a former socket still has to say is nobody's.
 */
import { delay } from "./backoff.js";
import { RoomClosed } from "./errors.js";

/**
 * @typedef {"connecting" | "open" | "waiting" | "moving" | "closed"} Connection
 * @typedef {{ code: number, reason: string, retry_after: number | null }} Closing
 *   `retry_after`: ms that the server asked to wait; null: for good
 * @typedef {{ type: string, [field: string]: any }} Message
 * @typedef {{ readonly readyState: number, readonly bufferedAmount: number, send(data: string): void,
 *   close(code?: number): void, onopen: any, onmessage: any, onclose: any }} Socket
 * @typedef {new (url: string, protocols?: string[]) => Socket} SocketClass
 * @typedef {{ now(): number, setTimeout(run: () => void, ms: number): any, clearTimeout(timer: any): void }} Timers
 *
 * @typedef {object} Ports
 * @property {(refused: boolean) => Promise<string>} address where to connect; RoomClosed: nowhere any more
 * @property {() => boolean} renewable whether another address could help after 4401
 * @property {(message: Message, first: boolean) => void} receive
 * @property {(state: Connection) => void} changed
 * @property {SocketClass} WebSocket
 * @property {string[]} protocols
 * @property {Timers} timers
 * @property {() => number} roll
 */

const FOR_GOOD = new Set([1008, 1009, 4400, 4403, 4404, 4409, 4410]);
const OPEN = 1;

/** How long it may take until the socket is open, and from there to the first word; how long an answer of the door. */
const CONNECT = 10_000;
const ANSWER = 5_000;
/** How long all may be quiet before the door is asked whether it is still there. */
const IDLE = 25_000;
/** So long an attempt that was given up may still arrive at the server. */
const STRAY = 30_000;
/** How long a connection has to hold for the next loss to count as the first one. */
const STABLE = 5_000;

export class Link {
  /** @type {Connection} */
  state = "connecting";
  /** Why it isn't open. @type {Closing | null} */
  closing = null;
  /** When the current attempt began. */
  dialed = 0;

  #ports;
  /** @type {Socket | null} */
  #socket = null;
  /** @type {any} */
  #timer;
  /** Counts sockets; an answer to a former one is recognised by it. */
  #life = 0;
  #attempt = 0;
  #opened = Infinity;
  /** The server doesn't want us back sooner. */
  #floor = 0;
  /** Something was sent, and nothing heard since. */
  #expecting = false;
  /** Until when an attempt of ours that was given up may still arrive at the server. */
  #stray = -Infinity;
  /** @type {Closing | null} */
  #announced = null;

  /** @param {Ports} ports */
  constructor(ports) {
    this.#ports = ports;
    globalThis.addEventListener?.("online", this.#nudge);
    globalThis.document?.addEventListener("visibilitychange", this.#nudge);
  }

  /** Connect now, whatever was before. */
  async open() {
    this.#abandon();
    const { address, timers, WebSocket, protocols } = this.#ports;
    const life = this.#life;
    const refused = this.closing?.code === 4401;
    this.dialed = timers.now();
    this.#arm(CONNECT, () => this.#lost(1006, "no connection in time"));
    this.#enter("connecting");
    let url;
    try {
      url = await address(refused);
    } catch (error) {
      if (life !== this.#life) return;
      if (error instanceof RoomClosed) return this.#end({ code: error.code, reason: error.reason, retry_after: null });
      return this.#lost(refused ? 4401 : 1006, String(error)); // a token that couldn't be fetched may come another time
    }
    if (life !== this.#life) return;
    let socket;
    try {
      socket = this.#socket = new WebSocket(url, protocols);
    } catch (error) {
      // An address that no socket can be made for, or that the browser forbids, won't be better next time.
      return this.#end({ code: 1006, reason: String(error), retry_after: null });
    }
    socket.onopen = () => life === this.#life && this.#arm(CONNECT, this.#probe);
    socket.onmessage = (/** @type {{ data: any }} */ { data }) => life === this.#life && this.#read(data);
    socket.onclose = (/** @type {{ code: number, reason: string }} */ { code, reason }) =>
      life === this.#life && this.#lost(code, reason, true);
  }

  /** Put a message on the wire. False: there is none. @param {string} text @param {boolean} [droppable] */
  send(text, droppable = false) {
    if (this.#socket?.readyState !== OPEN || this.state === "connecting") return false;
    if (droppable && this.#socket.bufferedAmount > 65_536) return false;
    this.#put(text);
    return true;
  }

  /** Close for good. */
  close() {
    if (this.state !== "closed") this.#end({ code: 1000, reason: "closed by the page", retry_after: null });
  }

  /** @param {string} text */
  #put(text) {
    this.#socket?.send(text);
    if (this.#expecting) return;
    this.#expecting = true;
    this.#arm(ANSWER, this.#probe);
  }

  /** Ask the door for a sign of life, and for the time. */
  #probe = () => {
    this.#expecting = true;
    this.#socket?.send(JSON.stringify({ type: "room.ping", t: this.#ports.timers.now() }));
    this.#arm(ANSWER, () => this.#lost(1006, "the server is silent"));
  };

  #heard() {
    this.#expecting = false;
    this.#arm(IDLE, this.#probe);
  }

  /** @param {unknown} data */
  #read(data) {
    this.#heard();
    const message = parsed(data);
    if (!message) return this.#lost(1006, "a frame that isn't a message");
    const first = this.state === "connecting" && message.type === "room.you";
    const before = this.state;
    if (first) {
      this.state = "open";
      this.closing = null;
      this.#opened = this.#ports.timers.now();
      this.#probe();
    } else if (message.type === "room.status" && before !== "connecting") {
      this.state = message.status === "moving" ? "moving" : "open";
    } else if (message.type === "room.closing") {
      this.#announced = { code: message.code, reason: message.reason, retry_after: message.retry_after ?? null };
    }
    const { state } = this;
    this.#ports.receive(message, first);
    if (state !== before) this.#ports.changed(state);
  }

  /** The socket is gone, or as good as gone. @param {number} code @param {string} reason @param {boolean} [gone] */
  #lost(code, reason, gone) {
    const closing = this.#announced ?? { code, reason, retry_after: 0 };
    if (!this.#mayReturn(closing)) return this.#end({ ...closing, retry_after: null });
    this.#abandon(gone);
    const after = closing.retry_after ?? 0;
    this.closing = { ...closing, retry_after: after };
    const { timers, roll } = this.#ports;
    if (timers.now() - this.#opened >= STABLE) this.#attempt = 0;
    this.#opened = Infinity;
    this.#floor = timers.now() + after;
    this.#arm(delay(this.#attempt++, roll(), after), () => this.open());
    this.#enter("waiting");
  }

  /** @param {Closing} closing */
  #mayReturn({ code, retry_after }) {
    if (code === 4401) return this.#ports.renewable();
    // Nobody else has our name: the newer connection that took over is one of ours, given up and late.
    if (code === 4410) return this.#ports.timers.now() < this.#stray;
    return retry_after !== null && !FOR_GOOD.has(code);
  }

  /** The network or the page is back: don't wait any longer, and don't trust a socket that may have died meanwhile. */
  #nudge = () => {
    if (globalThis.document?.visibilityState === "hidden") return;
    if (this.state === "waiting" && this.#ports.timers.now() >= this.#floor) this.open();
    else if (this.#socket?.readyState === OPEN) this.#probe();
  };

  /** @param {Closing} closing */
  #end(closing) {
    this.#abandon();
    this.closing = closing;
    globalThis.removeEventListener?.("online", this.#nudge);
    globalThis.document?.removeEventListener("visibilitychange", this.#nudge);
    this.#enter("closed");
  }

  /** Nothing of the current attempt counts any more; its socket is gone, or is given up. @param {boolean} [gone] */
  #abandon(gone) {
    if (this.#socket && !gone) this.#stray = this.#ports.timers.now() + STRAY;
    this.#life++;
    this.#ports.timers.clearTimeout(this.#timer);
    this.#announced = null;
    this.#expecting = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  /** @param {number} ms @param {() => void} run */
  #arm(ms, run) {
    this.#ports.timers.clearTimeout(this.#timer);
    this.#timer = this.#ports.timers.setTimeout(run, ms);
  }

  /** @param {Connection} state */
  #enter(state) {
    if (state === this.state) return;
    this.state = state;
    this.#ports.changed(state);
  }
}

/** @param {any} data @returns {Message | null} */
function parsed(data) {
  try {
    const message = JSON.parse(data);
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
