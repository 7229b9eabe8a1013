/** The connection: what a page notices of time, silence, networks and tabs. */
import assert from "node:assert/strict";
import { afterEach, suite, test } from "node:test";

import { START, World, settled } from "./world.mjs";

const open = ["connecting", "open"];

/** @param {World} world */
const pings = (world) => world.socket.take(true).filter(({ type }) => type === "room.ping").length;

suite("silence", () => {
  test("an attempt that gets no socket in ten seconds is given up", async () => {
    const world = new World();
    await settled();
    await world.time.advance(9_999);
    assert.equal(world.room.connection, "connecting");
    await world.time.advance(1);
    assert.equal(world.room.connection, "waiting");
    assert.equal(world.room.closing?.code, 1006);
    assert.equal(world.socket.readyState, 2);
    await world.time.advance(125);
    assert.equal(world.sockets.length, 2);
  });

  test("so is a token that never comes", async () => {
    const world = new World({ token: () => new Promise(() => {}) });
    await world.time.advance(10_000);
    assert.equal(world.room.connection, "waiting");
    assert.equal(world.sockets.length, 0);
  });

  test("a door that says nothing at first is asked, then left", async () => {
    const world = new World();
    await settled();
    world.socket.accept();
    await world.time.advance(9_999);
    assert.equal(pings(world), 0);
    await world.time.advance(1);
    assert.equal(pings(world), 1);
    world.socket.deliver({ type: "room.pong", t: world.time.now(), now: START });
    await world.time.advance(25_000);
    assert.equal(pings(world), 1);
    await world.time.advance(5_000);
    assert.equal(world.room.connection, "waiting");
  });

  test("the time is asked for on every connection", async () => {
    const world = new World();
    await settled();
    world.socket.accept();
    world.greet();
    assert.equal(pings(world), 1);
  });

  test("taken over by an attempt that was given up and came late, it comes back", async () => {
    const world = await new World().joined();
    world.room.reconnect();
    await settled();
    world.socket.accept();
    world.greet();
    world.socket.drop(4410, "a newer connection of yours took over");
    assert.equal(world.room.connection, "waiting");
    await world.time.advance(125);
    assert.equal(world.sockets.length, 3);
  });

  test("25 quiet seconds, then a ping; 5 more, then another connection", async () => {
    const world = await new World().joined();
    world.socket.deliver({ type: "room.pong", t: START, now: START });
    await world.time.advance(24_999);
    assert.equal(pings(world), 0);
    await world.time.advance(1);
    assert.equal(pings(world), 1);
    await world.time.advance(4_999);
    assert.equal(world.room.connection, "open");
    await world.time.advance(1);
    assert.equal(world.room.connection, "waiting");
    assert.deepEqual(world.room.view, { value: "a" });
  });

  test("whatever is heard is a sign of life", async () => {
    const world = await new World().joined();
    for (let i = 0; i < 10; i++) {
      await world.time.advance(20_000 / 5);
      world.socket.deliver({ type: "room.later" });
    }
    await world.time.advance(24_999);
    assert.equal(world.room.connection, "open");
    assert.equal(pings(world), 0);
  });

  test("what is sent and not answered makes it ask sooner", async () => {
    const world = await new World().joined();
    world.socket.deliver({ type: "room.pong", t: START, now: START });
    world.room.send({ type: "a" });
    await world.time.advance(3_000);
    world.room.send({ type: "b" }); // doesn't put it off
    await world.time.advance(2_000);
    assert.equal(pings(world), 1);
    await world.time.advance(5_000);
    assert.equal(world.room.connection, "waiting");
  });

  test("a socket left behind has no say any more", async () => {
    const world = await new World().joined();
    const old = world.socket;
    await world.time.advance(30_000 + 125);
    assert.notEqual(world.socket, old);
    const seen = /** @type {string[]} */ ([]);
    world.room.onConnection((connection) => seen.push(connection));
    old.deliver({ type: "room.view", cursor: "x.1", now: START, view: { value: "ghost" } });
    old.drop(4410, "taken over");
    assert.deepEqual(seen, ["connecting"]);
    assert.deepEqual(world.room.view, { value: "a" });
  });
});

suite("the network and the page", () => {
  /** @type {EventTarget & { visibilityState?: string }} */
  let page;
  /** @type {EventTarget} */
  let network;
  /** How many listeners the network has. */
  let listening = 0;

  /** A page that can be hidden, and a network that can be lost. */
  function browser() {
    listening = 0;
    page = Object.assign(new EventTarget(), { visibilityState: "visible" });
    network = new EventTarget();
    Object.assign(globalThis, {
      document: page,
      addEventListener: (/** @type {string} */ type, /** @type {any} */ listener) => {
        listening++;
        network.addEventListener(type, listener);
      },
      removeEventListener: (/** @type {string} */ type, /** @type {any} */ listener) => {
        listening--;
        network.removeEventListener(type, listener);
      },
    });
  }
  const online = () => network.dispatchEvent(new Event("online"));
  /** @param {"visible" | "hidden"} state */
  const becomes = (state) => {
    page.visibilityState = state;
    page.dispatchEvent(new Event("visibilitychange"));
  };

  afterEach(() => {
    for (const name of ["document", "addEventListener", "removeEventListener"])
      Reflect.deleteProperty(globalThis, name);
  });

  for (const [what, happens] of /** @type {const} */ ([
    ["the network is back", online],
    ["the page is looked at", () => becomes("visible")],
  ])) {
    test(`no more waiting when ${what}`, async () => {
      browser();
      const world = await new World().joined();
      world.socket.drop(1006);
      happens();
      await settled();
      assert.equal(world.room.connection, "connecting");
      assert.equal(world.sockets.length, 2);
      await world.time.advance(5_000);
      assert.equal(world.sockets.length, 2); // the wait is off
    });

    test(`not sooner than the server allows when ${what}`, async () => {
      browser();
      const world = await new World().joined();
      world.socket.deliver({ type: "room.closing", code: 1013, reason: "", retry_after: 4_000 });
      world.socket.drop(1013);
      happens();
      await world.time.advance(3_999);
      happens();
      assert.equal(world.room.connection, "waiting");
      await world.time.advance(1);
      happens();
      assert.equal(world.room.connection, "connecting");
    });

    test(`an open connection is asked whether it lives when ${what}`, async () => {
      browser();
      const world = await new World().joined();
      world.socket.deliver({ type: "room.pong", t: START, now: START });
      happens();
      assert.equal(pings(world), 1);
      await world.time.advance(5_000);
      assert.equal(world.room.connection, "waiting");
    });
  }

  test("a page that is put away does nothing", async () => {
    browser();
    const world = await new World().joined();
    world.socket.drop(1006);
    becomes("hidden");
    await settled();
    assert.equal(world.room.connection, "waiting");
  });

  test("a closed room listens to nothing any more, and has no timer", async () => {
    browser();
    const world = await new World().joined();
    world.room.close();
    online();
    becomes("visible");
    await settled();
    assert.equal(world.room.connection, "closed");
    assert.equal(world.sockets.length, 1);
    assert.equal(world.socket.readyState, 2);
    assert.equal(world.time.pending, 0);
    assert.equal(listening, 0);
  });
});

suite("tokens", () => {
  test("a function is asked for every connection, and what the server renews is not used for it", async () => {
    let count = 0;
    const world = await new World({ token: async () => `t${++count}` }).joined(undefined, { token: "renewed" });
    assert.equal(world.socket.query.token, "t1");
    world.socket.drop(1006);
    await world.time.advance(125);
    assert.equal(world.socket.query.token, "t2");
    assert.equal(world.kept.kept.size, 0);
  });

  test("4401 comes back with a new one", async () => {
    let token = "old";
    const world = await new World({ token: () => token }).joined();
    token = "new";
    world.socket.drop(4401, "expired");
    assert.deepEqual(world.room.closing, { code: 4401, reason: "expired", retry_after: 0 });
    await world.time.advance(125);
    assert.equal(world.socket.query.token, "new");
    await world.joined();
    assert.equal(world.room.connection, "open");
  });

  test("and not with the same one", async () => {
    const world = await new World({ token: () => "old" }).joined();
    world.socket.drop(4401, "expired");
    await world.time.advance(125);
    assert.equal(world.room.connection, "closed");
    assert.equal(world.room.closing?.code, 4401);
    assert.equal(world.sockets.length, 1);
  });

  test("a function that throws is asked again", async () => {
    let down = true;
    const world = new World({
      token: async () => {
        if (down) throw new DOMException("offline", "TimeoutError");
        return "t1";
      },
    });
    await settled();
    assert.equal(world.room.connection, "waiting");
    down = false;
    await world.time.advance(125);
    assert.equal(world.socket.query.token, "t1");
  });

  test("one that throws when nobody waits for it any more changes nothing", async () => {
    /** @type {(error: Error) => void} */
    let fail = () => {};
    let calls = 0;
    const token = () => (++calls === 1 ? new Promise((_, reject) => (fail = reject)) : "t2");
    const world = new World({ token: /** @type {any} */ (token) });
    await world.time.advance(10_000 + 125);
    await world.joined();
    fail(new Error("offline"));
    await settled();
    assert.equal(world.room.connection, "open");
  });

  test("also when it threw in between", async () => {
    let calls = 0;
    const token = () => {
      if (++calls === 2) throw new Error("offline");
      return "old";
    };
    const world = await new World({ token }).joined();
    world.socket.drop(4401, "expired");
    await world.time.advance(125 + 250);
    assert.equal(calls, 3);
    assert.equal(world.room.connection, "closed");
    assert.equal(world.sockets.length, 1);
  });

  test("a text that the server renews is used renewed, and never stored", async () => {
    const world = await new World({ token: "t0" }).joined(undefined, { token: "t1" });
    world.socket.drop(1006);
    await world.time.advance(125);
    assert.equal(world.socket.query.token, "t1");
    assert.equal(world.kept.kept.size, 0);
  });

  test("a reload is the same person", async () => {
    const first = await new World().joined(undefined, { token: "t1" });
    const again = new World({ storage: first.kept });
    await settled();
    assert.equal(again.socket.query.token, "t1");
    assert.notEqual(again.socket.query.client, first.socket.query.client);
    assert.equal(again.socket.query.cursor, undefined);
  });

  test("each server has its own", async () => {
    const first = await new World().joined(undefined, { token: "t1" });
    const other = new World({ storage: first.kept }, "wss://other.example/rooms/counter/abc");
    await settled();
    assert.equal(other.socket.query.token, undefined);
  });

  test("of two new tabs the first one is kept, and neither becomes the other", async () => {
    const one = new World();
    const two = new World({ storage: one.kept });
    await one.joined(undefined, { token: "one" });
    await two.joined(undefined, { token: "two" });
    assert.deepEqual([...one.kept.kept.values()], ["one"]);
    two.socket.drop(1006);
    await two.time.advance(125);
    assert.equal(two.socket.query.token, "two");
    await one.joined(undefined, { token: "one renewed" });
    assert.deepEqual([...one.kept.kept.values()], ["one renewed"]);
  });

  test("without storage one is who one is for as long as the page lives", async () => {
    const forbidden = {
      getItem: () => assert.fail("forbidden"),
      setItem: () => assert.fail("forbidden"),
      removeItem: () => assert.fail("forbidden"),
    };
    for (const storage of [forbidden, null]) {
      const address = `https://${storage ? "forbidden" : "none"}.example/rooms/counter/abc`;
      await new World({ storage }, address).joined(undefined, { token: "t1" });
      const again = new World({ storage }, address);
      await settled();
      assert.equal(again.socket.query.token, "t1");
    }
  });
});

suite("addresses", () => {
  /** @param {string} address @param {any} [options] */
  async function asked(address, options) {
    const world = new World(options, address);
    await settled();
    world.room.close();
    world.socket.url.searchParams.delete("client");
    return world.socket.url.href;
  }

  test("https is wss, http is ws, and both may be said as they are", async () => {
    assert.equal(await asked("https://a.example/rooms/x/y#top"), "wss://a.example/rooms/x/y");
    assert.equal(await asked("http://a.example:8080/rooms/x/y?lang=en"), "ws://a.example:8080/rooms/x/y?lang=en");
    assert.equal(await asked("wss://a.example/rooms/x/y"), "wss://a.example/rooms/x/y");
    assert.equal(await asked("ws://a.example/rooms/x/y"), "ws://a.example/rooms/x/y");
  });

  test("a path is relative to the page", async () => {
    Object.assign(globalThis, { location: new URL("https://a.example/play/quiz?x=1") });
    try {
      assert.equal(await asked("/rooms/x/y"), "wss://a.example/rooms/x/y");
    } finally {
      Reflect.deleteProperty(globalThis, "location");
    }
  });

  test("what is no address is refused at once", () => {
    assert.throws(() => new World({}, "/rooms/x/y"), TypeError);
    assert.throws(() => new World({}, "ftp://a.example/rooms/x/y"), /not ftp:/);
    assert.throws(() => new World({ params: { token: "x" } }), /token: it is the façade's own/);
    assert.throws(() => new World({ WebSocket: /** @type {any} */ (null) }), /options\.WebSocket/);
  });

  test("an address that the browser forbids isn't tried again", async () => {
    const WebSocket = /** @type {any} */ (
      class {
        constructor() {
          throw new DOMException("insecure", "SecurityError");
        }
      }
    );
    const world = new World({ WebSocket });
    await settled();
    assert.equal(world.room.connection, "closed");
    assert.deepEqual(world.room.closing, { code: 1006, reason: "SecurityError: insecure", retry_after: null });
  });

  test("the subprotocol says which version is spoken", async () => {
    const worlds = [new World(), new World({ protocol: null })];
    await settled();
    assert.deepEqual(
      worlds.map(({ socket }) => socket.protocols),
      [["rooms.v1.json"], []],
    );
  });

  test("the client id is 128 bits that nobody else has", async () => {
    const worlds = [new World(), new World()];
    await settled();
    const [a, b] = worlds.map(({ socket }) => socket.query.client);
    assert.match(String(a), /^[0-9a-f]{32}$/);
    assert.notEqual(a, b);
  });
});

suite("calls from listeners", () => {
  test("closing while being told of a connection is the end of it", async () => {
    const world = new World();
    const seen = /** @type {string[]} */ ([]);
    world.room.onConnection((connection) => {
      seen.push(connection);
      if (connection === "waiting") world.room.close();
    });
    await world.joined();
    world.socket.drop(1006);
    await world.time.advance(60_000);
    assert.deepEqual(seen, [...open, "waiting", "closed"]);
    assert.equal(world.sockets.length, 1);
  });

  test("closing while connecting makes no socket", async () => {
    const world = new World({ token: async () => "t" });
    world.room.close();
    await settled();
    assert.equal(world.sockets.length, 0);
    assert.throws(() => world.room.reconnect(), { name: "RoomClosed", code: 1000 });
  });
});
