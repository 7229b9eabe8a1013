/**
 * For developers: the live view as it was sent, its cursor, and the state of the connection. Where the game is being
 * developed also the machine's diagram with the current states lit, and a switch to see what others see. Opened with the ` key.
 */
import { known, look } from "./developing.js";
import { h } from "./dom.js";

let shown = false;
/** Whose view is shown: "" our own, "all" the whole state, "onlooker", or who has a seat. */
let as = "";
let changed = () => {};

/** @param {() => void} render */
export function listen(render) {
  changed = render;
  addEventListener("keydown", (event) => {
    const typing = /** @type {Element} */ (event.target).closest?.("input, select, textarea");
    if (event.key !== "`" || typing) return;
    shown = !shown;
    changed();
  });
}

/** @param {import("/client/index.js").Room | null} room @param {string | null} slug */
export function drawer(room, slug) {
  if (!shown || !room || !slug) return false;
  look("trivia", slug, room.cursor, as, changed);
  const view = !as ? room.view : known.seen?.as === as ? known.seen.view : null;
  const revision = known.revision === null ? "" : ` · revision ${known.revision}`;
  return h(
    "aside",
    { class: "drawer", key: "drawer", "aria-label": "For developers" },
    h("p", {}, `${room.connection} · ${room.me?.role ?? "nobody yet"} · cursor ${room.cursor ?? "none"}${revision}`),
    known.machine && h("div", { class: "chart", role: "img", "aria-label": "The machine" }, states(known.machine, known.value)),
    known.machine && viewAs(),
    h("pre", { tabindex: 0 }, view ? JSON.stringify(view, null, 2) : "…"),
  );
}

function viewAs() {
  const options = [["", "me"], ["all", "nobody: the whole state"], ["onlooker", "an onlooker"]];
  for (const { id, role, here } of known.seats) options.push([id, `${id} (${role}${here ? "" : ", away"})`]);
  return h(
    "label",
    {},
    "View as ",
    h(
      "select",
      { value: as, onchange: (event) => ((as = event.target.value), changed()) },
      options.map(([value, label]) => h("option", { value, key: value }, label)),
    ),
  );
}

/** The states of a machine or of one of its states, those that `value` names lit. */
function states(node, value) {
  return Object.entries(node.states ?? {}).map(([name, state]) => {
    const lit = value === name || (typeof value === "object" && value !== null && name in value);
    const events = Object.keys({ ...state.on, ...state.after });
    return h(
      "div",
      { class: lit ? "state lit" : "state", key: name },
      h("b", {}, name),
      events.length > 0 && h("i", {}, events.join(" ")),
      states(state, lit && value !== name ? value[name] : null),
    );
  });
}
