/**
 * What only the game's author may see, while `rooms dev` serves: the machine, its revision, who sits there, and what others
 * are shown. A server that isn't being developed gives nobody a token, and the drawer does without.
 */

/** @type {string | null | false} false: not for us */
let token = null;
/** @type {any} */
let machine = null;
let asked = "";

/** What is known, for the drawer. */
export const known = {
  /** @type {any} */
  machine: null,
  /** @type {{ id: string, role: string, here: boolean }[]} */
  seats: [],
  /** @type {any} */
  value: null,
  /** @type {number | null} */
  revision: null,
  /** What somebody else is shown, of whom it was asked. @type {{ as: string, view: any } | null} */
  seen: null,
};

/** Brings `known` up to what the room is now, and says when that is done. */
export async function look(kind, slug, cursor, as, changed) {
  const wanted = `${slug} ${cursor} ${as}`;
  if (token === false || wanted === asked) return;
  asked = wanted;
  const room = `sessions/${kind}/${slug}`;
  machine ??= (await ask(`kinds/${kind}`))?.machine;
  const shown = await ask(room);
  const query = { all: "", onlooker: "?as=onlooker&role=spectator" }[as] ?? `?as=${encodeURIComponent(as)}`;
  const seen = as && shown && (await ask(`${room}/view${query}`));
  if (wanted !== asked || !shown) return; // something newer is on its way
  const { seats, revision, snapshot } = shown;
  Object.assign(known, { machine, seats, revision, value: snapshot.value, seen: seen ? { as, view: seen.view } : null });
  changed();
}

/** An operator's question; null where there is no answer. */
async function ask(path, again = true) {
  token ??= await fetch("/rooms/-/token").then((answer) => (answer.ok ? answer.json() : { token: false })).then((said) => said.token).catch(() => null);
  if (!token) return null;
  const answer = await fetch(`/rooms/-/${path}`, { headers: { authorization: `Bearer ${token}` } }).catch(() => null);
  if (answer?.status === 401 && again) {
    token = null; // they are good for minutes
    return ask(path, false);
  }
  return answer?.ok ? answer.json() : null;
}
