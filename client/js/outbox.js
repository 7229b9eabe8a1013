/**
 * Events on their way to the room: numbered when they first go out, kept until their outcome came (PURE).
 * In: what the page wants said, and the server's numbers. Out: what to put on the wire, in order. Next: link.js
 *
 * The server marks, in the same commit as the room's state, how far our numbers are settled, and keeps the outcomes of
 * the last 64. So whatever is unanswered may be sent again: it is handled now, or its outcome is told again.
 */

/** How far numbers may run ahead of the oldest unanswered one: no further than outcomes are kept. */
const WINDOW = 64;
/** How many wait behind them before the next one is turned away. */
const WAITING = 1_000;
/** How many bytes a server reads in one message: a larger one would end the connection, for good. */
const LARGEST = 65_536;
/** What numbers an event, in bytes: `{,"seq":…,"acked":…}`. */
const NUMBERS = 64;

/** Whether no server reads this, once it is numbered. @param {string} message */
export function tooLarge(message) {
  const most = LARGEST - NUMBERS;
  return message.length * 3 > most && new TextEncoder().encode(message).length > most; // UTF-8: at most 3 bytes a unit
}

/** @template Entry */
export class Outbox {
  /** @type {Entry[]} */
  #waiting = [];
  /** @type {Map<number, Entry>} by seq, ascending */
  #sent = new Map();
  #next = 1;

  /** Up to which number all outcomes have arrived. */
  get acked() {
    const [oldest] = this.#sent.keys();
    return (oldest ?? this.#next) - 1;
  }

  /** Keep an entry until its outcome came. False: too many wait already. @param {Entry} entry */
  add(entry) {
    return this.#waiting.length < WAITING && this.#waiting.push(entry) > 0;
  }

  /** What may go out now for the first time, with its number. @returns {[number, Entry][]} */
  take() {
    const taken = this.#waiting.splice(0, WINDOW - (this.#next - 1 - this.acked));
    const numbered = taken.map((entry) => /** @type {[number, Entry]} */ ([this.#next++, entry]));
    for (const [seq, entry] of numbered) this.#sent.set(seq, entry);
    return numbered;
  }

  /** The entry whose outcome came; undefined for one that was answered before. @param {number} seq */
  settle(seq) {
    const entry = this.#sent.get(seq);
    this.#sent.delete(seq);
    return entry;
  }

  /**
   * What was sent from `seq` on and is unanswered.
   * @param {number} [seq] @returns {[number, Entry][]}
   */
  again(seq = 1) {
    return [...this.#sent].filter(([sent]) => sent >= seq);
  }

  /**
   * Start over as somebody else, at their mark. Gives back what was sent as the former: whether it happened is known
   * only to them, and sent again it could happen twice.
   * @param {number} mark @returns {Entry[]}
   */
  disown(mark) {
    const sent = [...this.#sent.values()];
    this.#sent.clear();
    this.#next = mark + 1;
    return sent;
  }

  /** Everything unanswered, sent or not; the outbox is empty then. @returns {Entry[]} */
  clear() {
    const unanswered = [...this.#sent.values(), ...this.#waiting];
    this.#sent.clear();
    this.#waiting = [];
    return unanswered;
  }
}
