/** The façade against the scripts that the Python one runs too; tests/vectors/README.md says how to read them. */
import assert from "node:assert/strict";
import { after, before, mock, suite, test } from "node:test";

import { OutcomeLost, RoomClosed } from "../../client/js/index.js";
import { vectors } from "./vectors.mjs";
import { World, settled } from "./world.mjs";

/** @typedef {import("./world.mjs").Socket} Socket */

class Script {
  world;
  /** @type {any[]} */ shown = [];
  /** @type {any[]} */ heard = [];
  /** @type {Record<string, any>} */ outcomes = {};
  /** @type {any} */ ready = null;
  /** @type {string | undefined} */ client;
  dialed = 0;

  /** @param {any} options */
  constructor(options) {
    this.world = new World(options);
    const { room } = this.world;
    room.subscribe({ next: ({ view }) => this.shown.push(view) });
    room.on("*", (event) => this.heard.push(event));
    room.ready.then(
      () => (this.ready = "room"),
      (error) => (this.ready = failure(error)),
    );
  }

  /** @param {any} step */
  async take(step) {
    const [[what, given]] = /** @type {[[string, any]]} */ (Object.entries(step));
    await this[/** @type {"on_call"} */ (`on_${what}`)](given, step.as);
    await settled();
  }

  /** @param {any[]} call @param {string} [as] */
  on_call([name, ...args], as) {
    const answer = /** @type {any} */ (this.world.room)[name === "send_to" ? "sendTo" : name](...args);
    if (as) {
      answer.then(
        (/** @type {any} */ outcome) => (this.outcomes[as] = outcome),
        (/** @type {any} */ error) => (this.outcomes[as] = failure(error)),
      );
    }
  }

  /** @param {any} query */
  on_dialed(query) {
    const asked = this.world.sockets.slice(this.dialed);
    this.dialed = this.world.sockets.length;
    if (query === null) return assert.equal(asked.length, 0);
    assert.equal(asked.length, 1, "connections asked for");
    const { client, ...others } = this.world.socket.query;
    const { client: _, ...wanted } = query;
    assert.match(client ?? "", /^[A-Za-z0-9_-]{22,}$/);
    assert.equal((this.client ??= client), client);
    assert.deepEqual(others, wanted);
    this.world.socket.accept();
  }

  /** @param {any} frame */
  on_server(frame) {
    this.world.socket.deliver(frame);
  }

  /** @param {[number, string]} close */
  on_drops([code, reason]) {
    this.world.socket.drop(code, reason);
  }

  /** @param {number} ms */
  on_wait(ms) {
    return this.world.time.advance(ms);
  }

  /** @param {any[]} frames */
  on_sends(frames) {
    assert.deepEqual(
      this.world.sockets.flatMap((socket) => socket.take()),
      frames,
    );
  }

  /** @param {any[]} views */
  on_shows(views) {
    assert.deepEqual(this.shown.splice(0), views);
  }

  /** @param {any[]} events */
  on_emits(events) {
    assert.deepEqual(this.heard.splice(0), events);
  }

  /** @param {any} outcomes */
  on_outcomes(outcomes) {
    const settledSince = this.outcomes;
    this.outcomes = {};
    assert.deepEqual(settledSince, outcomes);
  }

  /** @param {any} ready */
  on_ready(ready) {
    assert.deepEqual(this.ready, ready);
  }

  /** @param {any} attributes */
  on_is(attributes) {
    for (const [name, value] of Object.entries(attributes)) {
      const is = /** @type {any} */ (this.world.room)[name === "present_count" ? "presentCount" : name];
      assert.deepEqual(is, value, name);
    }
  }
}

/** @param {unknown} error */
function failure(error) {
  if (error instanceof OutcomeLost) return "lost";
  if (error instanceof RoomClosed) return { closed: error.code };
  throw error;
}

suite("conversation.json", () => {
  before(() => mock.method(console, "warn", () => {}));
  after(() => mock.restoreAll());

  for (const { name, options, steps } of vectors("conversation")) {
    test(name, async () => {
      const script = new Script(options);
      await settled();
      for (const [at, step] of steps.entries()) {
        try {
          await script.take(step);
        } catch (error) {
          if (error instanceof assert.AssertionError)
            error.message = `step ${at + 1} ${JSON.stringify(step)}\n${error.message}`;
          throw error;
        }
      }
      script.world.room.close();
    });
  }
});
