"use strict";
// Makes the form of <consent-form-NAME>, and of <div data-consent-form="NAME">, whenever one appears. What
// stands inside is the fallback: it stays where this script, the gateway or the browser cannot do it. Sets no
// cookie, asks nobody else. A second copy of this script does nothing.
(() => {
  const settings = /*settings*/;
  const { base, form, css } = settings;
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
  const hints = { first_name: "given-name", last_name: "family-name", company: "organization" };

  class ConsentForm extends HTMLElement {
    connectedCallback() {
      // Moved, or shown once more by a framework: the form, and what was typed, is there.
      if (!this.asked) this.begin(this).catch(() => {});
    }

    // The page says language and hidden answers at *place*; what was typed into its fallback is kept.
    async begin(place) {
      this.asked = true;
      this.place = place;
      try {
        await this.load();
      } catch (error) {
        this.asked = false;
        throw error;
      }
      for (const { id, set } of this.fields) {
        // A tick is for the wording beside it, which may be another now.
        if (id === "purpose") continue;
        const typed = [...place.querySelectorAll(`[name="${CSS.escape(id)}"]`)];
        const ticks = typed.some((one) => one.type === "checkbox");
        const values = typed.filter((one) => !ticks || one.checked).map((one) => one.value).filter(Boolean);
        if (values.length) set(values);
      }
    }

    async load() {
      const { place } = this;
      const locale = place.dataset.locale || this.getAttribute("locale") || document.documentElement.lang || navigator.language;
      const answer = await fetch(`${base}/forms/${form}.json?words=1&locale=${encodeURIComponent(locale)}`, {
        credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store",
      });
      if (!answer.ok) throw new Error(answer.status);
      this.stamp = answer.headers.get("Consent-Stamp");
      this.view = await answer.json();
      this.words = this.view.words;
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
      this.fields = [];
      const email = { name: "email", kind: "email", label: words.email, required: true, max_length: 254 };
      const lines = [...view.fields, email].map((one) => this.line(one)).filter(Boolean);
      const boxes = view.purposes.map((one, n) => {
        const { title, text, sender, imprint_url } = one.text.bundle;
        const box = make("input", { type: "checkbox", id: `purpose-${n}`, value: one.purpose });
        return { box, hash: one.text.hash, label: make("label", { class: "choice", lang: one.text.bundle.locale },
          box, make("span", {}, ...(view.purposes.length > 1 ? [make("b", {}, title)] : []), text,
            make("small", {}, `${sender.name}, ${sender.from_address} · `, link(imprint_url, words.imprint)))) };
      });
      const wrong = make("p", { id: "purpose-wrong", class: "wrong", hidden: true });
      this.fields.push({
        id: "purpose", at: boxes[0].box, marks: [boxes[0].box], wrong, help: "",
        get: () => boxes.filter((one) => one.box.checked).map((one) => one.box.value),
        set: (ticked) => boxes.forEach(({ box }) => { box.checked = ticked.includes(box.value); }),
        flaw: (ticked) => ticked.length ? "" : words.purpose_missing,
      });
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

    // One question: what is shown for it, and in this.fields how it is read, filled in and marked.
    line({ name, kind, label, help, required, max_length, options, min, max, step, range }) {
      const { words, place } = this;
      const id = kind === "email" ? kind : `profile.${name}`;
      const several = kind === "multiple_choice";
      const ticks = several || kind === "checkbox";
      const field = { id };
      this.fields.push(field);
      if (kind === "hidden") {
        const said = place.getAttribute(`data-profile-${name}`);
        const offered = options.map((one) => one.value);
        let value = offered.includes(said) ? said : offered[0];
        field.get = () => value;
        field.set = ([wanted]) => { if (offered.includes(wanted)) value = wanted; };
        return null;
      }
      const wrong = field.wrong = make("p", { id: `${id}-wrong`, class: "wrong", hidden: true });
      const hint = help ? [make("p", { id: `${id}-help`, class: "small" }, help)] : [];
      field.help = help ? `${id}-help` : "";
      const named = [label, ...(required ? [] : [" ", make("span", {}, `(${words.optional})`)])];
      const option = (value, text) => make("option", { value }, text);
      const box = (value, at, ...text) => make("label", { class: "choice" },
        make("input", { type: "checkbox", id: at, value }), make("span", {}, ...text));
      let shown;
      if (several) {
        shown = make("fieldset", { class: "line", id, tabindex: "-1" }, make("legend", {}, ...named), ...hint,
          ...options.map((one, n) => box(one.value, `${id}-${n}`, one.label)), wrong);
      } else if (ticks) {
        shown = make("div", { class: "line" }, box("yes", id, ...named), ...hint, wrong);
      } else {
        const choice = kind === "choice";
        const typed = choice
          ? make("select", { id, part: "input", required }, option("", required ? words.choose : "–"),
            ...options.map((one) => option(one.value, one.label)))
          : make("input", {
            id, part: "input", type: kind, required, maxlength: max_length,
            min: min || false, max: max || false, step: step || false,
            inputmode: kind === "number" ? (step === "1" ? "numeric" : "decimal") : false,
            autocomplete: kind === "email" ? kind : hints[name] || "off", autocapitalize: kind === "email" && "none",
          });
        shown = make("div", { class: "line" }, make("label", { for: id }, ...named), typed, ...hint, wrong);
      }
      const inputs = [...shown.querySelectorAll("input,select")];
      const [first] = inputs;
      field.at = first;
      field.marks = several ? [shown] : inputs;
      if (help) field.marks[0].setAttribute("aria-describedby", field.help);
      field.set = (values) => inputs.forEach((one) => {
        if (ticks) one.checked = values.includes(one.value);
        else one.value = values[0];
      });
      field.get = () => {
        const chosen = inputs.filter((one) => one.checked).map((one) => one.value);
        if (several) return chosen;
        if (ticks) return chosen[0] || "";
        if (kind === "text" || kind === "email") first.value = trimmed(first.value);
        return first.value;
      };
      field.flaw = (value) => {
        const state = first.validity;
        if (state.rangeUnderflow || state.rangeOverflow) return words.range.replace("%(range)s", range);
        if (state.badInput || state.stepMismatch) return words[kind] || words.field_invalid;
        if (!ticks && !state.valid && value) return words[`${kind}_invalid`] || words.field_invalid;
        return required && !value.length ? words[`${kind}_missing`] || words.field_missing : "";
      };
      return shown;
    }

    mark(problems) {
      let first;
      for (const { id, at, marks, wrong, help } of this.fields) {
        if (!wrong) continue;
        const text = problems[id] || "";
        wrong.textContent = text;
        wrong.hidden = !text;
        for (const one of marks) {
          one.toggleAttribute("aria-invalid", false);
          if (text && one.tagName !== "FIELDSET") one.setAttribute("aria-invalid", "true");
          const about = [text && wrong.id, help].filter(Boolean).join(" ");
          if (about) one.setAttribute("aria-describedby", about);
          else one.removeAttribute("aria-describedby");
        }
        if (text) first = first || at;
      }
      this.said.textContent = first ? this.words.again : problems[""] || "";
      if (first) first.focus();
      return !first && !problems[""];
    }

    missing() {
      const problems = {};
      for (const { id, get, flaw } of this.fields) problems[id] = flaw && flaw(get());
      return problems;
    }

    body() {
      const said = Object.fromEntries(this.fields.map(({ id, get }) => [id, get()]));
      const profile = {};
      for (const [id, value] of Object.entries(said)) {
        if (id.startsWith("profile.") && value.length) profile[id.slice(8)] = value;
      }
      return JSON.stringify({
        email: said.email,
        purposes: said.purpose,
        texts: this.boxes.filter((one) => one.box.checked).map((one) => one.hash),
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
        else if (part === "profile" && this.fields.some((one) => one.id === `profile.${name}`)) problems[`profile.${name}`] = words.field_invalid;
        else problems[""] = words.changed;
      }
      if (problems[""]) {
        const typed = this.fields.map(({ id, get }) => [id, [get()].flat()]);
        await this.load();
        // Who ticked another wording ticks this one anew.
        for (const { id, set } of this.fields) {
          const [, values] = typed.find((one) => one[0] === id) || [];
          if (values && id !== "purpose") set(values);
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

  const seen = new WeakSet();
  const begin = (places) => {
    for (const place of places) {
      if (seen.has(place)) continue;
      seen.add(place);
      const made = document.createElement(tag);
      // By its place, which has the fallback.
      made.asked = true;
      made.begin(place).then(() => place.replaceChildren(made), () => seen.delete(place));
    }
  };
  const wanted = `[data-consent-form="${form}"]`;
  const start = () => {
    begin(document.querySelectorAll(wanted));
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) {
        for (const one of addedNodes) {
          if (one.matches) begin(one.matches(wanted) ? [one] : one.querySelectorAll(wanted));
        }
      }
    }).observe(document, { childList: true, subtree: true });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
