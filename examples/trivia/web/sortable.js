/**
 * A list that is put in order: with the buttons of each item, or by dragging.
 *
 * A button at the end of its way stays focusable, so that the keyboard's user isn't thrown off the list by arriving.
 * While an item is dragged only transforms change; the list is told once, when it is dropped. So an update of the page
 * in the middle of a drag disturbs nothing.
 */
import { h } from "./dom.js";
import { icon } from "./parts.js";

/**
 * @param {{items: string[], locked: boolean, change: (items: string[]) => void}} options
 */
export function sortable({ items, locked, change }) {
  const move = (from, to) => {
    if (to < 0 || to >= items.length || from === to) return;
    const next = [...items];
    next.splice(to, 0, ...next.splice(from, 1));
    change(next);
  };
  return h(
    "ol",
    { class: `sortable ${locked ? "locked" : ""}`, key: "sortable" },
    items.map((item, index) =>
      h(
        "li",
        { key: item, class: "sort-item", onpointerdown: (event) => !locked && grab(event, index, move) },
        h("span", { class: "grip" }, icon("grip")),
        h("span", { class: "place", "aria-hidden": "true" }, index + 1),
        h("span", { class: "sort-text" }, item),
        h("button", { key: "up", type: "button", class: "round", disabled: locked, "aria-disabled": index === 0 ? "true" : null, "aria-label": `${item}: up, to place ${index}`, onclick: () => move(index, index - 1) }, icon("up")),
        h("button", { key: "down", type: "button", class: "round", disabled: locked, "aria-disabled": index === items.length - 1 ? "true" : null, "aria-label": `${item}: down, to place ${index + 2}`, onclick: () => move(index, index + 1) }, icon("down")),
      ),
    ),
  );
}

function grab(event, from, move) {
  const touch = event.pointerType !== "mouse";
  // A finger drags by the grip only: anywhere else it scrolls the page.
  if (event.button !== 0 || event.target.closest("button") || (touch && !event.target.closest(".grip"))) return;
  event.preventDefault();
  const item = event.currentTarget;
  const siblings = [...item.parentElement.children];
  const boxes = siblings.map((node) => node.getBoundingClientRect());
  const step = boxes.length > 1 ? boxes[1].top - boxes[0].top : 0;
  let to = from;

  const drag = ({ clientY }) => {
    const shift = clientY - event.clientY;
    const middle = boxes[from].top + boxes[from].height / 2 + shift;
    to = boxes.filter((box, index) => index !== from && box.top + box.height / 2 < middle).length;
    siblings.forEach((node, index) => {
      const gap = index > from && index <= to ? -step : index < from && index >= to ? step : 0;
      node.style.transform = node === item ? `translateY(${shift}px)` : gap ? `translateY(${gap}px)` : "";
    });
  };
  const drop = ({ type }) => {
    item.removeEventListener("pointermove", drag);
    for (const node of siblings) node.style.transform = "";
    item.parentElement?.classList.remove("dragging");
    item.classList.remove("dragged");
    if (type === "pointerup") move(from, to);
  };
  item.setPointerCapture(event.pointerId);
  item.classList.add("dragged");
  item.parentElement.classList.add("dragging");
  item.addEventListener("pointermove", drag);
  item.addEventListener("lostpointercapture", () => item.removeEventListener("pointermove", drag), { once: true });
  item.addEventListener("pointerup", drop, { once: true });
  item.addEventListener("pointercancel", drop, { once: true });
}
