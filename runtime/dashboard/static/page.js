// Selecting rows, marks on changed fields, words of a selection, and keys. Everything can
// be done without this file, too.
const $ = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];

// Rows.
const boxes = () => all("tbody .tick input");

function picked() {
  const n = boxes().filter((b) => b.checked).length;
  for (const e of all("[data-picked]")) e.textContent = `${n} selected`;
  for (const e of all("[data-all]")) e.checked = n > 0 && n === boxes().length;
}

addEventListener("change", (e) => {
  if (e.target.matches("[data-all]")) for (const b of boxes()) b.checked = e.target.checked;
  if (e.target.matches("[data-all], .tick input")) picked();
  if (e.target.closest(".bulk") && e.target.name === "which") return;
  if (e.target.name === "fault") {
    const some = $("[name=which][value=some]");
    if (some) some.checked = true;
  }
});

// Changed fields say what they were.
addEventListener("input", (e) => {
  const field = e.target.closest("#edit .field");
  if (!field || e.target.closest(".field .field")?.contains(field)) return;
  mark(e.target, field);
});

function mark(input, field) {
  const before = input.matches("select") ? [...input.options].find((o) => o.defaultSelected)?.value ?? "" : input.defaultValue;
  const changed = input.value !== before;
  field.classList.toggle("new", changed);
  let hint = field.querySelector(":scope > .hint.was");
  if (!changed) return hint?.remove();
  if (!hint) {
    hint = document.createElement("span");
    hint.className = "hint was";
    field.append(hint);
  }
  hint.textContent = before.length > 60 ? "Changed" : `Changed, was ${before || "empty"}`;
}

addEventListener("reset", () => setTimeout(() => all("#edit .field").forEach((f) => f.classList.remove("new"))));

// Words of a selection: those that begin as the word at the cursor does.
const selection = $("#selection");
if (selection) {
  const words = all("#terms option").map((o) => o.value);
  const list = document.createElement("ul");
  list.id = "suggestions";
  list.setAttribute("role", "listbox");
  list.hidden = true;
  selection.after(list);
  selection.setAttribute("role", "combobox");
  selection.setAttribute("aria-controls", list.id);
  selection.setAttribute("aria-expanded", "false");
  let at = -1;

  const word = () => selection.value.slice(0, selection.selectionStart).match(/\S*$/)[0];

  const close = () => {
    list.hidden = true;
    at = -1;
    selection.setAttribute("aria-expanded", "false");
    selection.removeAttribute("aria-activedescendant");
  };

  const take = (text) => {
    const end = selection.selectionStart, begin = end - word().length;
    selection.setRangeText(text, begin, end, "end");
    close();
    selection.focus();
  };

  const suggest = () => {
    const begun = word().replace(/^-/, "");
    const fit = begun ? words.filter((w) => w.startsWith(begun) && w !== begun).slice(0, 8) : [];
    list.replaceChildren(...fit.map((text, i) => {
      const item = document.createElement("li");
      item.id = `suggestion-${i}`;
      item.setAttribute("role", "option");
      item.textContent = text;
      item.addEventListener("mousedown", (e) => { e.preventDefault(); take(text); });
      return item;
    }));
    list.hidden = fit.length === 0;
    selection.setAttribute("aria-expanded", String(!list.hidden));
    at = -1;
  };

  selection.addEventListener("input", suggest);
  selection.addEventListener("blur", close);
  selection.addEventListener("keydown", (e) => {
    if (list.hidden) return;
    const items = [...list.children];
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      at = (at + (e.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
      items.forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
      selection.setAttribute("aria-activedescendant", items[at].id);
    } else if (e.key === "Tab" && !e.shiftKey || e.key === "Enter" && at >= 0) {
      take(items[Math.max(at, 0)].textContent);
    } else if (e.key === "Escape") {
      close();
    } else {
      return;
    }
    e.preventDefault();
  });
}

// Keys.
const pages = { o: "", q: "queues", m: "messages", d: "dead", w: "workers", s: "schedules", p: "deploy", c: "catalogue", h: "history" };
const row = () => document.activeElement?.closest("tbody tr");
let went = 0; // when g was pressed

function move(step) {
  const rows = all("main tbody tr").filter((r) => r.querySelector("a, button, input"));
  const i = row() ? rows.indexOf(row()) + step : step > 0 ? 0 : rows.length - 1;
  (rows[i]?.querySelector("th a, a") ?? rows[i]?.querySelector("button, summary, input"))?.focus();
}

const keys = {
  "/": () => ($("#selection") ?? $("#find input"))?.focus(),
  "?": () => $("#keys").togglePopover(),
  j: () => move(1),
  k: () => move(-1),
  x: () => row()?.querySelector(".tick input")?.click(),
  a: () => $("[data-all]")?.click(),
  "[": () => history.back(),
  "]": () => $("#next")?.click(),
  t: () => $("[data-switch]")?.click(),
};

addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "Escape") {
    all("details.drop[open]").forEach((d) => (d.open = false));
    document.activeElement?.blur();
    return;
  }
  if (e.target.matches("input:not([type=checkbox], [type=radio]), textarea, select")) return;
  const page = Date.now() - went < 1500 ? pages[e.key] : undefined;
  went = e.key === "g" ? Date.now() : 0;
  if (page !== undefined) {
    [...document.querySelectorAll("#nav a")].find((a) => a.dataset.page === page)?.click();
  } else if (/^[RECDP]$/.test(e.key)) {
    (row()?.querySelector(`[data-key=${e.key}]`) ?? $(`main [data-key=${e.key}]`))?.focus();
  } else if (keys[e.key]) {
    keys[e.key]();
  } else {
    return;
  }
  e.preventDefault();
});

// A menu closes when somebody turns to something else.
addEventListener("click", (e) => {
  for (const d of all("details.drop[open]")) if (!d.contains(e.target)) d.open = false;
});
