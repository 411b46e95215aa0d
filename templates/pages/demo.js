"use strict";
// Sends the form as JSON, so that the visitor stays on this page. Without this script it is a plain form.
(() => {
  const form = document.querySelector("form[data-json]");
  if (!form) return;
  const said = form.querySelector(".said");
  const body = () => {
    const data = new FormData(form);
    const ticked = data.getAll("purpose");
    const hash = (purpose) => form.querySelector(`[data-text-of="${CSS.escape(purpose)}"]`).value;
    const profile = {};
    for (const [key, value] of data) {
      if (key.startsWith("profile.") && value.trim()) profile[key.slice(8)] = value.trim();
    }
    return JSON.stringify({
      email: data.get("email"),
      purposes: ticked,
      texts: ticked.map(hash),
      locale: data.get("locale"),
      page_url: location.origin + location.pathname,
      profile,
    });
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    said.textContent = "";
    button.disabled = true;
    try {
      const answer = await fetch(form.action, {
        method: "POST", body: body(), headers: { "Content-Type": "application/json" },
        credentials: "omit", referrerPolicy: "no-referrer",
      });
      if (answer.status === 202) return done();
      said.textContent = answer.status === 429 ? form.dataset.later
        : answer.status === 422 ? form.dataset.wrong : form.dataset.away;
    } catch {
      said.textContent = form.dataset.away;
    }
    button.disabled = false;
  });
  const done = () => {
    document.getElementById("ask").hidden = true;
    const sent = document.getElementById("sent");
    sent.hidden = false;
    sent.focus();
  };
})();
