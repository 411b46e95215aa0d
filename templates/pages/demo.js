"use strict";
// When the gateway's form was accepted, this page says so in its own words.
document.addEventListener("consent-form:accepted", () => {
  document.getElementById("ask").hidden = true;
  const sent = document.getElementById("sent");
  sent.hidden = false;
  sent.focus();
});
