/**
 * How far the server's clock is from ours (PURE: every time is an argument).
 * In: the `now` of messages, when they arrived, and, for answers, when their question left. Out: an offset.
 *
 * A message that says `now` was made before it arrived, and an answer after its question was sent; so each one bounds
 * the offset, and slow ones merely bound it less. What fits all of them is an interval as wide as the quickest round
 * trip; its middle is the estimate.
 */
export class Clock {
  #low = -Infinity;
  #high = Infinity;

  /**
   * @param {number} now the server's clock, whole ms
   * @param {number} received our clock when it arrived, ms
   * @param {number} [sent] our clock when what it answers was sent, ms
   */
  sample(now, received, sent = -Infinity) {
    const low = now - received;
    const high = now + 1 - sent; // `now` is cut to whole milliseconds
    const width = this.#high - this.#low;
    if (low > this.#high) {
      // A clock was set, drifted, or ours stood still while the device slept: move on, no further than this one proves.
      this.#low = low;
      this.#high = Math.min(high, low + width);
    } else if (high < this.#low) {
      this.#high = high;
      this.#low = Math.max(low, high - width);
    } else {
      this.#low = Math.max(this.#low, low);
      this.#high = Math.min(this.#high, high);
    }
  }

  /** Milliseconds to add to our clock to get the server's; 0 as long as nothing is known. */
  get offset() {
    if (this.#low === -Infinity) return 0;
    return this.#high === Infinity ? this.#low : (this.#low + this.#high) / 2;
  }
}
