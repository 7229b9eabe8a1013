/**
 * The page as a function of its state: `h` describes elements, `patch` makes the document so.
 *
 * Elements are kept by key or place, so focus, caret, selection and running animations live through
 * an update. What isn't named in a description is left alone.
 */

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "open", "selected"]);

/** What an element was last described as. @type {WeakMap<Node, any>} */
const described = new WeakMap();

/**
 * Describes an element. Props: attributes, properties, `onclick` and the like, `key`, `mount(node)`
 * called once when it is made, `own: true` where other code fills the element.
 * @param {string} tag @param {Record<string, any> | null} [props] @param {...any} children
 */
export function h(tag, props, ...children) {
  return {
    tag,
    props: props ?? {},
    key: props?.key ?? null,
    children: children.flat(Infinity).filter((child) => child != null && child !== false && child !== ""),
  };
}

/** Makes the children of `parent` what `wanted` describes. @param {Element} parent @param {any} wanted */
export function patch(parent, wanted) {
  const focused = document.activeElement;
  children(parent, [wanted].flat(Infinity).filter(Boolean), parent.namespaceURI === SVG);
  // An element that is moved loses its focus; give it back.
  if (focused && focused !== document.activeElement && focused.isConnected) {
    /** @type {HTMLElement} */ (focused).focus({ preventScroll: true });
  }
}

function children(parent, wanted, inSvg) {
  const keyed = new Map();
  const unkeyed = [];
  for (const node of parent.childNodes) {
    const key = described.get(node)?.key ?? null;
    if (key === null) unkeyed.push(node);
    else keyed.set(key, node);
  }
  const nodes = wanted.map((want) => {
    let node;
    if (want.key != null) {
      node = keyed.get(want.key);
      if (node && fits(node, want)) keyed.delete(want.key);
      else node = undefined;
    } else {
      const index = unkeyed.findIndex((candidate) => fits(candidate, want));
      if (index >= 0) [node] = unkeyed.splice(index, 1);
    }
    return update(node, want, inSvg);
  });
  // Gone ones first: then nothing that stays has to be moved past them.
  for (const node of [...keyed.values(), ...unkeyed]) node.remove();
  let cursor = parent.firstChild;
  for (const node of nodes) {
    if (node === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(node, cursor);
  }
}

function fits(node, want) {
  if (typeof want !== "object") return node.nodeType === Node.TEXT_NODE;
  return described.get(node)?.tag === want.tag;
}

function update(node, want, inSvg) {
  if (typeof want !== "object") {
    const text = String(want);
    if (!node) return document.createTextNode(text);
    if (node.data !== text) node.data = text;
    return node;
  }
  const svg = inSvg || want.tag === "svg";
  const fresh = !node;
  if (!node) node = svg ? document.createElementNS(SVG, want.tag) : document.createElement(want.tag);
  const before = described.get(node)?.props ?? {};
  described.set(node, want);
  for (const name in before) if (!(name in want.props)) set(node, name, null);
  // A select's value needs its options, a range's its bounds: properties come after the children.
  for (const name in want.props) {
    if (!PROPERTIES.has(name) && before[name] !== want.props[name]) set(node, name, want.props[name]);
  }
  if (!want.props.own) children(node, want.children, svg);
  for (const name in want.props) {
    if (PROPERTIES.has(name) && node[name] !== want.props[name]) node[name] = want.props[name];
  }
  if (fresh) want.props.mount?.(node);
  return node;
}

function set(node, name, value) {
  if (name === "key" || name === "mount" || name === "own") return;
  if (name.startsWith("on")) node[name] = value;
  else if (PROPERTIES.has(name)) node[name] = name === "value" ? "" : false;
  else if (value == null || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}
