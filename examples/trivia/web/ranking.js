/** The end: the ranking, from last to first, and all answers to look at again. */
import { h } from "./dom.js";
import { celebrate } from "./confetti.js";
import { action, avatar, plural, points } from "./parts.js";
import { results, solution } from "./recap.js";

/** Between one player and the next better one, and for all together, in s. */
const STAGGER = 0.7;
const LONGEST = 7;

/** @param {any} game */
export function ranking({ context, me }) {
  const { ranking: rows, players } = context;
  const winners = rows.filter(({ rank }) => rank === 1).map(({ player }) => players[player]?.name);
  const stagger = Math.min(STAGGER, LONGEST / rows.length);
  const best = Math.max(1, ...rows.map(({ player }) => players[player].score));
  return [
    h(
      "section",
      { class: "ranking", key: "ranking", mount: (node) => reveal(node, stagger * 1000) },
      h("p", { class: "overline" }, "The ranking"),
      h("h1", { class: "winners", style: `--wait: ${rows.length * stagger}s` }, winners.length === 1 ? `${winners[0]} wins!` : `${winners.slice(0, -1).join(", ")} and ${winners.at(-1)} win!`),
      h(
        "ol",
        { class: "ranks" },
        rows.map(({ player: id, rank }, index) => {
          const player = { id, ...players[id] };
          return h(
            "li",
            { key: id, class: `rank rank-${rank} ${id === me ? "own" : ""}`, style: `--wait: ${(rows.length - 1 - index) * stagger}s; --share: ${Math.max(0, player.score) / best}` },
            h("span", { class: "rank-number" }, rank),
            avatar(player),
            h("span", { class: "player-name" }, player.name, " ", id === me && h("span", { class: "tag" }, "you")),
            h("strong", { class: "rank-score" }, points(player.score)),
          );
        }),
      ),
    ),
    review(context),
    me &&
      h(
        "div",
        { class: "bar", key: "bar" },
        h("p", { class: "bar-text" }, "Another round?"),
        action({ type: "again" }, { class: "primary" }, "Play again"),
      ),
  ];
}

/** The page follows the rows as they come, from the last one up, unless its user looks elsewhere. */
function reveal(section, stagger) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const rows = [...section.querySelectorAll(".rank")].reverse();
  const looking = new AbortController();
  for (const type of ["wheel", "pointerdown", "keydown"]) addEventListener(type, () => looking.abort(), { once: true, signal: looking.signal });
  const follow = (node, at) => setTimeout(() => !looking.signal.aborted && node.isConnected && node.scrollIntoView({ block: "center", behavior: at ? "smooth" : "instant" }), at);
  rows.forEach((row, index) => follow(row, index * stagger));
  follow(section.querySelector(".winners"), rows.length * stagger);
  celebrate(rows.length * stagger);
}

function review(context) {
  return h(
    "details",
    { class: "card review", key: "review" },
    h("summary", {}, `All ${plural(context.review.length, "question")} and answers`),
    context.review.map((entry) =>
      h(
        "article",
        { key: entry.id },
        h("p", { class: "overline" }, entry.category),
        h("h3", {}, entry.prompt),
        solution(entry),
        results(entry, context, true),
      ),
    ),
  );
}
