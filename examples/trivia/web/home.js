/** Before a game: the home page, the form to join, and the pages that say why there is no room. */
import { h } from "./dom.js";
import { randomName } from "./names.js";
import { avatar, icon, plural, seated } from "./parts.js";
import { send } from "./session.js";

const NAME = "trivia.name";

/** @returns {string} the name used last, or one by chance */
export function knownName() {
  try {
    return localStorage.getItem(NAME) ?? randomName();
  } catch {
    return randomName();
  }
}

export function keepName(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // storage is off: the name is asked again next time
  }
}

/** A field for a name, with a dice. @param {string} value @param {(name: string) => void} change */
export const nameField = (value, change, props = {}) =>
  h(
    "div",
    { class: "field" },
    h("label", { for: "name" }, "Your name"),
    h(
      "div",
      { class: "with-button" },
      h("input", {
        id: "name",
        name: "name",
        value,
        maxlength: 24,
        autocomplete: "nickname",
        autocapitalize: "words",
        enterkeyhint: "go",
        spellcheck: "false",
        oninput: (event) => change(event.target.value),
        ...props,
      }),
      h("button", { type: "button", class: "round", "aria-label": "A random name", title: "A random name", onclick: () => change(randomName()) }, icon("dice")),
    ),
  );

/** @param {{name: string, setName: (n: string) => void, create: () => void, visit: (slug: string) => void}} home */
export const home = ({ name, setName, create, visit }) =>
  h(
    "main",
    { class: "home", key: "home" },
    h(
      "div",
      { class: "hero" },
      h("img", { src: "/icon.svg", alt: "", width: 88, height: 88 }),
      h("h1", {}, "Trivia, together"),
      h("p", { class: "lead" }, "One link. Everybody plays from their own phone."),
    ),
    h(
      "form",
      {
        class: "card",
        onsubmit: (event) => {
          event.preventDefault();
          if (name.trim()) create();
          else event.target.elements.name.focus();
        },
      },
      nameField(name, setName),
      h("button", { class: "primary", type: "submit" }, "Create room"),
    ),
    h(
      "form",
      {
        class: "quiet-form",
        onsubmit: (event) => {
          event.preventDefault();
          const slug = event.target.elements.room.value.trim().split("/").at(-1);
          if (slug) visit(slug);
        },
      },
      h("label", { for: "room" }, "Invited? Enter the room's name."),
      h(
        "div",
        { class: "with-button" },
        h("input", { id: "room", name: "room", placeholder: "sunny-otter-7kq2", autocapitalize: "none", autocomplete: "off", spellcheck: "false" }),
        h("button", { type: "submit", class: "secondary" }, "Go"),
      ),
    ),
    h("p", { class: "small" }, "120 questions · 10 categories · up to 16 players"),
  );

/** @param {any} context @param {{name: string, setName: (n: string) => void, join: () => void, code: string, setCode: (c: string) => void}} form */
export function joinCard(context, { name, setName, join, code, setCode }) {
  const players = seated(context.players);
  return h(
    "section",
    { class: "card join", key: "join", "aria-labelledby": "join-title" },
    h("h2", { id: "join-title" }, "Join the game"),
    players.length > 0 &&
      h(
        "p",
        { class: "company" },
        h("span", { class: "stack" }, players.slice(0, 6).map((player) => h("span", { key: player.id }, avatar(player)))),
        h("span", {}, `${plural(players.length, "player")} at the table`),
      ),
    h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          if (name.trim()) join();
          else event.target.elements.name.focus();
        },
      },
      nameField(name, setName),
      h("button", { class: "primary", type: "submit" }, "Join"),
    ),
    h(
      "details",
      {},
      h("summary", {}, "I was playing on another device"),
      h(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            send({ type: "claim", code });
          },
        },
        h("label", { for: "code" }, "The code that device shows"),
        h(
          "div",
          { class: "with-button" },
          h("input", {
            id: "code",
            value: code,
            autocomplete: "off",
            autocapitalize: "characters",
            spellcheck: "false",
            placeholder: "ABCD-EFGH",
            oninput: (event) => setCode(event.target.value),
          }),
          h("button", { type: "submit", class: "secondary" }, "Take my seat"),
        ),
      ),
    ),
  );
}

const GONE = {
  4403: ["This room is full", "There is no place left. You can watch, if the link ends with ?watch."],
  4404: ["There is no such room", "Nobody has made a room with this link. Check the letters, or make one yourself."],
  4409: ["This room has ended", "It was made by an older version of the game and can't go on."],
  4410: ["Open somewhere else", "This page was opened again in another place. Go on there, or take it back here."],
};

/** @param {{code: number, reason: string}} closing @param {() => void} goHome @param {() => void} again */
export function gone({ code, reason }, goHome, again) {
  const [title, text] = GONE[code] ?? ["The room is closed", reason || "The connection was ended."];
  return h(
    "main",
    { class: "home", key: `gone-${code}` },
    h("div", { class: "card centered" }, [
      h("h1", { class: "title" }, title),
      h("p", {}, text),
      code !== 4404 && code !== 4409 && h("button", { type: "button", class: "secondary", onclick: again }, "Try again"),
      h("button", { type: "button", class: "primary", onclick: goHome }, "To the home page"),
    ]),
  );
}
