// Keeps a page up to date, with htmx: the server sends it again when it has changed. What
// somebody reads, selects or edits is not moved under their hands.
const app = document.getElementById("app");
const main = () => document.getElementById("main");
let missed = null; // the connection, if something was not shown

// Folds stay as they were opened or closed.
htmx.registerExtension("dtask", {
  htmx_before_morph_attr: (node, detail) => !(detail.attrName === "open" && node.matches("details")),
});

const rows = (root) => [...root.querySelectorAll("tbody tr[id]")].map((r) => r.id).join(" ");

// held says why a new page is not to be shown now, or returns "".
function held(text) {
  const active = document.activeElement;
  if (main().querySelector("tbody :checked")) return "held: rows are selected";
  if (active && main().contains(active) && active.matches("input, textarea, select")) return "held: you type";
  if (main().querySelector(".field.new")) return "held: changes are not saved";
  if (main().querySelector("details.drop[open]")) return "held: a menu is open";
  if (!main().querySelector("tbody tr:hover")) return "";
  const next = new DOMParser().parseFromString(text, "text/html");
  return rows(next) === rows(main()) ? "" : "held: the pointer is on a row";
}

function say(text, away) {
  const live = document.getElementById("live");
  live.textContent = text;
  live.classList.toggle("away", away);
}

app.addEventListener("htmx:sse:before:message", (e) => {
  const why = held(e.detail.message.data);
  missed = why ? e.detail.connection : null;
  if (!why) return;
  e.detail.cancelled = true;
  say(why, false);
});

// A page that is left lets go of its connection at once. The browser may keep the page, for
// the way back, and has only six connections for all of them.
let connection = null;
app.addEventListener("htmx:sse:before:connection", (e) => (connection = e.detail.connection));
addEventListener("pagehide", () => {
  if (connection?.reader) connection.reader.cancel();
  else connection?.abortController.abort();
});
addEventListener("pageshow", (e) => e.persisted && location.reload());

// When nothing holds the page any more, it is asked for again.
setInterval(() => {
  if (!missed || held("")) return;
  const connection = missed;
  missed = null;
  connection.reader?.cancel();
}, 500);

app.addEventListener("htmx:sse:error", () => say("the server is away", true));
app.addEventListener("htmx:sse:after:message", () => document.dispatchEvent(new Event("dtask:shown")));
