/**
 * A QR code of a short text, as the path of an SVG: byte mode, versions 1 to 6, correction level M
 * (ISO/IEC 18004). Longer than 106 bytes: null, the link itself is on the page anyway.
 */

/** Per version: all codewords, correction codewords a block, blocks. */
const VERSIONS = [
  [26, 10, 1],
  [44, 16, 1],
  [70, 26, 1],
  [100, 18, 2],
  [134, 24, 2],
  [172, 16, 4],
];

/** Powers and logarithms in the field of 256 elements over x⁸+x⁴+x³+x²+1. */
const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x = x << 1 ^ (x & 128 ? 0x11d : 0);
}

/** @param {string} text @returns {boolean[][] | null} rows of modules, true is dark */
export function qr(text) {
  const bytes = new TextEncoder().encode(text);
  const version = VERSIONS.findIndex(([all, ec, blocks]) => bytes.length + 2 <= all - ec * blocks) + 1;
  if (!version) return null;
  const bits = interleave(dataWords(bytes, version), version);
  const candidates = [0, 1, 2, 3, 4, 5, 6, 7].map((mask) => draw(bits, version, mask));
  return candidates.reduce((best, each) => (penalty(each) < penalty(best) ? each : best));
}

/** @param {string} text @returns {{size: number, path: string} | null} with a quiet zone of 4 */
export function qrPath(text) {
  const modules = qr(text);
  if (!modules) return null;
  let path = "";
  modules.forEach((row, y) =>
    row.forEach((dark, x) => {
      if (dark) path += `M${x + 4} ${y + 4}h1v1h-1z`;
    }),
  );
  return { size: modules.length + 8, path };
}

function dataWords(bytes, version) {
  const [all, ec, blocks] = VERSIONS[version - 1];
  const capacity = all - ec * blocks;
  const bits = [];
  const put = (value, length) => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  put(4, 4);
  put(bytes.length, 8);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, capacity * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  const words = [];
  for (let i = 0; i < bits.length; i += 8) words.push(parseInt(bits.slice(i, i + 8).join(""), 2));
  for (let pad = 0xec; words.length < capacity; pad ^= 0xec ^ 0x11) words.push(pad);
  return words;
}

function interleave(words, version) {
  const [, ec, count] = VERSIONS[version - 1];
  const length = words.length / count; // up to version 6 at level M all blocks are of one length
  const blocks = Array.from({ length: count }, (_, i) => words.slice(i * length, (i + 1) * length));
  const checks = blocks.map((block) => remainder(block, ec));
  const out = [];
  for (let i = 0; i < length; i++) for (const block of blocks) out.push(block[i]);
  for (let i = 0; i < ec; i++) for (const check of checks) out.push(check[i]);
  return out.flatMap((word) => [7, 6, 5, 4, 3, 2, 1, 0].map((bit) => (word >> bit) & 1));
}

/** Reed-Solomon: what is left of the words divided by the generator of degree `ec`. */
function remainder(words, ec) {
  let generator = [1];
  for (let i = 0; i < ec; i++) {
    const next = [...generator, 0];
    generator.forEach((c, j) => (next[j + 1] ^= c && EXP[LOG[c] + i]));
    generator = next;
  }
  const rest = [...words, ...new Array(ec).fill(0)];
  words.forEach((_, i) => {
    const lead = rest[i];
    if (lead) generator.forEach((c, j) => (rest[i + j] ^= c && EXP[LOG[c] + LOG[lead]]));
  });
  return rest.slice(words.length);
}

function draw(bits, version, mask) {
  const size = 17 + 4 * version;
  const grid = Array.from({ length: size }, () => new Array(size).fill(null));
  const set = (x, y, dark) => {
    if (x >= 0 && y >= 0 && x < size && y < size) grid[y][x] = dark;
  };
  const square = (cx, cy, rings) => {
    for (let y = -rings; y <= rings; y++)
      for (let x = -rings; x <= rings; x++) {
        const ring = Math.max(Math.abs(x), Math.abs(y));
        set(cx + x, cy + y, rings === 4 ? ring !== 2 && ring !== 4 : ring !== 1);
      }
  };
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) square(x, y, 4);
  if (version > 1) square(size - 7, size - 7, 2);
  for (let i = 8; i < size - 8; i++) {
    set(i, 6, i % 2 === 0);
    set(6, i, i % 2 === 0);
  }
  format(set, size, mask);

  let next = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right--; // the column of the timing pattern
    const up = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step++) {
      const y = up ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (grid[y][x] === null) grid[y][x] = (bits[next++] ?? 0) === 1 !== masked(mask, x, y);
      }
    }
  }
  return grid;
}

function format(set, size, mask) {
  let check = mask; // level M is 00
  for (let i = 0; i < 10; i++) check = check << 1 ^ (check >> 9) * 0x537;
  const word = (mask << 10 | check) ^ 0x5412;
  for (let i = 0; i < 15; i++) {
    const dark = ((word >> i) & 1) === 1;
    if (i < 8) set(size - 1 - i, 8, dark);
    else set(8, size - 15 + i, dark);
    if (i < 6) set(8, i, dark);
    else if (i < 8) set(8, i + 1, dark);
    else set(i === 8 ? 7 : 14 - i, 8, dark);
  }
  set(8, size - 8, true);
}

function masked(mask, x, y) {
  switch (mask) {
    case 0: return (x + y) % 2 === 0;
    case 1: return y % 2 === 0;
    case 2: return x % 3 === 0;
    case 3: return (x + y) % 3 === 0;
    case 4: return (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0;
    case 5: return ((x * y) % 2) + ((x * y) % 3) === 0;
    case 6: return (((x * y) % 2) + ((x * y) % 3)) % 2 === 0;
    default: return (((x + y) % 2) + ((x * y) % 3)) % 2 === 0;
  }
}

/** How hard a pattern is to read: runs, blocks, false finders, uneven darkness. */
function penalty(grid) {
  const size = grid.length;
  const lines = [...grid, ...grid.map((_, x) => grid.map((row) => row[x]))];
  let sum = 0;
  for (const line of lines) {
    const text = line.map((dark) => (dark ? "1" : "0")).join("");
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) sum += run.length - 2;
    sum += 40 * [...text.matchAll(/(?=00001011101|10111010000)/g)].length;
  }
  for (let y = 1; y < size; y++)
    for (let x = 1; x < size; x++) {
      const same = grid[y][x];
      if (same === grid[y - 1][x] && same === grid[y][x - 1] && same === grid[y - 1][x - 1]) sum += 3;
    }
  const dark = grid.flat().filter(Boolean).length / (size * size);
  return sum + 10 * Math.floor(Math.abs(dark - 0.5) * 20);
}
