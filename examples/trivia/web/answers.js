/** The six ways to answer a question. Each shows what is entered, and hands on what the user changes. */
import { h } from "./dom.js";
import { icon } from "./parts.js";
import { sortable } from "./sortable.js";

/**
 * @param {{type: string, id: string, prompt: string, options: string[]}} question
 * @param {{value: any, locked: boolean, change: (value: any) => void, confirm: () => void}} entry
 */
export function controls(question, entry) {
  switch (question.type) {
    case "text":
      return textField(question, entry);
    case "select":
      return selection(question, entry);
    case "checkboxes":
      return tiles(question, entry, "checkbox");
    case "sortable":
      return sortable({ items: entry.value ?? question.options, locked: entry.locked, change: entry.change });
    default:
      return tiles(question, entry, "radio");
  }
}

/** What is sent when the answer is confirmed as the screen shows it. @param {any} question @param {any} value */
export const asShown = (question, value) => (question.type === "sortable" ? (value ?? question.options) : value === "" ? null : value);

export const isBlank = (question, value) =>
  question.type !== "sortable" && (value == null || value.length === 0 || (question.type === "text" && !value.trim()));

export const HINTS = {
  text: "Spelling is judged kindly: capitals and accents don't matter.",
  select: "Choose one.",
  radio: "Choose one.",
  checkboxes: "Choose all that are right. A wrong one costs a right one.",
  sortable: "Drag, or use the arrows. Every item in its place counts.",
  poll: "There is no right answer.",
};

function textField(question, { value, locked, change, confirm }) {
  return h(
    "form",
    {
      key: "text",
      class: "text-answer",
      onsubmit: (event) => {
        event.preventDefault();
        if (!locked) confirm();
      },
    },
    h("label", { for: "answer", class: "unseen" }, "Your answer"),
    h("input", {
      id: "answer",
      class: "big-input",
      value: value ?? "",
      readonly: locked,
      maxlength: 120,
      placeholder: "Your answer",
      autocomplete: "off",
      autocorrect: "off",
      spellcheck: "false",
      enterkeyhint: "done",
      oninput: (event) => change(event.target.value),
      mount: (node) => matchMedia("(pointer: fine)").matches && requestAnimationFrame(() => node.focus()),
    }),
  );
}

function selection(question, { value, locked, change }) {
  return h(
    "div",
    { key: "select", class: "select-answer" },
    h("label", { for: "answer", class: "unseen" }, "Your answer"),
    h(
      "select",
      { id: "answer", class: "big-input", value: value ?? "", disabled: locked, onchange: (event) => change(event.target.value) },
      h("option", { key: "none", value: "", disabled: true }, "Choose…"),
      question.options.map((option) => h("option", { key: option, value: option }, option)),
    ),
    icon("down"),
  );
}

function tiles(question, { value, locked, change }, type) {
  const chosen = type === "checkbox" ? (value ?? []) : [value];
  return h(
    "fieldset",
    { key: "tiles", class: `tiles ${type}`, disabled: locked },
    h("legend", { class: "unseen" }, question.prompt),
    question.options.map((option, index) =>
      h(
        "label",
        { key: option, class: "tile" },
        h("input", {
          type,
          name: question.id,
          value: option,
          checked: chosen.includes(option),
          onchange: (event) => {
            if (type === "radio") change(option);
            else change(event.target.checked ? [...chosen, option] : chosen.filter((each) => each !== option));
          },
        }),
        h("span", { class: "letter", "aria-hidden": "true" }, String.fromCharCode(65 + index)),
        h("span", { class: "tile-text" }, option),
      ),
    ),
  );
}
