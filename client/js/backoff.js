/**
 * How long to wait before the next attempt (PURE: chance is an argument).
 * In: which attempt it is, a roll of the dice, what the server asked for. Out: milliseconds, which link.js waits.
 */

const SHORTEST = 250;
const LONGEST = 8_000;

/**
 * Full jitter: anything from nothing to a bound that doubles with each attempt. After a pause that the server asked
 * for, at least half of that pause again is spread over, or everybody it sent away would be back at the same moment.
 *
 * @param {number} attempt from 0
 * @param {number} roll 0 ≤ roll < 1
 * @param {number} [after] `retry_after`, ms
 * @returns {number} ms
 */
export function delay(attempt, roll, after = 0) {
  const bound = Math.min(LONGEST, SHORTEST * 2 ** attempt);
  return after + roll * Math.max(bound, after / 2);
}
