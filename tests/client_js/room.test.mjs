/** The façade as a page uses it: who is told what, when, and what promises do. */
import assert from "node:assert/strict";
import { mock, suite, test } from "node:test";

import { RoomClosed } from "../../client/js/index.js";
import { World, fate, settled } from "./world.mjs";

/** @param {World} world @param {string} base @param {string} cursor @param {any[]} ops */
const patch = (world, base, cursor, ops) => world.socket.deliver({ type: "room.patch", base, cursor, ops });

suite("what is so", () => {
  test("before there is a view", async () => {
    const { room } = new World();
    assert.deepEqual(
      [room.view, room.value, room.context, room.status, room.tags, room.children, room.timers, room.cursor, room.me],
      [null, undefined, {}, undefined, [], {}, {}, null, null],
    );
    assert.equal(room.matches("a") || room.hasTag("a") || room.can("a"), false);
    assert.equal(room.context, room.context);
    room.close();
  });

  test("all that a view says", async () => {
    const view = {
      value: { playing: "question" },
      context: { count: 1 },
      status: "active",
      tags: ["busy"],
      children: { "player-1": { value: "idle" } },
      output: 5,
      error: { message: "x" },
      can: ["answer"],
      timers: { question: 5_000 },
    };
    const { room } = await new World().joined(view);
    for (const [name, value] of Object.entries(view)) {
      if (name !== "can") assert.deepEqual(room[/** @type {"value"} */ (name)], value);
    }
    assert.ok(room.matches("playing") && room.matches({ playing: "question" }) && !room.matches("question"));
    assert.ok(room.hasTag("busy") && !room.hasTag("bus"));
    assert.ok(room.can("answer") && room.can({ type: "answer", n: 1 }) && !room.can("pause"));
  });

  test("the server's clock", async () => {
    const world = new World();
    await settled();
    world.socket.accept();
    await world.time.advance(40);
    world.greet({ now: 5_000_020 });
    assert.equal(world.room.now(), 5_000_041); // made some time in those 40 ms
    const [{ t }] = world.socket.take(true);
    await world.time.advance(10);
    world.socket.deliver({ type: "room.pong", t, now: 5_000_025 });
    assert.equal(world.room.now(), 5_000_033); // what both allow
    await world.time.advance(1_000);
    assert.equal(world.room.now(), 5_001_033);
  });

  test("a machine's own field `now` sets no clock", async () => {
    const world = await new World().joined();
    const before = world.room.now();
    world.socket.deliver({ type: "room.emitted", event: { type: "x" }, now: 9e15 });
    assert.equal(world.room.now(), before);
  });
});

suite("subscribing", () => {
  test("a subscriber is called at once when there is a view, then after each change", async () => {
    const world = await new World().joined({ value: "a" });
    /** @type {any[]} */
    const values = [];
    const subscription = world.room.subscribe((room) => values.push(room.value));
    patch(world, "n.1", "n.2", [[["value"], "b"]]);
    subscription.unsubscribe();
    patch(world, "n.2", "n.3", [[["value"], "c"]]);
    assert.deepEqual(values, ["a", "b"]);
  });

  test("one that throws is reported, and the others are called", async () => {
    const errors = mock.method(console, "error", () => {});
    const world = new World();
    let called = 0;
    world.room.subscribe(() => {
      throw new Error("mine");
    });
    world.room.subscribe(() => called++);
    await world.joined();
    errors.mock.restore();
    assert.equal(called, 1);
    assert.match(String(errors.mock.calls[0]?.arguments[0]), /mine/);
    assert.equal(world.room.connection, "open");
  });

  test("who unsubscribes another while all are told spares it", async () => {
    const world = new World();
    const calls = /** @type {string[]} */ ([]);
    world.room.subscribe(() => {
      calls.push("first");
      second.unsubscribe();
    });
    const second = world.room.subscribe(() => calls.push("second"));
    await world.joined();
    assert.deepEqual(calls, ["first"]);
  });

  test("the same function may subscribe twice", async () => {
    const world = new World();
    let calls = 0;
    const count = () => calls++;
    world.room.subscribe(count);
    world.room.subscribe(count).unsubscribe();
    await world.joined();
    assert.equal(calls, 1);
  });

  test("an observer learns of the end: error from the server, complete from the page", async () => {
    const refused = await new World().joined();
    const closed = await new World().joined();
    const ends = /** @type {any[]} */ ([]);
    const observer = {
      /** @param {RoomClosed} error */
      error: (error) => ends.push(error.code),
      complete: () => ends.push("complete"),
    };
    for (const { room } of [refused, closed]) room.subscribe(observer);
    refused.socket.drop(4403);
    closed.room.close();
    for (const { room } of [refused, closed]) room.subscribe(observer); // late
    assert.deepEqual(ends, [4403, "complete", 4403, "complete"]);
  });

  test("who is told of the end is told nothing after it", async () => {
    const world = new World();
    const told = /** @type {string[]} */ ([]);
    world.room.subscribe(() => world.room.close());
    world.room.subscribe({ next: () => told.push("next"), complete: () => told.push("complete") });
    await world.joined();
    assert.deepEqual(told, ["complete"]);
  });

  test("emitted events go to those who listen to their type, and to those who listen to all", async () => {
    const world = await new World().joined();
    const heard = /** @type {any[]} */ ([]);
    const one = world.room.on("cheer", (event) => heard.push(["cheer", event.by]));
    world.room.on("*", (event) => heard.push(["*", event.type]));
    world.socket.deliver({ type: "room.emitted", event: { type: "cheer", by: "bob" } });
    one.unsubscribe();
    world.socket.deliver({ type: "room.emitted", event: { type: "cheer", by: "bob" } });
    world.socket.deliver({ type: "room.emitted", event: { type: "boo" } });
    assert.deepEqual(heard, [
      ["cheer", "bob"],
      ["*", "cheer"],
      ["*", "cheer"],
      ["*", "boo"],
    ]);
  });

  test("presence has listeners of its own", async () => {
    const world = await new World().joined();
    const seen = /** @type {any[]} */ ([]);
    world.room.onPresent((present) => seen.push(Object.keys(present)));
    world.socket.deliver({ type: "room.present", viewers: { ann: {}, bob: { x: 1 } } });
    const { bob } = world.room.present;
    world.socket.deliver({ type: "room.present", viewers: { ann: null } });
    assert.deepEqual(seen, [[], ["ann", "bob"], ["bob"]]);
    assert.equal(world.room.present.bob, bob);
  });

  test("a refused message is a warning, unless somebody listens", async () => {
    const warnings = mock.method(console, "warn", () => {});
    const world = await new World().joined();
    const error = { type: "room.error", code: "busy", reason: "too many" };
    world.socket.deliver(error);
    const heard = /** @type {any[]} */ ([]);
    const listening = world.room.on("room.error", (refusal) => heard.push(refusal));
    world.socket.deliver(error);
    listening.unsubscribe();
    world.socket.deliver(error);
    world.socket.deliver({ ...error, seq: 1 }); // its promise says so
    warnings.mock.restore();
    assert.deepEqual(heard, [error]);
    assert.equal(warnings.mock.callCount(), 2);
  });
});

suite("sending", () => {
  test("the outcome comes when subscribers have been told of the view it led to", async () => {
    const world = await new World().joined({ value: "a" });
    const order = /** @type {any[]} */ ([]);
    world.room.subscribe(({ value }) => order.push(value));
    world.room.send({ type: "go" }).then(({ outcome }) => order.push(outcome));
    patch(world, "n.1", "n.2", [[["value"], "b"]]);
    world.socket.deliver({ type: "room.outcome", seq: 1, outcome: "accepted", cursor: "n.2" });
    await settled();
    assert.deepEqual(order, ["a", "b", "accepted"]);
  });

  test("an event is sent as it was when it was sent", async () => {
    const world = new World();
    const event = { type: "add", by: 1 };
    world.room.send(event);
    event.by = 2;
    await world.joined();
    assert.deepEqual(await sentAfterReconnect(world), [{ type: "room.send", seq: 1, event: { type: "add", by: 1 } }]);
  });

  test("64 may be unanswered; each outcome lets another one out", async () => {
    const world = await new World().joined();
    for (let i = 0; i < 66; i++) world.room.send({ type: "e", i });
    assert.equal(world.socket.take().length, 64);
    world.socket.deliver({ type: "room.outcome", seq: 1, outcome: "accepted" });
    assert.deepEqual(world.socket.take(), [{ type: "room.send", seq: 65, event: { type: "e", i: 64 }, acked: 1 }]);
  });

  test("more than a thousand waiting are turned away, and said to be", async () => {
    const { room } = new World();
    for (let i = 0; i < 1000; i++) room.send({ type: "e" });
    assert.equal((await room.send({ type: "e" })).outcome, "rejected");
    room.close();
  });

  for (const [what, letter] of /** @type {const} */ ([["bytes", "x"], ["letters of three bytes", "€"]])) {
    test(`what no server reads isn't sent, in ${what}`, async () => {
      const world = await new World().joined(); // [SEND12]
      const bytes = Buffer.byteLength(letter);
      const say = (/** @type {number} */ length) => ({ type: "say", text: letter.repeat(length) });
      let length = Math.floor(65_536 / bytes);
      while (!world.room.cast(say(length))) length--;
      const least = Math.floor((65_536 - 200) / bytes);
      assert.ok(length > least, "what fits is sent");
      const refused = await world.room.send(say(length));
      assert.deepEqual(refused, { outcome: "rejected", reason: "an event has at most 64 KiB" });
      assert.throws(() => world.room.presence(say(length)), /presence has at most 2 KB/);
      world.room.send(say(least));
      const [, largest] = world.socket.take();
      const numbered = JSON.stringify({ ...largest, seq: 2 ** 53, acked: 2 ** 53 });
      assert.ok(Buffer.byteLength(numbered) <= 65_536);
      assert.equal(world.room.connection, "open");
    });
  }

  test("what is no event is the caller's mistake", async () => {
    const { room } = await new World().joined();
    for (const wrong of /** @type {any[]} */ (["go", null, {}, { type: 5 }])) {
      assert.throws(() => room.send(wrong), /an event is an object with a type/);
      assert.throws(() => room.cast(wrong), /an event is an object with a type/);
    }
    assert.throws(() => room.cast({ type: "room.get" }), /room's own/);
    const loop = { type: "x", self: {} };
    loop.self = loop;
    assert.throws(() => room.send(loop), TypeError);
  });

  test("a child may be given as an object with an id", async () => {
    const world = await new World().joined();
    world.room.sendTo({ id: "player-3" }, { type: "ready" });
    assert.equal(world.socket.take()[0].child, "player-3");
  });

  test("casts are dropped when the way out is full", async () => {
    const world = await new World().joined();
    assert.equal(world.room.cast({ type: "move" }), true);
    world.socket.bufferedAmount = 100_000;
    assert.equal(world.room.cast({ type: "move" }), false);
    assert.equal(world.socket.take().length, 1);
  });

  test("outcomes that wait for a view are told when the room ends instead", async () => {
    const world = await new World().joined();
    const answer = fate(world.room.send({ type: "a" }));
    const other = fate(world.room.send({ type: "b" }));
    patch(world, "n.8", "n.9", []);
    world.socket.deliver({ type: "room.outcome", seq: 1, outcome: "accepted", cursor: "n.9" });
    await settled();
    assert.deepEqual(answer, {});
    world.socket.drop(4403, "removed");
    await settled();
    assert.equal(answer.value?.outcome, "accepted");
    assert.ok(other.error instanceof RoomClosed);
    assert.equal(other.error.code, 4403);
  });

  test("nobody has to await anything", async () => {
    const unhandled = mock.fn();
    process.on("unhandledRejection", unhandled);
    const world = new World();
    world.room.send({ type: "a" });
    world.room.close();
    world.room.send({ type: "b" });
    await settled();
    await settled();
    process.off("unhandledRejection", unhandled);
    assert.equal(unhandled.mock.callCount(), 0);
  });
});

/** @param {World} world */
async function sentAfterReconnect(world) {
  world.socket.drop(1006);
  await world.time.advance(125);
  world.socket.accept();
  world.greet();
  return world.socket.take();
}
