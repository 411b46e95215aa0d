"use strict";
// Turns <div data-consent-form="NAME"> into the form. What stands inside is the fallback: it stays
// where this script, the gateway or the browser cannot do it. Sets no cookie, asks nobody else.
(() => {
  const settings = /*settings*/;
  const { base, form, words, css } = settings;
  const tag = `consent-form-${form}`;
  if (customElements.get(tag) || !("adoptedStyleSheets" in document)) return;

  const make = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  };
  const link = (href, text) => make("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
  // As the gateway does: what nobody sees is copied along at the edges, and means nothing.
  const trimmed = (text) => text.replace(/^[\p{Z}\p{C}]+|[\p{Z}\p{C}]+$/gu, "");
  const pause = (time) => new Promise((done) => setTimeout(done, time));
  const hints = { first_name: "given-name", last_name: "family-name", company: "organization" };

  class ConsentForm extends HTMLElement {
    connectedCallback() {
      if (!this.shadowRoot) this.load().catch(() => {});
    }

    async load() {
      const locale = this.getAttribute("locale") || document.documentElement.lang || navigator.language;
      const answer = await fetch(`${base}/forms/${form}.json?locale=${encodeURIComponent(locale)}`, {
        credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store",
      });
      if (!answer.ok) throw new Error(answer.status);
      this.stamp = answer.headers.get("Consent-Stamp");
      this.view = await answer.json();
      this.shown = Date.now();
      this.words = words[this.view.locale] || words[this.view.locale.split("-")[0]] || words.en;
      this.render();
    }

    render() {
      const { view, words } = this;
      const root = this.shadowRoot || this.attachShadow({ mode: "open" });
      if (!root.adoptedStyleSheets.length) {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        root.adoptedStyleSheets = [sheet];
      }
      this.fields = {};
      const line = (id, label, attributes, optional) => {
        const input = make("input", { id, part: "input", ...attributes });
        const wrong = make("p", { id: `${id}-wrong`, class: "wrong", hidden: true });
        this.fields[id] = { input, wrong };
        const name = make("label", { for: id }, label);
        if (optional) name.append(" ", make("span", {}, `(${words.optional})`));
        return make("div", { class: "line" }, name, input, wrong);
      };
      const lines = view.fields.map((one) =>
        line(`profile.${one.name}`, one.label, {
          type: "text", maxlength: one.max_length, required: one.required,
          autocomplete: hints[one.name] || "off",
        }, !one.required));
      lines.push(line("email", words.email, {
        type: "email", maxlength: 254, required: true, autocomplete: "email", inputmode: "email",
        autocapitalize: "none", spellcheck: "false",
      }));
      const boxes = view.purposes.map((one, n) => {
        const { title, text, sender, imprint_url } = one.text.bundle;
        const box = make("input", { type: "checkbox", id: `purpose-${n}`, value: one.purpose });
        return { box, hash: one.text.hash, label: make("label", { class: "choice", lang: one.text.bundle.locale },
          box, make("span", {}, ...(view.purposes.length > 1 ? [make("b", {}, title)] : []), text,
            make("small", {}, `${sender.name}, ${sender.from_address} · `, link(imprint_url, words.imprint)))) };
      });
      const wrong = make("p", { id: "purpose-wrong", class: "wrong", hidden: true });
      this.fields.purpose = { input: boxes[0].box, wrong };
      this.homepage = make("input", { type: "text", tabindex: "-1", autocomplete: "off" });
      this.said = make("p", { class: "wrong", role: "alert" });
      this.button = make("button", { type: "submit", part: "button" }, words.submit);
      this.boxes = boxes;
      const { withdraw, notice, controller } = view.purposes[0].text.bundle;
      const ask = make("form", { novalidate: true },
        ...lines,
        make("fieldset", {}, make("legend", {}, words.consent), ...boxes.map((one) => one.label), wrong),
        make("div", { class: "away", "aria-hidden": "true" }, make("label", {}, "Homepage ", this.homepage)),
        this.button, this.said,
        make("p", { class: "small" }, withdraw, " ", link(`${base}/notices/${notice}`, words.notice), make("br"),
          [controller.name, controller.postal_address, controller.contact].join(" · ")));
      ask.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
      root.replaceChildren(ask);
    }

    // What was typed into the fallback while this script was on its way.
    takeOver(from) {
      for (const [id, { input }] of Object.entries(this.fields)) {
        const typed = id !== "purpose" && from.querySelector(`[name="${CSS.escape(id)}"]`);
        if (typed) input.value = typed.value;
      }
    }

    mark(problems) {
      let first;
      for (const [id, { input, wrong }] of Object.entries(this.fields)) {
        const text = problems[id] || "";
        wrong.textContent = text;
        wrong.hidden = !text;
        input.toggleAttribute("aria-invalid", false);
        input.removeAttribute("aria-describedby");
        if (!text) continue;
        input.setAttribute("aria-invalid", "true");
        input.setAttribute("aria-describedby", wrong.id);
        first = first || input;
      }
      this.said.textContent = first ? this.words.again : problems[""] || "";
      if (first) first.focus();
      return !first && !problems[""];
    }

    missing() {
      const problems = {};
      const { words } = this;
      for (const [id, { input }] of Object.entries(this.fields)) {
        if (id === "purpose") continue;
        const text = input.value = trimmed(input.value);
        if (input.required && !text) problems[id] = id === "email" ? words.email_missing : words.field_missing;
        else if (!input.validity.valid) problems[id] = id === "email" ? words.email_invalid : words.field_invalid;
      }
      if (!this.boxes.some((one) => one.box.checked)) problems.purpose = words.purpose_missing;
      return problems;
    }

    body() {
      const ticked = this.boxes.filter((one) => one.box.checked);
      const profile = {};
      for (const [id, { input }] of Object.entries(this.fields)) {
        if (id.startsWith("profile.") && input.value) profile[id.slice(8)] = input.value;
      }
      return JSON.stringify({
        email: this.fields.email.input.value,
        purposes: ticked.map((one) => one.box.value),
        texts: ticked.map((one) => one.hash),
        locale: this.view.locale,
        page_url: location.origin + location.pathname,
        profile,
        homepage: this.homepage.value,
        stamp: this.stamp,
      });
    }

    async send() {
      if (this.button.disabled || !this.mark(this.missing())) return;
      this.button.disabled = true;
      try {
        // The gateway takes whoever answers within the second for a robot.
        await pause(Math.max(0, 1200 - (Date.now() - this.shown)));
        const answer = await fetch(`${base}/forms/${form}`, {
          method: "POST", body: this.body(), headers: { "Content-Type": "application/json" },
          credentials: "omit", referrerPolicy: "no-referrer",
        });
        if (answer.status === 202) return this.thank();
        if (answer.status === 422) await this.explain((await answer.json()).errors || []);
        else this.mark({ "": answer.status === 429 ? this.words.later : this.words.away });
      } catch {
        this.mark({ "": this.words.away });
      } finally {
        this.button.disabled = false;
      }
    }

    async explain(errors) {
      const { words } = this;
      const problems = {};
      for (const { pointer } of errors) {
        const [, part, name] = pointer.split("/");
        if (part === "email") problems.email = words.email_invalid;
        else if (part === "purposes") problems.purpose = words.purpose_missing;
        else if (part === "profile" && this.fields[`profile.${name}`]) problems[`profile.${name}`] = words.field_invalid;
        else problems[""] = words.changed;
      }
      if (problems[""]) {
        const typed = Object.entries(this.fields).map(([id, { input }]) => [id, input.value]);
        await this.load();
        for (const [id, value] of typed) {
          if (id !== "purpose" && this.fields[id]) this.fields[id].input.value = value;
        }
      }
      this.mark(problems);
    }

    thank() {
      const { words } = this;
      const thanks = make("div", { class: "thanks", role: "status", tabindex: "-1", part: "thanks" },
        make("p", {}, make("b", {}, words.thanks)), make("p", {}, words.look));
      this.shadowRoot.replaceChildren(thanks);
      thanks.focus();
      this.dispatchEvent(new CustomEvent("consent-form:accepted", { bubbles: true, composed: true }));
    }
  }
  customElements.define(tag, ConsentForm);

  const begin = () => {
    for (const place of document.querySelectorAll(`[data-consent-form="${form}"]`)) {
      const made = document.createElement(tag);
      if (place.dataset.locale) made.setAttribute("locale", place.dataset.locale);
      made.load().then(() => { made.takeOver(place); place.replaceChildren(made); }, () => {});
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
