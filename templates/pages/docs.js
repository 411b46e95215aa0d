// The page of the API: every call in a list that is searched; the renderer shows the one that was chosen.
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
const wide = matchMedia("(min-width: 768px)");
const unfold = () => {
  find.open = wide.matches;
};
unfold();
wide.addEventListener("change", unfold);

const asked = find.querySelector("input");
asked.addEventListener("input", () => {
  const words = asked.value.toLowerCase().split(/\s+/);
  for (const part of find.querySelectorAll("section")) {
    const all = [...part.querySelectorAll("li")];
    for (const one of all) {
      const said = one.textContent.toLowerCase();
      one.hidden = !words.every((word) => said.includes(word));
    }
    part.hidden = all.every((one) => one.hidden);
  }
});
find.addEventListener("click", (event) => {
  if (event.target.closest("a")) find.open = wide.matches;
});

const mark = () => {
  for (const one of find.querySelectorAll("a")) {
    if (one.hash !== location.hash) one.removeAttribute("aria-current");
    else {
      one.setAttribute("aria-current", "page");
      if (wide.matches) one.scrollIntoView({ block: "nearest" });
    }
  }
};
mark();
addEventListener("hashchange", () => {
  mark();
  scrollTo(0, 0);
});

// The renderer leaves fields without a name, which a screen reader would pass over.
const seen = new WeakSet();
const name = (root) => {
  for (const one of root.querySelectorAll("textarea")) one.setAttribute("aria-label", "Request body");
  for (const one of root.querySelectorAll("select:not([aria-label])")) {
    one.setAttribute("aria-label", one.value.includes("/") ? "Media type" : "Example");
  }
  // It moves the line with the licence to the left by a bar's width, and so under the frame: there is no bar.
  for (const one of root.querySelectorAll("#api-info")) one.style.marginLeft = "0";
  for (const one of root.querySelectorAll("*")) if (one.shadowRoot) watch(one.shadowRoot);
};
const watch = (root) => {
  if (seen.has(root)) return;
  seen.add(root);
  new MutationObserver(() => name(root)).observe(root, { childList: true, subtree: true });
  name(root);
};
watch(shown.shadowRoot);
