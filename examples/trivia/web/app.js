/**
 * The page: `/` is the home page, `/play/<slug>` a room, `/play/<slug>?watch` the same room for an onlooker.
 *
 * Every change, of the room or of what the user typed, describes the whole page again (dom.js makes the differences so).
 * All rules are on the server: this page shows the last view it was sent, and sends what the user does.
 */
import { h, patch } from "./dom.js";
import { drawer, listen } from "./drawer.js";
import { gone, home, joinCard, keepName, knownName } from "./home.js";
import { lobby } from "./lobby.js";
import { randomSlug } from "./names.js";
import { ranking } from "./ranking.js";
import { recap } from "./recap.js";
import { round } from "./round.js";
import * as session from "./session.js";

const root = document.getElementById("app");
const announcer = document.getElementById("announcer");

/** What the user is typing outside of answers. */
let name = knownName();
/** @type {string | null} */
let newName = null;
let code = "";
/** A room that was just made is joined at once: "wanted", then "sent". @type {"wanted" | "sent" | null} */
let joining = null;
let announced = "";
let slow = false;

const route = () => ({
  slug: location.pathname.match(/^\/play\/([^/]+)\/?$/)?.[1] ?? null,
  watch: new URLSearchParams(location.search).has("watch"),
});

function go(path, how = {}) {
  history.pushState(null, "", path);
  follow(how);
}

function follow({ create = false } = {}) {
  const { slug, watch } = route();
  joining = create ? "wanted" : null;
  code = "";
  newName = null;
  if (slug) session.enter(slug, { create, watch });
  else session.leave();
  scrollTo(0, 0);
  render();
}

function join() {
  const wanted = name.trim();
  keepName(wanted);
  return session.send({ type: "join", name: wanted });
}

function screen() {
  const { room } = session;
  const { slug, watch } = route();
  if (!slug || !room) {
    return home({
      name,
      setName: (value) => ((name = value), render()),
      create: () => (keepName(name.trim()), go(`/play/${randomSlug()}`, { create: true })),
      visit: (wanted) => go(`/play/${encodeURIComponent(wanted)}`),
    });
  }
  if (room.connection === "closed") return gone(room.closing ?? { code: 0, reason: "" }, () => go("/"), () => follow());
  if (!room.view) return h("main", { class: "home", key: "loading" }, h("p", { class: "loading", role: "status" }, slow ? "Still looking for the room…" : ""));
  const { context } = room;
  const me = context.me ?? null;
  const game = { room, context, me };
  return [
    header(room, context, watch),
    h(
      "main",
      { class: "table", key: "table" },
      !me && !watch && !joining && joinCard(context, { name, setName: (value) => ((name = value), render()), join, code, setCode: (value) => ((code = value), render()) }),
      phase(game),
    ),
  ];
}

function phase(game) {
  const { room } = game;
  if (room.matches("lobby")) {
    const page = `${location.origin}/play/${route().slug}`;
    return lobby(game, { name: newName, edit: (value) => ((newName = value), render()), page });
  }
  if (room.matches("ranking")) return ranking(game);
  return room.matches({ game: "recap" }) ? recap(game) : round(game);
}

/** What the badge says of each phase: its tone, its word, and the sentence that is read out when it begins. */
function standing({ room, context }) {
  const { round, question, host, players } = context;
  if (room.matches({ lobby: "countdown" })) return ["soon", "Starting", "Everybody is ready. The game starts in five seconds."];
  if (room.matches("lobby")) return ["idle", "Lobby", "In the lobby."];
  if (room.matches("ranking")) return ["done", "Game over", "The game is over. Here is the ranking."];
  if (room.hasTag("paused")) return ["idle", "Paused", "The game is paused."];
  if (room.matches({ game: "recap" })) return ["soon", "Recap", `Recap, question ${round.number} of ${round.of}. ${players[host]?.name ?? ""} leads.`];
  if (question) return ["live", "Playing", question.prompt];
  return ["soon", "Get ready", `Get ready: ${round.category}, question ${round.number} of ${round.of}.`];
}

function header(room, context, watch) {
  const [tone, word] = standing({ room, context });
  const mine = context.me && context.players[context.me];
  return h(
    "header",
    { class: "top", key: "top" },
    h(
      "a",
      {
        href: "/",
        class: "brand",
        "aria-label": "Leave the room, to the home page",
        onclick: (event) => {
          event.preventDefault();
          go("/");
        },
      },
      h("img", { src: "/icon.svg", alt: "", width: 36, height: 36 }),
    ),
    h("p", { class: "room-name" }, route().slug),
    watch && h("span", { class: "badge idle" }, "Watching"),
    mine && !room.matches("lobby") && h("p", { class: "my-score", title: "Your points" }, h("strong", {}, mine.score.toLocaleString("en", { maximumFractionDigits: 1 })), h("span", { class: "small" }, " pts")),
    h("span", { class: `badge ${tone}` }, word),
  );
}

function banner() {
  const { room } = session;
  if (!room?.view || room.connection === "closed" || room.connection === "open") return null;
  const moving = room.connection === "moving";
  if (!moving && !slow) return null;
  return h("div", { class: "banner", key: "banner", role: "status" }, h("span", { class: "pulse" }), moving ? "One moment, the room is moving." : "Connection lost. Coming back by itself; nothing you entered is lost.");
}

function render() {
  patch(root, [banner(), screen(), session.notice && h("div", { class: "toast", key: "toast", role: "alert" }, session.notice), drawer(session.room, route().slug)].flat());
}

/** A blink of the network is nobody's concern; longer ones are said. */
let slowTimer = 0;
function watchConnection() {
  const { room } = session;
  const fine = !room || (room.connection === "open" && room.view);
  if (fine) {
    clearTimeout(slowTimer);
    slowTimer = 0;
    slow = false;
  } else if (!slow && !slowTimer) {
    slowTimer = setTimeout(() => ((slow = true), (slowTimer = 0), render()), 700);
  }
}

function update() {
  const { room } = session;
  watchConnection();
  if (room?.view) {
    if (joining === "wanted") {
      joining = "sent";
      join().finally(() => ((joining = null), render()));
    }
    const [, , sentence] = standing({ room, context: room.context });
    if (sentence !== announced) {
      if (announced && !room.matches({ lobby: "waiting" })) scrollTo({ top: 0 });
      announcer.textContent = announced = sentence;
    }
  }
  render();
}

session.onChange(update);
listen(render);
addEventListener("popstate", () => follow());
follow();
