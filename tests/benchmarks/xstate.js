/**
 * XState's side of the runtime benchmark: one request a line on stdin, `{unit, count}`; one answer a line on stdout,
 * `{seconds}` for that much of that unit's work. At start every machine is run `check.rounds` passes and compared with
 * what machines.json says; a difference ends the process.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { assign, createActor, setup } from "xstate";

const units = JSON.parse(readFileSync(new URL("machines.json", import.meta.url), "utf8"));

const implementations = setup({
  actions: {
    inc: assign(({ context }, { key }) => ({ [key]: context[key] + 1 })),
    enter: assign(({ context }) => ({ entered: context.entered + 1 })),
    leave: assign(({ context }) => ({ left: context.left + 1 })),
    nextQuestion: assign(({ context }) => ({ question: context.question + 1, answered: 0 })),
    score: assign(({ context, event }) => {
      const player = context.players[event.player];
      return {
        answered: context.answered + 1,
        players: {
          ...context.players,
          [event.player]: { ...player, score: player.score + event.points, answers: player.answers + 1 },
        },
      };
    }),
  },
  guards: {
    lt: ({ context }, { key, value }) => context[key] < value,
    odd: ({ context }, { key }) => context[key] % 2 === 1,
    allAnswered: ({ context }) => context.answered >= 29,
  },
});

const machines = Object.fromEntries(
  Object.entries(units).map(([name, unit]) => [
    name,
    implementations.createMachine(typeof unit.machine === "string" ? units[unit.machine].machine : unit.machine),
  ]),
);

/** Sends `count` events, pass after pass over the unit's own. */
function events(name, count) {
  const actor = createActor(machines[name]).start();
  const script = units[name].events;
  const begun = process.hrtime.bigint();
  for (let i = 0, at = 0; i < count; i++) {
    actor.send(script[at]);
    if (++at === script.length) at = 0;
  }
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  return { seconds, snapshot: actor.getSnapshot() };
}

function actors(count) {
  const begun = process.hrtime.bigint();
  for (let i = 0; i < count; i++) createActor(machines.actors).start().stop();
  return { seconds: Number(process.hrtime.bigint() - begun) / 1e9 };
}

function persist(count) {
  const actor = createActor(machines.persist).start();
  for (const event of units[units.persist.machine].events.slice(0, 7)) actor.send(event);
  const begun = process.hrtime.bigint();
  for (let i = 0; i < count; i++) {
    const text = JSON.stringify(actor.getPersistedSnapshot());
    createActor(machines.persist, { snapshot: JSON.parse(text) }).start().stop();
  }
  return { seconds: Number(process.hrtime.bigint() - begun) / 1e9 };
}

for (const [name, { events: script, check }] of Object.entries(units)) {
  if (!check) continue;
  const { snapshot } = events(name, script.length * check.rounds);
  assert.deepEqual(snapshot.value, check.value, name);
  assert.deepEqual(snapshot.context, check.context, name);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { unit, count } = JSON.parse(line);
  const { seconds } = unit === "actors" ? actors(count) : unit === "persist" ? persist(count) : events(unit, count);
  console.log(JSON.stringify({ seconds }));
}
