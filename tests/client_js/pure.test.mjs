/** The pure parts by themselves: backoff, clock, value, replica, outbox. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";

import { delay } from "../../client/js/backoff.js";
import { Clock } from "../../client/js/clock.js";
import { PatchRefused } from "../../client/js/errors.js";
import { Outbox } from "../../client/js/outbox.js";
import { Replica, apply, share } from "../../client/js/replica.js";
import { matches } from "../../client/js/value.js";
import { vectors } from "./vectors.mjs";

test("pure files know neither time, chance nor the network", () => {
  for (const file of ["backoff", "clock", "value", "replica", "outbox", "errors"]) {
    const source = readFileSync(new URL(`../../client/js/${file}.js`, import.meta.url), "utf8");
    const code = source.replace(/\/\*[^]*?\*\/|\/\/.*/g, "");
    assert.doesNotMatch(
      code,
      /\b(Date|performance|Math\.random|crypto|set(Timeout|Interval)|WebSocket|localStorage|globalThis)\b/,
      file,
    );
  }
});

suite("backoff.json", () => {
  for (const { name, attempt, roll, after, delay: ms } of vectors("backoff")) {
    test(name, () => assert.equal(delay(attempt, roll, after), ms));
  }
});

suite("clock.json", () => {
  for (const { name, samples, offset } of vectors("clock")) {
    test(name, () => {
      const clock = new Clock();
      for (const { now, received, sent } of samples) clock.sample(now, received, sent);
      assert.equal(clock.offset, offset);
    });
  }
});

suite("matches.json", () => {
  for (const { value, wanted, matches: yes } of vectors("matches")) {
    test(`${JSON.stringify(value)} ${yes ? "matches" : "doesn't match"} ${JSON.stringify(wanted)}`, () => {
      assert.equal(matches(value, wanted), yes);
    });
  }

  test("nothing matches before there is a value", () => assert.equal(matches(undefined, "a"), false));
});

suite("patches.json", () => {
  for (const { name, view, ops, result, refused } of vectors("patches")) {
    test(name, () => {
      const before = structuredClone(view);
      if (refused) assert.throws(() => apply(frozen(view), frozen(ops)), PatchRefused);
      else assert.deepEqual(apply(frozen(view), frozen(ops)), result);
      assert.deepEqual(view, before);
      assert.equal(/** @type {any} */ ({}).admin, undefined);
    });
  }
});

suite("replica", () => {
  const view = () => ({
    value: "a",
    context: { players: { ann: { score: 1 }, bob: { score: 2 } }, list: [{ n: 1 }, { n: 2 }] },
  });

  test("a patch shares all that it doesn't change", () => {
    const before = view();
    const after = apply(before, [[["context", "players", "ann", "score"], 5]]);
    assert.notEqual(after.context.players.ann, before.context.players.ann);
    assert.equal(after.context.players.bob, before.context.players.bob);
    assert.equal(after.context.list, before.context.list);
  });

  test("a splice keeps the items that it moves", () => {
    const before = view();
    const after = apply(before, [[["context", "list"], 0, 0, [{ n: 0 }]]]);
    assert.equal(after.context.list[1], before.context.list[0]);
    assert.equal(after.context.players, before.context.players);
  });

  test("operations that change nothing give the same view", () => {
    const before = view();
    assert.equal(
      apply(before, [
        [["context", "list", 0, "n"], 1],
        [["context", "list"], 1, 0, []],
        [["context", "players", "ann"], { score: 1 }],
      ]),
      before,
    );
    assert.equal(apply(before, [[[], view()]]), before);
  });

  test("a whole view keeps the parts that are equal", () => {
    const replica = new Replica();
    const before = view();
    replica.replace("n.1", before);
    const next = view();
    next.context.players.bob.score = 3;
    replica.replace("n.2", next);
    const after = /** @type {any} */ (replica.view);
    assert.deepEqual(after, next);
    assert.equal(after.context.players.ann, before.context.players.ann);
    assert.equal(after.context.list, before.context.list);
    assert.notEqual(after.context.players, before.context.players);
    replica.replace("n.3", structuredClone(next));
    assert.equal(replica.view, after);
    assert.equal(replica.cursor, "n.3");
  });

  test("what is gone or new makes a difference", () => {
    const both = { a: 1, b: 2 };
    assert.deepEqual(share(both, { a: 1 }), { a: 1 });
    assert.deepEqual(share({ a: 1 }, both), both);
    assert.deepEqual(share({ a: 1 }, { b: 1 }), { b: 1 });
    assert.deepEqual(share([1, 2], [1]), [1]);
    assert.deepEqual(share([1], { 0: 1 }), { 0: 1 });
    assert.equal(share(null, null), null);
  });

  test("a view that has a key __proto__ has it as plain data", () => {
    const parse = () => JSON.parse('{"context":{"__proto__":{"admin":true},"n":1}}');
    const replica = new Replica();
    replica.replace("n.1", parse());
    replica.replace("n.2", JSON.parse('{"context":{"__proto__":{"admin":true},"n":2}}'));
    replica.patch("n.2", "n.3", [[["context", "n"], 3]]);
    const { context } = /** @type {any} */ (replica.view);
    assert.deepEqual(Object.keys(context), ["__proto__", "n"]);
    assert.equal(Object.getPrototypeOf(context), Object.prototype);
    assert.equal(context.admin, undefined);
  });

  test("a refused patch leaves view and cursor", () => {
    const replica = new Replica();
    replica.replace("n.1", { value: "a" });
    assert.throws(() => replica.patch("n.1", "n.2", [[["value"], "b"], [["tags"]]]), PatchRefused);
    assert.throws(() => replica.patch("n.7", "n.8", []), PatchRefused);
    assert.deepEqual([replica.view, replica.cursor], [{ value: "a" }, "n.1"]);
  });
});

suite("outbox", () => {
  /** @param {number} count */
  const filled = (count) => {
    /** @type {Outbox<string>} */
    const outbox = new Outbox();
    for (let i = 1; i <= count; i++) assert.ok(outbox.add(`e${i}`));
    return outbox;
  };

  test("64 may be unanswered, the others wait their turn", () => {
    const outbox = filled(70);
    assert.deepEqual(
      outbox.take().map(([seq]) => seq),
      Array.from({ length: 64 }, (_, i) => i + 1),
    );
    assert.deepEqual(outbox.take(), []);
    assert.equal(outbox.settle(2), "e2");
    assert.deepEqual(outbox.take(), []); // the server keeps 64 outcomes, and that of 1 must be among them
    assert.equal(outbox.settle(1), "e1");
    assert.deepEqual(outbox.take(), [
      [65, "e65"],
      [66, "e66"],
    ]);
    assert.equal(outbox.settle(1), undefined);
  });

  test("a thousand may wait", () => {
    const outbox = filled(1000);
    assert.equal(outbox.add("too many"), false);
    outbox.take();
    assert.equal(outbox.add("one more"), true);
  });

  test("acked has no holes", () => {
    const outbox = filled(3);
    assert.equal(outbox.acked, 0);
    outbox.take();
    outbox.settle(2);
    assert.equal(outbox.acked, 0);
    outbox.settle(1);
    assert.equal(outbox.acked, 2);
    outbox.settle(3);
    assert.equal(outbox.acked, 3);
  });

  test("what is unanswered keeps its number, and may be sent again", () => {
    const outbox = filled(3);
    outbox.take();
    outbox.settle(1);
    assert.deepEqual(outbox.again(), [
      [2, "e2"],
      [3, "e3"],
    ]);
    assert.deepEqual(outbox.again(3), [[3, "e3"]]);
    outbox.add("e4");
    assert.deepEqual(outbox.take(), [[4, "e4"]]);
  });

  test("as somebody else nothing that was sent is sent again", () => {
    const outbox = filled(2);
    outbox.take();
    outbox.add("e3");
    assert.deepEqual(outbox.disown(4), ["e1", "e2"]);
    assert.deepEqual(outbox.take(), [[5, "e3"]]);
    assert.equal(outbox.acked, 4);
  });

  test("clearing gives all back", () => {
    const outbox = filled(66);
    outbox.take();
    assert.equal(outbox.clear().length, 66);
    assert.deepEqual(outbox.take(), []);
    assert.deepEqual(outbox.again(), []);
  });
});

/** Whoever changes it in place is found out. @template T @param {T} value @returns {T} */
function frozen(value) {
  if (value !== null && typeof value === "object") Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}
