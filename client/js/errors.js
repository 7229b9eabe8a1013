/**
 * What can go wrong in a façade.
 *
 *     Error
 *     ├── RoomClosed     the room won't come back: connect again, or don't
 *     ├── OutcomeLost    look at the view for what became of the event
 *     └── PatchRefused   internal: operations that don't fit the view that is held; the whole view is asked for
 */

/** The room is closed for good. What was unanswered may or may not have happened. */
export class RoomClosed extends Error {
  name = "RoomClosed";

  /**
   * @param {number} code the close code (rooms/SPEC.md, CLOSE)
   * @param {string} reason
   */
  constructor(code, reason) {
    super(`the room is closed (${code}${reason && `: ${reason}`})`);
    this.code = code;
    this.reason = reason;
  }
}

/** This browser became somebody else before the outcome came, and only the former one would be told. */
export class OutcomeLost extends Error {
  name = "OutcomeLost";
  constructor() {
    super("connected again as somebody else before the outcome came");
  }
}

export class PatchRefused extends Error {
  name = "PatchRefused";
}
