/** For developers: the live view as it was sent, its cursor, and the state of the connection. Opened with the ` key. */
import { h } from "./dom.js";

let shown = false;

/** @param {() => void} changed */
export function listen(changed) {
  addEventListener("keydown", (event) => {
    const typing = /** @type {Element} */ (event.target).closest?.("input, select, textarea");
    if (event.key !== "`" || typing) return;
    shown = !shown;
    changed();
  });
}

/** @param {import("/client/index.js").Room | null} room */
export const drawer = (room) =>
  shown &&
  room &&
  h(
    "aside",
    { class: "drawer", key: "drawer", "aria-label": "For developers" },
    h("p", {}, `${room.connection} · ${room.me?.role ?? "nobody yet"} · cursor ${room.cursor ?? "none"}`),
    h("pre", { tabindex: 0 }, JSON.stringify(room.view, null, 2)),
  );
