import { text } from "./text.js";

// A page that is loaded again has another number: what is replaced in place keeps it.
const page = Math.random();

function show(text) {
  document.body.dataset.text = text;
  fetch(`/shown?${new URLSearchParams({ page, text: document.body.dataset.text })}`);
}

show(text);
import.meta.hot.accept("./text.js", (module) => show(module.text));
