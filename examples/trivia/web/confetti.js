/** Paper from the sky when the winner is known. Not for those who asked their device for less motion. */

const PIECES = 90;
const LASTS = 4500;

/** @param {number} after ms until it falls */
export function celebrate(after) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  setTimeout(() => {
    if (!document.querySelector(".ranking")) return;
    const sheet = document.createElement("div");
    sheet.className = "confetti";
    sheet.setAttribute("aria-hidden", "true");
    const between = (low, high) => low + Math.random() * (high - low);
    for (let i = 0; i < PIECES; i++) {
      const piece = document.createElement("i");
      piece.style.cssText = `left:${between(0, 100)}%;--hue:${Math.round(between(0, 360))};--drift:${between(-18, 18)}vw;--turn:${between(-3, 3)}turn;animation-delay:${between(0, 1.2)}s;animation-duration:${between(2.2, 3.3)}s`;
      sheet.append(piece);
    }
    document.body.append(sheet);
    setTimeout(() => sheet.remove(), LASTS);
  }, after);
}
