/**
 * Countdown rings. A ring is described once with its deadline; from there it runs by the room's clock without another
 * message or update of the page. One loop draws all rings that are on the page, and stops when there is none.
 */
import { h } from "./dom.js";

const LENGTH = 2 * Math.PI * 44;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let now = () => Date.now();
let running = false;

/** Whose clock counts. @param {() => number} clock server time, ms */
export function useClock(clock) {
  now = clock;
}

/**
 * @param {{due: number | null, left: number | null, total: number} | null} timer the view's own
 * @param {{label: string, class?: string}} options
 */
export function ring(timer, options) {
  if (!timer) return null;
  return h(
    "div",
    {
      class: `ring ${options.class ?? ""}`,
      key: "ring",
      role: "timer",
      "aria-label": options.label,
      "data-total": timer.total,
      "data-due": timer.due,
      "data-left": timer.left,
      mount: start,
    },
    h(
      "svg",
      { viewBox: "0 0 100 100", "aria-hidden": "true" },
      h("circle", { class: "ring-track", cx: 50, cy: 50, r: 44 }),
      h("circle", { class: "ring-left", cx: 50, cy: 50, r: 44, own: true }),
    ),
    h("span", { class: "ring-number", own: true }),
  );
}

function start() {
  if (running) return;
  running = true;
  requestAnimationFrame(draw);
}

function draw() {
  const rings = document.querySelectorAll(".ring");
  for (const node of rings) show(/** @type {HTMLElement} */ (node));
  running = rings.length > 0;
  if (!running) return;
  if (calm.matches) setTimeout(draw, 250);
  else requestAnimationFrame(draw);
}

function show(node) {
  const total = Number(node.dataset.total);
  const exact = node.dataset.due ? Number(node.dataset.due) - now() : Number(node.dataset.left);
  const left = Math.min(total, Math.max(0, exact));
  const seconds = Math.ceil(left / 1000);
  const share = total ? (calm.matches ? Math.min(1, (seconds * 1000) / total) : left / total) : 0;
  const tone = share > 0.6 ? "plenty" : share > 0.3 ? "some" : "little";
  const [track] = node.getElementsByClassName("ring-left");
  track.style.strokeDasharray = `${LENGTH * share} ${LENGTH}`;
  const [number] = node.getElementsByClassName("ring-number");
  if (number.textContent !== String(seconds)) number.textContent = String(seconds);
  if (node.dataset.tone !== tone) node.dataset.tone = tone;
}
