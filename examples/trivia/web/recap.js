/** The recap: a question that is over, its right answer, everybody's answer and points, votes on free answers. */
import { h } from "./dom.js";
import { action, avatar, icon, plural, points, seated } from "./parts.js";
import { ring } from "./timer.js";

/** @param {any} game */
export function recap({ context, me }) {
  const { round, recap: entry, host } = context;
  const last = round.number === round.of;
  return h(
    "section",
    { class: "recap", key: `recap-${entry.id}` },
    h(
      "div",
      { class: "question-head" },
      ring(context.timer, { label: "Seconds until the recap moves on" }),
      h("div", { class: "question-place" }, h("p", { class: "overline" }, `Recap: ${round.category}`), h("p", { class: "small" }, `${round.number} of ${round.of} · ${round.points ? plural(round.points, "point") : "just for fun"}`)),
    ),
    h("h1", { class: "prompt" }, entry.prompt),
    solution(entry),
    results(entry, context),
    h(
      "div",
      { class: "bar", key: "bar" },
      h("p", { class: "bar-text" }, me === host ? "You lead through the recap" : `${context.players[host]?.name ?? "The host"} leads through the recap`),
      me === host && action({ type: "next" }, { class: "primary" }, !last ? "Next answer" : round.chapter < round.chapters ? "Next category" : "To the ranking"),
    ),
  );
}

/** The right answer. @param {any} entry */
export function solution(entry) {
  const { type, answers, results } = entry;
  if (type === "poll") return poll(entry);
  if (type === "sortable") {
    return h("ol", { class: "solution ordered", "aria-label": "The right order" }, answers.map((item) => h("li", { key: item }, item)));
  }
  const shown = type === "text" ? answers.slice(0, 1) : answers;
  const others = type === "text" ? answers.slice(1).filter((spelling) => !alike(spelling, answers[0])).slice(0, 3) : [];
  return h(
    "div",
    { class: "solution" },
    h("p", { class: "unseen" }, shown.length > 1 ? "The right answers" : "The right answer"),
    h("ul", {}, shown.map((item) => h("li", { key: item }, icon("check"), item))),
    others.length > 0 && h("p", { class: "small" }, `Also right: ${others.join(", ")}`),
  );
}

/** "The Danube" beside "Danube" tells nobody anything. */
const alike = (a, b) => a.toLowerCase().includes(b.toLowerCase());

function poll({ options, results }) {
  const given = Object.values(results).map(({ value }) => value).filter((value) => value != null);
  return h(
    "ul",
    { class: "poll", "aria-label": "How you voted" },
    options.map((option) => {
      const count = given.filter((value) => value === option).length;
      return h(
        "li",
        { key: option, style: `--share: ${given.length ? count / given.length : 0}` },
        h("span", {}, option),
        h("strong", {}, count),
      );
    }),
  );
}

/** Everybody's answer. @param {any} entry @param {any} context @param {boolean} [closed] no votes any more */
export function results(entry, context, closed = false) {
  return h(
    "ul",
    { class: "results", "aria-label": "Everybody's answers" },
    seated(context.players)
      .sort((a, b) => Number(b.id === context.me) - Number(a.id === context.me))
      .map((player) => result(entry, player, context, closed)),
  );
}

function result(entry, player, context, closed) {
  const given = entry.results[player.id];
  const value = given?.value ?? null;
  const blank = value === null || value.length === 0;
  const won = given?.points ?? 0;
  const tone = entry.type === "poll" || blank ? "" : won >= entry.points ? "right" : won > 0 ? "partly" : "wrong";
  return h(
    "li",
    { key: player.id, class: `result ${tone}` },
    avatar(player, tone === "right" ? icon("check") : tone === "wrong" ? icon("cross") : null),
    h(
      "div",
      { class: "result-text" },
      h("p", { class: "player-name" }, player.name, " ", player.id === context.me && h("span", { class: "tag" }, "you")),
      blank ? h("p", { class: "small" }, "no answer") : answer(entry, value),
    ),
    h("p", { class: "won", key: "won" }, h("strong", {}, won ? `+${points(won)}` : "0"), h("span", { class: "unseen" }, " points")),
    entry.type === "text" && !blank && votes(player, given, context, closed),
  );
}

function answer({ type, answers }, value) {
  if (type === "sortable") {
    return h("ol", { class: "chips" }, value.map((item, index) => h("li", { key: item, class: item === answers[index] ? "hit" : "miss" }, item)));
  }
  if (type === "checkboxes") {
    return h("ul", { class: "chips" }, value.map((item) => h("li", { key: item, class: answers.includes(item) ? "hit" : "miss" }, item)));
  }
  return h("p", { class: "given" }, value);
}

function votes(player, given, context, closed) {
  const { me } = context;
  const cast = Object.values(given.votes);
  const yes = cast.filter(Boolean).length;
  const tally = cast.length > 0 && h("span", { class: "small" }, `${yes} for, ${cast.length - yes} against`);
  if (!me || me === player.id || closed) return tally && h("div", { class: "votes" }, tally);
  const button = (correct, label, name) =>
    action(
      { type: "vote", player: player.id, correct },
      { class: `vote ${correct ? "yes" : "no"}`, "aria-pressed": given.votes[me] === correct ? "true" : "false", "aria-label": `${player.name}'s answer is ${label}` },
      icon(name),
      correct ? "Correct" : "Incorrect",
    );
  return h("div", { class: "votes" }, button(true, "correct", "check"), button(false, "incorrect", "cross"), tally);
}
