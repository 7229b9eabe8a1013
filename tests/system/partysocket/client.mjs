// Unchanged partysockets, driven by a test: commands come as lines of JSON, what happens goes out likewise.
//
//   {"open": name, "options": {…}, "facade": true}   a PartySocket; a façade keeps the snapshot that it is told
//   {"say": name, "text": …} or {"say": name, "base64": …}
//   {"close": name}

import { createInterface } from "node:readline";
import patches from "fast-json-patch";
import { PartySocket } from "partysocket";
import WebSocket from "ws";

const sockets = new Map();
const tell = (happened) => process.stdout.write(`${JSON.stringify(happened)}\n`);

function open(name, options, facade) {
  const socket = new PartySocket({ ...options, WebSocket, protocol: "ws" });
  socket.binaryType = "arraybuffer";
  sockets.set(name, socket);
  let snapshot = { status: "stopped" };
  socket.addEventListener("open", () => {
    tell({ at: name, event: "open", id: socket.id });
    if (facade) socket.send(JSON.stringify({ type: "party.snapshot.get" }));
  });
  socket.addEventListener("close", ({ code, reason }) => tell({ at: name, event: "close", code, reason }));
  socket.addEventListener("message", ({ data }) => {
    if (!facade) {
      const text = typeof data === "string";
      tell({ at: name, event: "message", [text ? "text" : "base64"]: text ? data : Buffer.from(data).toString("base64") });
      return;
    }
    const message = JSON.parse(typeof data === "string" ? data : new TextDecoder().decode(data));
    if (message.type === "party.snapshot.update") snapshot = message.snapshot;
    if (message.type === "party.snapshot.patch") {
      patches.applyPatch(snapshot, message.operations, true); // strict: throws where it doesn't fit
    }
    tell({ at: name, event: message.type, snapshot, tags: [...new Set(snapshot.tags)] });
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if ("open" in command) open(command.open, command.options, command.facade);
  if ("say" in command) {
    const data = "text" in command ? command.text : Buffer.from(command.base64, "base64");
    tell({ at: command.say, event: "said", sent: sockets.get(command.say).send(data) });
  }
  if ("close" in command) sockets.get(command.close).close();
}
process.exit(0);
