// Server-sent events carry ids; what they mean is fetched here, gathered, so that a busy site
// costs one request every half second and not one per vehicle.
(() => {
  if (!document.body.hasAttribute("data-live") || !window.EventSource) return;
  const { remembered, remember, toast } = window.platewarden;
  const state = document.getElementById("live-state");
  const waiting = { read: new Set(), alert: new Set() };
  const rung = new Set();
  const FIGURES_MS = 5000;
  let timer = 0;

  const say = (name, words) => {
    if (!state) return;
    state.dataset.state = name;
    state.textContent = words;
  };

  // our own fetch, since htmx keeps only the last request of an element that is still waiting
  const fetchInto = async (url, target, how) => {
    const answer = await fetch(url, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (answer.headers.has("HX-Redirect")) location.assign(answer.headers.get("HX-Redirect"));
    if (!answer.ok || answer.status === 204) return;
    if (document.contains(target)) htmx.swap(target, await answer.text(), { swapStyle: how, swapDelay: 0, settleDelay: 0 });
  };

  // --- the feed of reads
  const feed = document.querySelector("[data-feed]");
  const more = document.querySelector("[data-feed-more]");
  const pause = document.querySelector("[data-feed-pause]");
  const paused = () => pause?.getAttribute("aria-pressed") === "true";
  const known = () => [...feed.querySelectorAll("[data-read]")].map((row) => row.dataset.read);
  const fetchReads = async (query) => {
    await fetchInto(`${feed.dataset.feed}?${query}&site=${feed.dataset.site}`, feed, "afterbegin");
    const rows = feed.querySelectorAll("[data-read]");
    for (let at = Number(feed.dataset.most); at < rows.length; at += 1) rows[at].remove();
    feed.parentElement.querySelector("[data-feed-empty]")?.toggleAttribute("hidden", rows.length > 0);
  };
  const flushReads = () => {
    if (!feed || waiting.read.size === 0) return;
    if (paused()) {
      more.hidden = false;
      more.textContent = `${waiting.read.size} new – show`;
      return;
    }
    const fresh = new Set(known());
    const ids = [...waiting.read].filter((id) => !fresh.has(id)).slice(-Number(feed.dataset.most));
    waiting.read.clear();
    if (more) more.hidden = true;
    if (ids.length) fetchReads(ids.map((id) => `id=${id}`).join("&"));
  };
  pause?.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!paused()));
    flushReads();
  });
  more?.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", "false");
    flushReads();
  });
  const refreshVerdicts = () => {
    if (!feed) return;
    const open = [...feed.querySelectorAll("[data-unsettled]")].slice(0, 50);
    const ids = open.map((cell) => `id=${cell.dataset.unsettled}`);
    if (ids.length) fetchInto(`${feed.dataset.verdicts}?${ids.join("&")}`, feed, "none");
  };

  // --- alerts: on their page a row, everywhere a word; a sound only for who asked for it
  const alerts = document.querySelector("[data-alerts]");
  const soundOn = () => remembered("sound") === "on";
  let audio = null;
  const chime = () => {
    if (!soundOn()) return;
    audio = audio || new AudioContext();
    [660, 880].forEach((pitch, nth) => {
      const tone = audio.createOscillator();
      const level = audio.createGain();
      const at = audio.currentTime + nth * 0.18;
      tone.frequency.value = pitch;
      level.gain.setValueAtTime(0.0001, at);
      level.gain.exponentialRampToValueAtTime(0.2, at + 0.02);
      level.gain.exponentialRampToValueAtTime(0.0001, at + 0.16);
      tone.connect(level).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.18);
    });
  };
  document.querySelectorAll("[data-sound-toggle]").forEach((button) => {
    button.setAttribute("aria-pressed", String(soundOn()));
    button.addEventListener("click", () => {
      remember("sound", soundOn() ? "off" : "on");
      button.setAttribute("aria-pressed", String(soundOn()));
      chime();
    });
  });
  const rowsUrl = document.body.dataset.alertRows;
  const flushAlerts = async () => {
    if (waiting.alert.size === 0 || !rowsUrl) return;
    const ids = [...waiting.alert];
    waiting.alert.clear();
    const answer = await fetch(`${rowsUrl}?${ids.map((id) => `id=${id}`).join("&")}`,
      { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (!answer.ok || answer.status === 204) return;
    const rows = await answer.text();
    // an alert that was acknowledged meanwhile, here or on another screen, is not among the rows
    ids.forEach((id) => alerts?.querySelector(`[data-alert="${id}"]`)?.remove());
    const fresh = ids.filter((id) => rows.includes(`data-alert="${id}"`) && !rung.has(id));
    if (alerts) {
      htmx.swap(alerts, rows, { swapStyle: "afterbegin", swapDelay: 0, settleDelay: 0 });
      document.querySelector("[data-alerts-empty]")?.toggleAttribute("hidden", alerts.children.length > 0);
    }
    if (fresh.length === 0) return;
    fresh.forEach((id) => rung.add(id));
    chime();
    const words = fresh.length === 1 ? "New watchlist alert" : `${fresh.length} new watchlist alerts`;
    const status = document.getElementById("alerts-status");
    if (status) status.textContent = words;
    else toast(words, { href: document.body.dataset.alertsUrl, label: "Open alerts", kind: "alert" });
  };

  // --- the figures: every few seconds at most, and always once more after the last change
  let figuresTimer = 0;
  let figuresAt = 0;
  const refreshFigures = () => {
    if (figuresTimer) return;
    figuresTimer = window.setTimeout(() => {
      figuresTimer = 0;
      figuresAt = Date.now();
      htmx.trigger(document.body, "live-figures");
    }, Math.max(0, figuresAt + FIGURES_MS - Date.now()));
  };

  const changed = new Set();
  const flush = () => {
    timer = 0;
    flushReads();
    if (changed.has("verdict")) refreshVerdicts();
    flushAlerts();
    refreshFigures();
    changed.forEach((kind) => htmx.trigger(document.body, `live-${kind}`));
    if (changed.has("case")) document.getElementById("cases-new")?.removeAttribute("hidden");
    if (changed.has("alert") || changed.has("case")) htmx.trigger(document.body, "live-counts");
    changed.clear();
  };
  const note = (kind, id) => {
    if (kind in waiting) waiting[kind].add(id);
    changed.add(kind);
    if (!timer) timer = window.setTimeout(flush, 400);
  };

  const resync = () => {
    htmx.trigger(document.body, "live-counts");
    refreshFigures();
    if (feed && !paused()) fetchReads(`latest=1&${known().map((id) => `known=${id}`).join("&")}`);
    if (alerts) htmx.trigger(document.body, "live-resync");
    refreshVerdicts();
  };

  let source = null;
  let wait = 1000;
  const connect = () => {
    source = new EventSource(document.body.dataset.live);
    source.addEventListener("hello", () => {
      wait = 1000;
      say("on", "Live");
      resync();
    });
    source.addEventListener("resync", resync);
    for (const kind of ["read", "verdict", "alert", "case", "camera"]) {
      source.addEventListener(kind, (event) => note(kind, event.data));
    }
    source.addEventListener("bye", () => {
      source.close();
      say("lost", "Logged out");
      toast("Your session has ended.", { href: location.pathname, label: "Log in" });
    });
    source.onerror = () => {
      say("lost", "Reconnecting…");
      if (source.readyState !== EventSource.CLOSED) return;
      window.setTimeout(connect, wait);
      wait = Math.min(wait * 2, 30000);
    };
  };
  connect();
  window.addEventListener("pagehide", () => source.close());
})();
