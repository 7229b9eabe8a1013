/** The lobby: the link to share, who is here, who is ready, how long the game will be. */
import { h } from "./dom.js";
import { keepName, nameField } from "./home.js";
import { action, avatar, icon, plural, seated, stepper } from "./parts.js";
import { qrPath } from "./qr.js";
import { say, send } from "./session.js";
import { ring } from "./timer.js";

/** Prepare timer, answer and recap of a usual question. */
const SECONDS_A_QUESTION = 35;

/** @param {any} game @param {{name: string | null, edit: (name: string | null) => void, page: string}} own */
export function lobby({ room, context, me }, own) {
  const counting = room.matches({ lobby: "countdown" });
  const mine = me && context.players[me];
  const all = seated(context.players);
  const players = h(
    "section",
    { class: "card", key: "players", "aria-labelledby": "players-title" },
    h("h2", { id: "players-title" }, "Players ", h("span", { class: "count" }, all.length)),
    mine && !mine.ready && rename(mine, own),
    h("ul", { class: "players" }, all.map((player) => card(player, context))),
    mine && more(context),
  );
  const invite = mine && !counting && share(own.page);
  return [
    counting &&
      h(
        "section",
        { class: "card centered countdown", key: "countdown" },
        h("h2", {}, "Here we go"),
        ring(context.timer, { label: "Seconds until the game starts", class: "big" }),
      ),
    h(
      "div",
      { class: "columns", key: "lobby" },
      // Who is alone wants company first; later it matters more who is there.
      all.length > 1 ? [players, invite] : [invite, players],
      mine && !counting && settings(context, me),
    ),
    mine && readyBar(context, mine, counting),
  ];
}

function share(page) {
  const code = qrPath(page);
  const copy = async () => {
    if (navigator.share && matchMedia("(pointer: coarse)").matches) {
      await navigator.share({ title: "Trivia, together", url: page }).catch(() => {});
      return;
    }
    try {
      await navigator.clipboard.writeText(page);
      say("The link is copied.");
    } catch {
      getSelection()?.selectAllChildren(document.getElementById("link"));
      say("Press and hold to copy the link.");
    }
  };
  return h(
    "section",
    { class: "card share", key: "share", "aria-labelledby": "share-title" },
    h("h2", { id: "share-title" }, "Invite"),
    code &&
      h(
        "div",
        { class: "qr" },
        h("svg", { viewBox: `0 0 ${code.size} ${code.size}`, role: "img", "aria-label": "QR code of the link to this room" }, h("path", { d: code.path })),
      ),
    h("p", { class: "link", id: "link" }, page.replace(/^https?:\/\//, "")),
    h("button", { type: "button", class: "secondary", onclick: copy }, icon("share"), "Share the link"),
  );
}

function rename(mine, { name, edit }) {
  const wanted = name ?? mine.name;
  const store = async () => {
    const cleaned = wanted.trim();
    if (cleaned && cleaned !== mine.name && (await send({ type: "rename", name: cleaned }))) keepName(cleaned);
    edit(null);
  };
  return h(
    "form",
    {
      class: "rename",
      key: "rename",
      onsubmit: (event) => {
        event.preventDefault();
        store();
      },
    },
    nameField(wanted, edit, { onchange: store }),
    wanted !== mine.name && h("button", { class: "secondary", type: "submit" }, "Use this name"),
  );
}

function card(player, context) {
  const { me, host } = context;
  const gone = player.presence !== "here";
  const state = gone ? (player.presence === "away" ? "away" : "left the room") : player.ready ? "ready" : "not ready yet";
  return h(
    "li",
    { key: player.id, class: `player ${gone ? "gone" : ""} ${player.ready ? "is-ready" : ""} ${player.id === me ? "own" : ""}` },
    avatar(player, player.ready ? icon("check") : gone ? icon("away") : null),
    h(
      "span",
      { class: "player-text" },
      h("span", { class: "player-name" }, player.name, " ", player.id === me && h("span", { class: "tag" }, "you"), " ", player.id === host && h("span", { class: "tag host" }, "host")),
      h("span", { class: "player-state" }, state),
    ),
    me === host && gone && action({ type: "remove", player: player.id }, { class: "secondary slim", "aria-label": `Remove ${player.name}` }, "Remove"),
  );
}

function settings(context, me) {
  const { categories, questions } = context.settings;
  const count = categories * questions;
  const minutes = Math.max(1, Math.round((count * SECONDS_A_QUESTION) / 60));
  const sum = `${plural(count, "question")}, about ${plural(minutes, "minute")}`;
  const change = (what) => send({ type: "configure", categories, questions, ...what });
  return h(
    "section",
    { class: "card", key: "settings", "aria-labelledby": "settings-title" },
    h("h2", { id: "settings-title" }, "The game"),
    me === context.host
      ? [
          stepper("Categories", categories, context.most.categories, (value) => change({ categories: value })),
          stepper("Questions in each", questions, context.most.questions, (value) => change({ questions: value })),
        ]
      : h("p", {}, `${plural(categories, "category", "categories")}, ${plural(questions, "question")} in each`),
    h("p", { class: "small" }, sum),
  );
}

function more(context) {
  const { code } = context;
  return h(
    "details",
    { key: "more" },
    h("summary", {}, icon("phone"), "Go on with another device"),
    code
      ? h(
          "p",
          { class: "code-box" },
          h("span", { class: "small" }, "Open this room there and enter"),
          h("strong", { class: "code" }, `${code.code.slice(0, 4)}-${code.code.slice(4)}`),
          h("span", { class: "small" }, "It works once, for ten minutes."),
        )
      : h("p", { class: "small" }, "A code moves your seat, your name and your points to the other device."),
    action({ type: "code" }, { class: "secondary" }, code ? "A new code" : "Show a code"),
    action({ type: "quit" }, { class: "secondary" }, "Give up my seat"),
  );
}

function readyBar(context, mine, counting) {
  const here = seated(context.players).filter((player) => player.presence !== "left");
  const ready = here.filter((player) => player.ready).length;
  return h(
    "div",
    { class: "bar", key: "bar" },
    h("p", { class: "bar-text" }, counting ? "Everybody is ready" : `${ready} of ${here.length} ready`),
    mine.ready
      ? action({ type: "unready" }, { class: "secondary" }, counting ? "Wait, not yet" : "Not ready after all")
      : action({ type: "ready" }, { class: "primary" }, "I'm ready"),
  );
}
