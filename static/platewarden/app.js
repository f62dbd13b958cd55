// The frame: menu, dialogs, toasts, keyboard shortcuts, pictures' overlays.
(() => {
  const remembered = (name) => {
    try { return localStorage.getItem(name); } catch { return null; }
  };
  const remember = (name, value) => {
    try { localStorage.setItem(name, value); } catch { /* private mode */ }
  };
  window.platewarden = { remembered, remember };

  // --- menu on narrow screens
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".menu-button");
    if (!button) return;
    const body = document.getElementById(button.getAttribute("aria-controls"));
    const open = body.toggleAttribute("data-open");
    button.setAttribute("aria-expanded", String(open));
  });

  // --- dialogs: the purpose dialog is filled by the server, the help dialog stands in the page
  document.body.addEventListener("dialog-open", () => {
    const dialog = document.getElementById("dialog");
    if (dialog && !dialog.open) dialog.showModal();
    dialog?.querySelector("[data-autofocus]")?.focus();
  });
  // the button that had the focus is gone: give it to the plate it opened
  document.body.addEventListener("plate-shown", (event) => {
    document.getElementById("dialog")?.close();
    document.getElementById(event.detail.slot)?.querySelector(".plate")?.focus();
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
    if (event.target.matches("dialog")) event.target.close();
  });

  // a case reference is asked for only where the purpose demands one
  const fitReference = (form) => {
    const chosen = form.querySelector("[name=purpose]:checked, select[name=purpose]");
    const option = chosen?.selectedOptions ? chosen.selectedOptions[0] : chosen;
    const field = form.querySelector("[data-case-ref]");
    if (!field) return;
    const needed = option?.hasAttribute("data-needs-case") ?? false;
    field.hidden = !needed;
    field.querySelector("input").required = needed;
  };
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-purpose-form]");
    if (form) fitReference(form);
  });
  const fitAll = (root) => root.querySelectorAll?.("[data-purpose-form]").forEach(fitReference);

  // --- toasts
  window.platewarden.toast = (text, { href, label, kind } = {}) => {
    const toasts = document.getElementById("toasts");
    if (!toasts) return;
    const toast = document.createElement("div");
    toast.className = kind === "alert" ? "toast toast--alert" : "toast";
    const words = document.createElement("p");
    words.textContent = text;
    toast.append(words);
    if (href) {
      const link = document.createElement("a");
      link.href = href;
      link.className = "btn btn--small";
      link.textContent = label || "Open";
      toast.append(link);
    }
    const close = document.createElement("button");
    close.type = "button";
    close.className = "btn btn--small btn--quiet";
    close.textContent = "Dismiss";
    close.addEventListener("click", () => toast.remove());
    toast.append(close);
    toasts.prepend(toast);
    while (toasts.children.length > 4) toasts.lastElementChild.remove();
  };
  document.body.addEventListener("htmx:responseError", (event) => {
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText || "", "text/html");
    const words = page.querySelector("[data-sentence]")?.textContent?.trim();
    window.platewarden.toast(words || "That did not work. Reload the page and try again.");
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.body.addEventListener(name, () =>
      window.platewarden.toast("The server can't be reached. Check the connection."));
  }

  // --- keyboard shortcuts: single keys, so they can be turned off (WCAG 2.1.4)
  const shortcutsOn = () => remembered("shortcuts") !== "off";
  const showShortcuts = () => {
    document.querySelectorAll("[data-shortcuts-toggle]").forEach((box) => { box.checked = shortcutsOn(); });
    document.documentElement.toggleAttribute("data-no-shortcuts", !shortcutsOn());
  };
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-shortcuts-toggle]")) return;
    remember("shortcuts", event.target.checked ? "on" : "off");
    showShortcuts();
  });
  document.addEventListener("keydown", (event) => {
    if (!shortcutsOn() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input, select, textarea, dialog[open]") && event.key !== "?") return;
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === "?") {
      document.getElementById("help")?.showModal();
      return;
    }
    const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (!target || target.disabled) return;
    event.preventDefault();
    if (target.matches("select, input, textarea, fieldset")) {
      (target.matches("fieldset") ? target.querySelector("input") : target).focus();
    } else {
      target.focus();
      target.click();
    }
  });

  // --- the plate's four corners over its picture, in the picture's own pixels
  const fitQuad = (image) => {
    const overlay = image.parentElement.querySelector("svg");
    if (overlay && image.naturalWidth) {
      overlay.setAttribute("viewBox", `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
      overlay.removeAttribute("hidden");
    }
  };
  const fitPictures = (root) => root.querySelectorAll?.(".shot img").forEach((image) => {
    if (image.complete) fitQuad(image);
    else image.addEventListener("load", () => fitQuad(image), { once: true });
    image.addEventListener("error", () => {
      image.parentElement.classList.add("shot--missing");
      image.replaceWith("This picture is no longer kept.");
    }, { once: true });
  });

  const ready = (root) => { fitAll(root); fitPictures(root); };
  document.body.addEventListener("htmx:load", (event) => ready(event.detail.elt));
  ready(document);
  showShortcuts();
})();
