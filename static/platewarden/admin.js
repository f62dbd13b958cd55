// Two small helps in the admin: copy a key that is shown once, and say that a file is on its way.
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
