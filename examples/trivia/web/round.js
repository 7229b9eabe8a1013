/** A question's three screens: getting ready for it, answering it, and the pause. */
import { asShown, controls, HINTS, isBlank } from "./answers.js";
import { h } from "./dom.js";
import { action, faces, icon, plural } from "./parts.js";
import { busy, confirm, draft, entered } from "./session.js";
import { ring } from "./timer.js";

/** Where the focus was before the pause took it. @type {HTMLElement | null} */
let focused = null;
let wasPaused = false;
addEventListener("focusin", ({ target }) => {
  const element = /** @type {HTMLElement} */ (target);
  if (!element.closest(".veil")) focused = element;
});

/** @param {any} game */
export function round(game) {
  const { room, context } = game;
  const paused = room.hasTag("paused");
  if (wasPaused && !paused) requestAnimationFrame(() => focused?.isConnected && focused.focus({ preventScroll: true }));
  wasPaused = paused;
  return [
    context.question ? answering(game, paused) : prepare(game, paused),
    paused && pause(game),
  ];
}

const place = ({ number, of, chapter, chapters }) =>
  `Question ${number} of ${of} · Category ${chapter} of ${chapters}`;

function prepare({ context, me }, paused) {
  const { round } = context;
  return h(
    "section",
    { class: "prepare", key: `prepare-${round.chapter}-${round.number}` },
    h("p", { class: "overline" }, place(round)),
    h("h1", { class: "category" }, round.category),
    h("p", { class: "worth" }, round.points ? `for ${plural(round.points, "point")}` : "just for fun"),
    ring(context.timer, { label: "Seconds until the question", class: "big" }),
    me && !paused && action({ type: "pause" }, { class: "secondary slim" }, icon("pause"), "Pause"),
  );
}

function answering({ context, me }, paused) {
  const { question, round, answer } = context;
  const player = me && context.players[me];
  const plays = Boolean(player?.plays);
  const confirmed = Boolean(answer?.confirmed);
  const value = entered();
  const lock = () => confirm(asShown(question, value));
  const takers = Object.values(context.players).filter((each) => each.plays && each.presence !== "left");
  return h(
    "section",
    { class: `question ${paused ? "behind" : ""}`, key: `question-${question.id}`, inert: paused },
    h(
      "div",
      { class: "question-head" },
      ring(context.timer, { label: "Seconds left to answer" }),
      h("div", { class: "question-place" }, h("p", { class: "overline" }, round.category), h("p", { class: "small" }, `${round.number} of ${round.of} · ${round.points ? plural(round.points, "point") : "just for fun"}`)),
      me && action({ type: "pause" }, { class: "round", "aria-label": "Pause the game", title: "Pause" }, icon("pause")),
    ),
    h("h1", { class: "prompt" }, question.prompt),
    h("p", { class: "hint" }, hint(question)),
    controls(question, { value, locked: paused || confirmed || !plays, change: draft, confirm: lock }),
    faces(context, {
      label: "Who has confirmed",
      done: (each) => (each.plays ? each.confirmed : null),
    }),
    h(
      "div",
      { class: "bar", key: "bar" },
      h("p", { class: "bar-text" }, `${takers.filter((each) => each.confirmed).length} of ${takers.length} confirmed`),
      !me && h("p", { class: "bar-note" }, "You are watching."),
      me && !plays && h("p", { class: "bar-note" }, "You play from the next question."),
      plays && confirmed && action({ type: "unconfirm" }, { class: "secondary" }, "Change my answer"),
      plays &&
        !confirmed &&
        h("button", { key: "confirm", type: "button", class: isBlank(question, value) ? "secondary" : "primary", "aria-busy": busy.has("confirm") ? "true" : null, onclick: lock }, isBlank(question, value) ? "No idea" : "Confirm"),
    ),
  );
}

function hint({ type, scoring }) {
  if (type !== "poll") return HINTS[type];
  return { part: "No right answer: points for taking part.", majority: "No right answer: points for what most of you choose.", none: HINTS.poll }[scoring];
}

function pause({ context, me }) {
  const voted = context.resuming.includes(me);
  const needed = Object.values(context.players).filter((player) => player.presence !== "left").length;
  return h(
    "div",
    { class: "veil", key: "pause" },
    h(
      "section",
      { class: "card centered", role: "dialog", "aria-labelledby": "pause-title" },
      h("h2", { id: "pause-title", tabindex: -1, mount: (node) => node.focus({ preventScroll: true }) }, "Paused"),
      h("p", {}, `The clock stands at ${plural(Math.ceil((context.timer?.left ?? 0) / 1000), "second")}. It goes on when everybody here wants to.`),
      faces(context, { label: "Who wants to go on", done: (player) => context.resuming.includes(player.id), key: "resuming" }),
      me && (voted ? h("p", { class: "small" }, `Waiting for the others: ${context.resuming.length} of ${needed}`) : action({ type: "resume" }, { class: "primary" }, icon("play"), `Go on (${context.resuming.length} of ${needed})`)),
    ),
  );
}
