"use strict";
// Reloads the list when a mail came in; without this script, reloading by hand does the same.
(() => {
  const shown = document.querySelector("[data-newest]").dataset.newest;
  const look = async () => {
    try {
      const answer = await fetch("/newest", { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== shown) location.reload();
    } catch { /* the server is away; the next look may find it */ }
  };
  setInterval(look, 1500);
})();
