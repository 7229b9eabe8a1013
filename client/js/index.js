/**
 * Skyrooms in the browser: `connect` to a room, read what it is, send it events. Plain ES modules, no build step.
 * Start reading at room.js; what goes over the wire is in rooms/SPEC.md and link.js.
 */
import { Room } from "./room.js";

export { OutcomeLost, RoomClosed } from "./errors.js";
export { Room };

/**
 * Connect to a room, and stay connected.
 *
 * @template [Context=any]
 * @template {{ type: string }} [Event=import("./room.js").AnyEvent]
 * @param {string | URL} address `/rooms/{kind}/{session}`, relative to the page or absolute
 * @param {import("./room.js").Options} [options]
 * @returns {Room<Context, Event>}
 */
export function connect(address, options) {
  return new Room(address, options);
}
