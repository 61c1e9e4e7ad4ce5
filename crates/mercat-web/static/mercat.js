// The one script of the pages. Everything works without it: it copies commands, shows a run while it goes on,
// and saves a form while it is written. The server draws all HTML; the script only puts it in its place.

const all = (selector, at = document) => at.querySelectorAll(selector);
const byId = (id) => document.getElementById(id);

/** Shows what needs the script. */
function prepare(at) {
  for (const one of all("[data-copy]", at)) one.hidden = !navigator.clipboard;
  for (const one of all("[data-script]", at)) one.hidden = false;
}

/** Puts one element in place of the one with its id; focus and open details stay as they were. */
function replace({ id, html }) {
  const old = byId(id);
  if (!old) return;
  const open = new Map([...all("details[id]", old)].map((one) => [one.id, one.open]));
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = holder.content.firstElementChild;
  for (const one of all("details[id]", fresh)) if (open.has(one.id)) one.open = open.get(one.id);
  prepare(fresh);
  old.replaceWith(fresh);
  // A part with the problems of a field says whether the field is good.
  const field = fresh.dataset.for && byId(fresh.dataset.for);
  if (field) field.setAttribute("aria-invalid", fresh.childElementCount > 0);
  if (focused) byId(focused)?.focus({ preventScroll: true });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const words = button.querySelector("span");
  const before = words.textContent;
  await navigator.clipboard.writeText(button.previousElementSibling.textContent);
  words.textContent = button.dataset.done;
  byId("say").textContent = button.dataset.done;
  setTimeout(() => (words.textContent = before), 2000);
});

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form?.hasAttribute("data-submit")) form.requestSubmit();
});

/** Follows a run. A lost connection is made again by the browser, and every element comes anew then. */
function follow(place) {
  const source = new EventSource(place);
  source.addEventListener("part", (event) => replace(JSON.parse(event.data)));
  source.addEventListener("say", (event) => (byId("say").textContent = event.data));
  source.addEventListener("end", () => source.close());
}

/** Saves a form some time after the last key, and warns when a page with unsaved changes is left. */
function autosave(form) {
  let timer = 0;
  let changed = 0;
  let saved = 0;
  let busy = false;
  let pressed = null;
  const state = byId("save-state");
  const say = (name) => {
    state.textContent = state.dataset[name];
    state.dataset.state = name;
  };

  async function save() {
    clearTimeout(timer);
    if (busy || changed === saved) return;
    busy = true;
    const mark = changed;
    say("saving");
    try {
      const headers = { Accept: "application/json" };
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body: new FormData(form), headers });
      const body = await answer.json();
      for (const [name, value] of Object.entries(body.values ?? {})) {
        const field = form.elements[name];
        if (field) field.value = value;
      }
      for (const part of body.parts ?? []) replace(part);
      if (answer.ok) saved = mark;
      say(answer.ok ? "saved" : "failed");
    } catch {
      say("failed");
    }
    busy = false;
    if (pressed) form.requestSubmit(pressed);
    else if (changed !== mark) timer = setTimeout(save, 800);
  }

  form.addEventListener("input", () => {
    changed += 1;
    say("changed");
    clearTimeout(timer);
    timer = setTimeout(save, 1200);
  });
  // A button that is pressed during a save waits for it: the form would contradict itself.
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    if (busy) {
      pressed = event.submitter;
      event.preventDefault();
      return;
    }
    saved = changed;
  });
  addEventListener("beforeunload", (event) => {
    if (changed !== saved) event.preventDefault();
  });
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      save();
    }
  });
}

prepare(document);
const live = document.querySelector("[data-live]");
if (live) follow(live.dataset.live);
const form = document.querySelector("form[data-autosave]");
if (form) autosave(form);
