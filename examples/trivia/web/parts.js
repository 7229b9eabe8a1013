/** Small things that several screens show: players, buttons, icons, numbers. */
import { h } from "./dom.js";
import { busy, send } from "./session.js";

const ICONS = {
  check: "M5 13l4.500 4.500L19 7",
  cross: "M6 6l12 12M18 6L6 18",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  grip: "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01",
  dice: "M7 3h10a4 4 0 0 1 4 4v10a4 4 0 0 1-4 4H7a4 4 0 0 1-4-4V7a4 4 0 0 1 4-4zM8 8h.01M16 8h.01M12 12h.01M8 16h.01M16 16h.01",
  pause: "M9 5v14M15 5v14",
  play: "M8 5l11 7-11 7z",
  crown: "M4 18h16M4 15l-1-8 5 4 4-6 4 6 5-4-1 8z",
  away: "M3 3l18 18M8.500 15.500a5 5 0 0 1 7 0M5 12a10 10 0 0 1 4-2.400M19 12a10 10 0 0 0-5-2.800M12 19h.01",
  share: "M12 15V4M8 7.500L12 3.500l4 4M5 12v6a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2v-6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
  phone: "M8 2.500h8a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2zM11 18.500h2",
  pen: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
};

/** @param {keyof typeof ICONS} name */
export const icon = (name) =>
  h("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, h("path", { d: ICONS[name] }));

/** A button that sends an event. @param {any} event @param {Record<string, any>} props @param {...any} children */
export const action = (event, props, ...children) =>
  h(
    "button",
    {
      type: "button",
      ...props,
      disabled: props.disabled ?? false,
      "aria-busy": busy.has(event.type) ? "true" : null,
      onclick: () => !busy.has(event.type) && send(event),
    },
    ...children,
  );

export const points = (value) => value.toLocaleString("en", { maximumFractionDigits: 1 });

export const plural = (count, one, many = `${one}s`) => `${points(count)} ${count === 1 ? one : many}`;

/** Players in the order in which they joined. */
export const seated = (players) =>
  Object.entries(players)
    .map(([id, player]) => ({ id, ...player }))
    .sort((a, b) => a.seat - b.seat);

/** @param {any} player @param {any} [mark] what sits on its corner */
export function avatar(player, mark) {
  const words = player.name.split(" ");
  const letters = [...words[0]].slice(0, 1).concat(words.length > 1 ? [...words.at(-1)].slice(0, 1) : []);
  return h(
    "span",
    { class: "avatar", style: `--hue: ${Math.round(player.seat * 137.5) % 360}`, "aria-hidden": "true" },
    letters.join("").toUpperCase(),
    mark && h("span", { class: "mark" }, mark),
  );
}

/** One line of small faces: who has confirmed, who voted. */
export function faces(context, { done, label, key = "faces" }) {
  return h(
    "ul",
    { class: "faces", key, "aria-label": label },
    seated(context.players).map((player) => {
      const finished = done(player);
      const gone = player.presence !== "here";
      return h(
        "li",
        {
          key: player.id,
          class: `face ${finished ? "done" : ""} ${gone || finished === null ? "gone" : ""}`,
          title: player.name,
        },
        avatar(player, finished ? icon("check") : gone ? icon("away") : null),
        h("span", { class: "face-name" }, player.id === context.me ? "You" : player.name),
        h("span", { class: "unseen" }, finished ? " (done)" : gone ? " (away)" : ""),
      );
    }),
  );
}

/** @param {string} label @param {number} value @param {number} most @param {(value: number) => void} change */
export const stepper = (label, value, most, change) =>
  h(
    "div",
    { class: "stepper", role: "group", "aria-label": label },
    h("span", { class: "stepper-label" }, label),
    h("button", { type: "button", class: "round", "aria-label": `Fewer ${label}`, disabled: value <= 1, onclick: () => change(value - 1) }, "−"),
    h("output", {}, value),
    h("button", { type: "button", class: "round", "aria-label": `More ${label}`, disabled: value >= most, onclick: () => change(value + 1) }, "+"),
  );
