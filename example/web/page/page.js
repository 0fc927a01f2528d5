// While tasks are pending, the page asks for its state again and again; the
// state comes as HTML. A file that is chosen or dropped is uploaded at once.
const state = document.getElementById("state");
let shown = "";

async function look() {
  try {
    const answer = await fetch("/state");
    const html = await answer.text();
    if (answer.ok && html !== shown) {
      state.innerHTML = shown = html;
    }
  } catch {
    // The page is being restarted: it will answer again.
  }
  lookAgain();
}

function lookAgain() {
  if (state.querySelector("[data-pending]")) {
    setTimeout(look, 500);
  }
}

const upload = document.getElementById("upload");
upload.addEventListener("change", () => {
  upload.classList.add("busy");
  upload.submit();
});
for (const event of ["dragenter", "dragover"]) {
  upload.addEventListener(event, () => upload.classList.add("over"));
}
for (const event of ["dragleave", "drop"]) {
  upload.addEventListener(event, () => upload.classList.remove("over"));
}

lookAgain();
// What was mended in the dashboard is seen by who comes back.
addEventListener("focus", look);
