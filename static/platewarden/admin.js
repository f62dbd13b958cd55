// Small helps in the admin: copy a key that is shown once, say that a file is on its way, and give
// names to fields that the theme leaves without one.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    document.querySelector("[data-copied]").hidden = false;
  } catch {
    document.execCommand("copy"); // without https there is no clipboard but this one
    document.querySelector("[data-copied]").hidden = false;
  }
});

// The answer to an upload comes in pieces: a line per batch, then the report. Shown here as it comes,
// since the theme hides a page until the whole of it has arrived.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-upload]")) return;
  event.preventDefault();
  const status = form.querySelector(".pw-sending");
  const button = form.querySelector("[type=submit]");
  status.hidden = false;
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    const main = contentOf(await readSteps(answer, status));
    if (!main) return location.reload(); // logged out meanwhile
    document.getElementById("content-main").replaceWith(main);
    main.tabIndex = -1;
    main.focus();
  } catch {
    status.textContent = "The connection broke. What was stored until then is stored; try again.";
    button.disabled = false;
  }
});

async function readSteps(answer, status) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let page = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return page;
    page += value;
    const step = page.slice(page.lastIndexOf('<p class="pw-step">'));
    if (step.startsWith("<p")) {
      const parsed = new DOMParser().parseFromString(step, "text/html").querySelector("p");
      status.replaceChildren(...parsed.childNodes);
    }
  }
}

function contentOf(page) {
  return new DOMParser().parseFromString(page, "text/html").getElementById("content-main");
}

// Django's autocomplete (select2) and the fields of inline tables have no label of their own.
function nameFields() {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    const words = (label ?? headOf(select))?.textContent.trim() || "Search";
    const box = select.nextElementSibling;
    for (const part of box?.querySelectorAll("[role]:not([role=presentation])") ?? []) {
      part.removeAttribute("aria-labelledby");
      part.setAttribute("aria-label", words);
    }
  }
  for (const field of document.querySelectorAll("td input, td select, td textarea")) {
    const named = field.labels?.length || field.ariaLabel || field.type === "hidden";
    const words = named ? "" : headOf(field)?.textContent.trim();
    if (words) field.ariaLabel = words;
  }
}

function headOf(field) {
  const cell = field.closest("td");
  return cell?.closest("table")?.querySelectorAll("thead th")[cell.cellIndex];
}

window.addEventListener("load", () => setTimeout(nameFields));
document.addEventListener("formset:added", () => setTimeout(nameFields));
