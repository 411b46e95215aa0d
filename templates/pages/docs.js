// The page of the API follows the reader's light or dark, and finds calls where there is no sidebar.
"use strict";
const shown = document.querySelector("rapi-doc");
const night = matchMedia("(prefers-color-scheme: dark)");
const paint = () => {
  const theme = night.matches ? "dark" : "light";
  shown.setAttribute("theme", theme);
  shown.setAttribute("primary-color", shown.dataset[theme]);
};
paint();
night.addEventListener("change", paint);

const find = document.querySelector(".find");
const asked = find.querySelector("input");
asked.addEventListener("input", () => {
  const words = asked.value.toLowerCase().split(/\s+/);
  for (const one of find.querySelectorAll("li")) {
    const said = one.textContent.toLowerCase();
    one.hidden = !words.every((word) => said.includes(word));
  }
});
find.addEventListener("click", (event) => {
  if (event.target.closest("a")) find.open = false;
});
