/**
 * The page's one room, and what only this page knows: drafts of answers, what is being sent, a word to the user.
 *
 * An answer is typed here first. Its draft goes to the room a moment after the last keystroke, and stays until the room
 * has accepted it, in this tab's storage too: no lost connection, pause or reload loses a letter.
 */
import { connect } from "/client/index.js";
import { useClock } from "./timer.js";

const SETTLE = 250;
const STORED = "trivia.drafts";

/** @type {import("/client/index.js").Room | null} */
export let room = null;
/** What the user has entered and the room hasn't accepted yet, by question. @type {Map<string, any>} */
export const drafts = new Map(storedDrafts());
/** Event types on their way. @type {Set<string>} */
export const busy = new Set();
/** A sentence for the user, for a while. */
export let notice = "";

let changed = () => {};
let noticeTimer = 0;
let draftTimer = 0;

/** @param {() => void} listener called after every change */
export function onChange(listener) {
  changed = listener;
}

/** @param {string} slug @param {{create: boolean, watch: boolean}} how */
export function enter(slug, { create, watch }) {
  leave();
  const entered = (room = connect(`/rooms/trivia/${slug}`, { create, params: watch ? { watch: 1 } : {} }));
  useClock(() => entered.now());
  entered.subscribe({ next: () => room === entered && (keepDrafts(), changed()), error: () => changed() });
  entered.onConnection(() => room === entered && changed());
}

export function leave() {
  if (!room) return;
  room.close();
  room = null;
  busy.clear();
  drafts.clear();
  storeDrafts();
}

function storedDrafts() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED) ?? "[]");
  } catch {
    return []; // storage is off: what the room has heard is still there
  }
}

function storeDrafts() {
  try {
    sessionStorage.setItem(STORED, JSON.stringify([...drafts]));
  } catch {
    // as above
  }
}

/**
 * Sends an event; says why when it is refused.
 * @param {{type: string, [field: string]: any}} event @returns {Promise<boolean>} whether it did something
 */
export async function send(event) {
  const sender = room;
  if (!sender) return false;
  busy.add(event.type);
  changed();
  try {
    const { outcome, reason } = await sender.send(event);
    if (outcome === "rejected") say(String(reason ?? "That isn't possible now."));
    return outcome === "accepted";
  } catch {
    return false; // the room is closed for good; the page says so
  } finally {
    busy.delete(event.type);
    changed();
  }
}

/** @param {string} sentence */
export function say(sentence) {
  notice = sentence;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => ((notice = ""), changed()), 4000);
  changed();
}

/** What the user has entered for the open question. */
export function entered() {
  const { question, answer } = room?.context ?? {};
  return question && drafts.has(question.id) ? drafts.get(question.id) : answer?.value ?? null;
}

/** @param {any} value */
export function draft(value) {
  const { question } = room?.context ?? {};
  if (!question) return;
  drafts.set(question.id, value);
  storeDrafts();
  clearTimeout(draftTimer);
  draftTimer = setTimeout(sendDraft, SETTLE);
  changed();
}

/** Locks the answer as it stands on the screen. @param {any} value */
export async function confirm(value) {
  const id = room?.context.question?.id;
  clearTimeout(draftTimer);
  if (await send({ type: "confirm", value })) forget(id);
}

function open() {
  return room?.matches({ game: { round: { running: "answering" } } }) && !room.context.answer?.confirmed;
}

async function sendDraft() {
  const id = room?.context.question?.id;
  if (!open() || !drafts.has(id)) return;
  const value = drafts.get(id);
  const accepted = await send({ type: "answer", value });
  if (accepted && drafts.get(id) === value) forget(id);
}

function forget(id) {
  if (drafts.delete(id)) storeDrafts();
}

/** After a pause, drafts that couldn't be sent go out; those of former questions are gone. */
function keepDrafts() {
  const { question } = room?.context ?? {};
  for (const id of drafts.keys()) if (id !== question?.id) forget(id);
  if (open() && drafts.has(question?.id) && !busy.has("answer")) {
    clearTimeout(draftTimer);
    draftTimer = setTimeout(sendDraft, SETTLE);
  }
}
