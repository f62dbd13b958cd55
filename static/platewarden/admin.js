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

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-upload]")) return;
  event.target.querySelector(".pw-sending").hidden = false;
});

// Django's autocomplete (select2) and the fields of inline tables have no label of their own.
function nameFields() {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    const words = (label ?? headOf(select))?.textContent.trim() || "Search";
    const box = select.nextElementSibling;
    for (const part of box?.querySelectorAll("[role=combobox], [role=searchbox]") ?? []) {
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
