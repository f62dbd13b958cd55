// The API's page: Swagger UI in a layout of ours, mended where it leaves out a keyboard or a name.
(() => {
  const root = document.documentElement;
  const place = document.getElementById("swagger-ui");
  const dress = () => root.classList.toggle("dark-mode", root.dataset.theme === "dark");
  dress();
  document.addEventListener("theme", dress);

  // Its own layout brings a second <main>, and headings that begin at the third level.
  const layout = ({ React }) => function Layout({ getComponent, specSelectors }) {
    const part = (name) => React.createElement(getComponent(name, true));
    if (specSelectors.loadingStatus() !== "success") {
      return React.createElement("div", { className: "swagger-ui" }, part("errors"));
    }
    return React.createElement("div", { className: "swagger-ui" },
      React.createElement(getComponent("SvgAssets")),
      React.createElement("div", { className: "api-head" },
        React.createElement("h2", null, "Requests"), part("AuthorizeBtnContainer")),
      part("errors"), part("operations"), part("Models"));
  };

  // A link within the button that opens an operation: two controls in one place.
  const DeepLink = (_, { React }) => ({ text }) => React.createElement("span", null, text);

  // A real dialog keeps the focus inside, and gives it back to where it came from. One function
  // for all renderings: a new one would make React close and open it at every key.
  let dialog = null;
  const opened = (node) => {
    if (node) (dialog = node).showModal();
    else dialog.close();
  };
  const authorizationPopup = (Original, { React }) => (props) => React.createElement("dialog", {
    ref: opened,
    "aria-label": "Available authorizations",
    onCancel: (event) => {
      event.preventDefault();
      props.authActions.showDefinitions(false);
    },
  }, React.createElement(Original, props));

  const text = (one) => one?.textContent.replace(/\u200b/g, "").trim() || "";
  const NAMES = {
    ".close-modal": () => "Close",
    ".examples-select-element": () => "Example",
    ".body-param__text": () => "Request body",
    ".auth-container input": (one) => `Value: ${text(one.form.querySelector("h4 code"))}`,
    ".responses-table[role=region]": (one) =>
      `Responses: ${text(one.closest(".opblock").querySelector(".opblock-summary-control"))}`,
    ".model-box-control": (one) =>
      [text(one.closest("tr")?.cells[0]), text(one)].filter(Boolean).join(": ") || "Details",
  };
  new MutationObserver(() => {
    for (const [selector, name] of Object.entries(NAMES)) {
      for (const one of place.querySelectorAll(selector)) one.ariaLabel = name(one);
    }
  }).observe(place, { childList: true, subtree: true });

  SwaggerUIBundle({
    url: place.dataset.schema,
    dom_id: "#swagger-ui",
    deepLinking: true,
    syntaxHighlight: false,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "Layout",
    plugins: [(system) => ({
      components: { Layout: layout(system) },
      wrapComponents: { DeepLink, authorizationPopup },
    })],
  });
})();
