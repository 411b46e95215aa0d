"use strict";
// Makes the frame as high as its mail, so that a phone shows it whole; without this script it scrolls.
(() => {
  const frame = document.querySelector(".mailview");
  if (!frame) return;
  const fit = () => {
    const whole = frame.contentDocument;
    if (!whole || !whole.documentElement) return;
    frame.style.height = "0"; // a document is never less high than its frame: a short mail would keep the frame's own height
    frame.style.height = `${whole.documentElement.scrollHeight + 2}px`;
  };
  frame.addEventListener("load", fit);
  addEventListener("resize", fit);
  fit();
})();
