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
    const written = "select, textarea, input:not([type=checkbox], [type=radio])";
    if (event.target.closest(`${written}, dialog[open]`) && event.key !== "?") return;
    if (event.target.closest(written)) return;
    if (event.key === "?") {
      document.getElementById("help")?.showModal();
      return;
    }
    const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (!target || target.disabled) return;
    event.preventDefault();
    if (target.matches("select, textarea, input:not([type=checkbox], [type=radio])")) {
      target.focus();
    } else {
      target.focus();
      target.click();
    }
  });

  // --- deciding: a figure chooses the reason, Enter decides
  const choosable = (select) => [...select.options].filter((option) =>
    option.value && !option.disabled && !option.parentElement.disabled);
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches("select[data-digits]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") {
      event.preventDefault();
      event.target.form.requestSubmit();
    } else if (/^[0-9]$/.test(event.key) && shortcutsOn()) {
      const option = choosable(event.target)[(Number(event.key) + 9) % 10];
      if (!option) return;
      event.preventDefault();
      event.target.value = option.value;
      event.target.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
  // the same box stands in several forms
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.mirrors;
    if (!name) return;
    document.querySelectorAll(`[data-mirrors="${CSS.escape(name)}"]`).forEach((box) => {
      box.checked = event.target.checked;
    });
  });

  // --- many at once: tick as many as one page takes, go from case to case
  const MOST_TICKED = 20;
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.checkAll;
    if (!name) return;
    document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`).forEach((box, nth) => {
      box.checked = event.target.checked && nth < MOST_TICKED;
    });
  });
  const fitReasons = (form) => {
    const chosen = form.querySelector("[data-reasons]:checked")?.dataset.reasons;
    const select = form.querySelector("select[data-digits]");
    form.querySelectorAll("optgroup[data-for]").forEach((group) => {
      group.disabled = Boolean(chosen) && group.dataset.for !== chosen;
    });
    if (select.selectedOptions[0]?.parentElement.disabled) select.value = "";
    return select;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-reasons]")) fitReasons(event.target.form).focus();
  });
  document.addEventListener("keydown", (event) => {
    const form = document.querySelector("[data-together]");
    if (!form || !shortcutsOn() || !["j", "k"].includes(event.key)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("select, textarea, input:not([type=checkbox], [type=radio])")) return;
    const boxes = [...form.querySelectorAll("input[type=checkbox][name=case]")];
    const at = boxes.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1);
    const next = boxes[Math.max(0, Math.min(boxes.length - 1, at))];
    next?.focus();
    next?.closest("li").scrollIntoView({ block: "nearest" });
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

  const ready = (root) => {
    fitAll(root);
    fitPictures(root);
    root.querySelectorAll?.("[data-together]").forEach(fitReasons);
  };
  document.body.addEventListener("htmx:load", (event) => ready(event.detail.elt));
  ready(document);
  showShortcuts();
})();
