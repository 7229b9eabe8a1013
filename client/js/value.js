/**
 * State values, and which of them match (PURE). As XState has it: `"a"` or `"a.b"` or `{ a: "b" }`.
 */

/** @typedef {string | { [state: string]: StateValue }} StateValue */

/**
 * Whether a machine whose value is `value` is in the state `wanted`, which may be less deep than the value is.
 *
 * @param {StateValue | undefined} value
 * @param {StateValue} wanted
 * @returns {boolean}
 */
export function matches(value, wanted) {
  if (value === undefined) return false;
  const is = unfolded(value);
  const want = unfolded(wanted);
  if (typeof want === "string") return typeof is === "string" ? is === want : Object.hasOwn(is, want);
  if (typeof is === "string") return false;
  return Object.keys(want).every(
    (state) => Object.hasOwn(is, state) && matches(is[state], /** @type {StateValue} */ (want[state])),
  );
}

/**
 * `"a.b"` as `{ a: "b" }`; a dot that belongs to a name is written `\.`.
 * @param {StateValue} value @returns {StateValue}
 */
function unfolded(value) {
  if (typeof value !== "string" || !/[.\\]/.test(value)) return value;
  const names = [""];
  for (let i = 0; i < value.length; i++) {
    if (value[i] === ".") names.push("");
    else names.push(names.pop() + value.charAt(value[i] === "\\" ? ++i : i));
  }
  return names.slice(0, -1).reduceRight((inner, name) => ({ [name]: inner }), /** @type {StateValue} */ (names.at(-1)));
}
