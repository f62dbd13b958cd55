// The stream on its canvas, the reads and figures beside it. Everything comes from this device.

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const pen = canvas.getContext("2d");
const live = byId("live");
const note = byId("note");

const shown = { picture: null, marks: [], region: [], times: [], stamp: "" };
const wants = { pause: false, marks: true, sound: false };
let connection = null;
let newestRead = null;
let audio = null;

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
};
const make = (tag, cls, ...children) => {
  const one = document.createElement(tag);
  if (cls) one.className = cls;
  one.append(...children);
  return one;
};
const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const tell = (sentence) => { note.hidden = !sentence; set(note, sentence || ""); };
const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour12: false });
const setLive = (on, words) => { live.dataset.state = on ? "on" : "lost"; set(live, words); };

// --- drawing -------------------------------------------------------------------------------------
function place() {
  // where the picture lies on the canvas: whole, in the middle
  const { width, height } = canvas;
  const scale = Math.min(width / shown.picture.width, height / shown.picture.height);
  const w = shown.picture.width * scale;
  const h = shown.picture.height * scale;
  return { x: (width - w) / 2, y: (height - h) / 2, w, h };
}

function path(corners, at) {
  pen.beginPath();
  corners.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](at.x + x * at.w, at.y + y * at.h));
  pen.closePath();
}

function label(mark, at, unit) {
  const xs = mark.quad.map(([x]) => at.x + x * at.w);
  const ys = mark.quad.map(([, y]) => at.y + y * at.h);
  const size = 17 * unit;
  pen.font = `700 ${size}px ui-monospace, "SF Mono", "DejaVu Sans Mono", Consolas, monospace`;
  const wide = pen.measureText(mark.text).width + size * 0.9;
  const high = size * 1.5;
  const above = Math.min(...ys) - high - 6 * unit;
  const y = above > at.y ? above : Math.max(...ys) + 6 * unit;
  const middle = (Math.min(...xs) + Math.max(...xs)) / 2;
  const x = Math.min(Math.max(middle - wide / 2, at.x + 2), at.x + at.w - wide - 2);
  pen.beginPath();
  pen.roundRect(x, y, wide, high, 4 * unit);
  pen.fillStyle = "#fff";
  pen.fill();
  pen.lineWidth = 2 * unit;
  pen.strokeStyle = "#14181d";
  pen.stroke();
  pen.fillStyle = "#0c0f13";
  pen.textBaseline = "middle";
  pen.textAlign = "center";
  pen.fillText(mark.text, x + wide / 2, y + high / 2 + unit);
}

function draw() {
  if (!shown.picture) return;
  const unit = window.devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  const width = Math.round(clientWidth * unit);
  const height = Math.round(clientHeight * unit);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  pen.fillStyle = "#05080d";
  pen.fillRect(0, 0, width, height);
  const at = place();
  pen.imageSmoothingQuality = "high";
  pen.drawImage(shown.picture, at.x, at.y, at.w, at.h);
  if (!wants.marks) return;
  if (shown.region.length > 2) {
    path(shown.region, at);
    pen.setLineDash([8 * unit, 6 * unit]);
    pen.lineWidth = 1.5 * unit;
    pen.strokeStyle = "rgb(255 255 255 / 70%)";
    pen.stroke();
    pen.setLineDash([]);
  }
  for (const mark of shown.marks) {
    path(mark.quad, at);
    pen.lineJoin = "round";
    pen.lineWidth = 5 * unit;
    pen.strokeStyle = "rgb(12 26 54 / 75%)";
    pen.stroke();
    pen.lineWidth = 2.5 * unit;
    pen.strokeStyle = mark.text ? "#ffd34d" : "#9fb6d8";
    pen.stroke();
    if (mark.text) label(mark, at, unit);
  }
}

function rate() {
  const now = performance.now();
  shown.times = shown.times.filter((one) => now - one < 3000);
  const [first] = shown.times;
  return shown.times.length > 1 ? (shown.times.length - 1) / ((now - first) / 1000) : 0;
}

async function show(said, jpeg) {
  const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  if (wants.pause) return;
  shown.picture?.close();
  Object.assign(shown, { picture, marks: said.marks, stamp: said.captured_at });
  shown.times.push(performance.now());
  tell("");
  requestAnimationFrame(draw);
}

// --- the stream ----------------------------------------------------------------------------------
// Each message: bytes of its JSON and of its JPEG (two big-endian numbers), then both.
async function* messages(body) {
  const reader = body.getReader();
  let held = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const more = new Uint8Array(held.length + value.length);
    more.set(held);
    more.set(value, held.length);
    held = more;
    while (held.length >= 8) {
      const view = new DataView(held.buffer, held.byteOffset);
      const [head, picture] = [view.getUint32(0), view.getUint32(4)];
      if (held.length < 8 + head + picture) break;
      const said = JSON.parse(new TextDecoder().decode(held.subarray(8, 8 + head)));
      yield [said, held.subarray(8 + head, 8 + head + picture)];
      held = held.subarray(8 + head + picture);
    }
  }
}

async function watch() {
  connection = new AbortController();
  const answer = await fetch("/stream", { signal: connection.signal });
  if (answer.status === 401) { window.location.assign("/login"); return; }
  if (!answer.ok) {
    const { error } = await answer.json();
    throw new Error(error.sentence);
  }
  let drawing = null;
  for await (const [said, jpeg] of messages(answer.body)) {
    if (jpeg.length === 0) {
      if (!shown.picture) tell("Waiting for a picture");
      else if (rate() === 0) setLive(false, "No new picture");
      continue;
    }
    await drawing; // a picture is drawn before the next: in order, and never a heap of them
    drawing = show(said, jpeg).catch(() => {});
  }
  throw new Error("The agent closed the stream.");
}

async function keepWatching() {
  let pause = 500;
  for (;;) {
    if (wants.pause || document.hidden) { await sleep(200); continue; }
    try {
      await watch();
    } catch (error) {
      const over = error.name === "AbortError";
      if (!over) {
        setLive(false, "Trying again");
        if (!shown.picture) tell(error.message === "Failed to fetch" ? "The agent does not answer." : error.message);
      }
      await sleep(over ? 50 : pause);
      pause = over ? 500 : Math.min(8000, pause * 2);
      continue;
    }
    pause = 500;
  }
}

// --- reads and figures ---------------------------------------------------------------------------
function plate(read) {
  if (!read.text) {
    const words = read.kind === "frame" ? "picture sent" : "crop sent, read at the server";
    return make("span", "plate plate--none", make("span", "plate-text", words));
  }
  const whole = make("span", "plate");
  if (read.country) whole.append(make("span", "plate-band", read.country.slice(0, 2)));
  whole.append(make("span", "plate-text", read.text));
  return whole;
}

function row(read) {
  const line = make("li");
  const picture = read.crop ? make("img", "crop") : make("span", "crop");
  if (read.crop) {
    picture.src = `/reads/${read.number}.jpg`;
    picture.alt = "";
  }
  const what = make("div", "read-line", plate(read));
  if (read.how) {
    line.dataset.how = read.how;
    const words = read.how === "exact" ? "on a watchlist" : "perhaps on a watchlist";
    what.append(make("span", "badge", icon("flag"), words));
  }
  const when = make("time", "", clock(read.captured_at));
  when.dateTime = read.captured_at;
  const below = make("div", "read-line", when);
  if (read.score !== null) {
    const meter = document.createElement("meter");
    Object.assign(meter, { min: 0, max: 1, low: 0.7, optimum: 1, value: read.score });
    meter.setAttribute("aria-label", "Score");
    const percent = make("span", "num", `${Math.round(100 * read.score)} %`);
    below.append(make("span", "score", meter, percent));
  }
  line.append(picture, make("div", "", what, below));
  if (newestRead !== null && read.number > newestRead) line.className = "fresh";
  return line;
}

function showReads(reads) {
  const newest = reads.length ? reads[0].number : 0;
  if (newest === newestRead) return;
  byId("reads").replaceChildren(...reads.map(row));
  byId("no-reads").hidden = reads.length > 0;
  if (newestRead !== null) {
    const hits = reads.filter((one) => one.number > newestRead && one.how);
    if (hits.length) {
      const [{ text, how }] = hits;
      byId("announce").textContent = `${text} stands ${how === "exact" ? "" : "perhaps "}on a watchlist`;
      if (wants.sound) sound();
    }
  }
  newestRead = newest;
}

function showTiles(tiles) {
  const list = byId("tiles");
  if (list.children.length !== tiles.length) {
    list.replaceChildren(...tiles.map(() => make(
      "li", "tile",
      make("span", "tile-label"), make("span", "tile-value"), make("span", "tile-note"),
    )));
  }
  tiles.forEach((tile, i) => {
    const one = list.children[i];
    if (one.dataset.tone !== tile.tone) one.dataset.tone = tile.tone;
    [tile.label, tile.value, tile.note].forEach((text, j) => set(one.children[j], text));
  });
}

function showTroubles(troubles) {
  const all = JSON.stringify(troubles);
  const list = byId("troubles");
  if (list.dataset.shown === all) return;
  list.dataset.shown = all;
  list.replaceChildren(...troubles.map(({ title, sentence }) => make(
    "p", "notice", icon("warning"), make("span", "", make("strong", "", `${title}: `), sentence),
  )));
}

function showFacts(facts) {
  byId("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => {
    const head = make("th", "", name.replaceAll("_", " "));
    head.scope = "row";
    return make("tr", "", head, make("td", "num", String(value)));
  }));
}

function caption(stream) {
  if (wants.pause) { set(byId("caption"), `Paused at ${clock(shown.stamp || Date.now())}`); return; }
  if (!shown.stamp) return;
  const frames = rate().toFixed(rate() < 9.95 ? 1 : 0);
  set(byId("caption"), `${clock(shown.stamp)} · ${frames} pictures/s · ${stream.waiting_ms} ms buffered`);
  if (rate() > 0) setLive(true, "Live");
}

async function keepAsking() {
  for (;;) {
    try {
      const answer = await fetch("/state");
      if (answer.status === 401) { window.location.assign("/login"); return; }
      const state = await answer.json();
      shown.region = state.region;
      showReads(state.reads);
      showTiles(state.tiles);
      showTroubles(state.troubles);
      if (document.querySelector(".figures").open) showFacts(state.facts);
      caption(state.stream);
    } catch {
      setLive(false, "The agent does not answer");
    }
    await sleep(document.hidden ? 5000 : 1000);
  }
}

// --- buttons and keys ----------------------------------------------------------------------------
function sound() {
  if (!audio) return;
  [0, 0.18].forEach((after) => {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = 880;
    volume.gain.value = 0.15;
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + after);
    tone.stop(audio.currentTime + after + 0.12);
  });
}

const press = (id, on) => byId(id).setAttribute("aria-pressed", String(on));
const acts = {
  pause() {
    wants.pause = !wants.pause;
    press("pause", wants.pause);
    if (wants.pause) {
      connection?.abort();
      setLive(false, "Paused");
      set(byId("caption"), `Paused at ${clock(shown.stamp || Date.now())}`);
    } else {
      shown.times = [];
      setLive(false, "Connecting");
    }
  },
  marks() {
    wants.marks = !wants.marks;
    press("marks", wants.marks);
    draw();
  },
  sound() {
    wants.sound = !wants.sound;
    audio ??= new AudioContext();
    press("sound", wants.sound);
    if (wants.sound) sound();
  },
  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else byId("screen").requestFullscreen?.();
  },
  keys() { byId("help").showModal(); },
};
const KEYS = { p: "pause", m: "marks", s: "sound", f: "full", "?": "keys" };

for (const id of Object.keys(acts)) byId(id).addEventListener("click", acts[id]);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const act = acts[KEYS[event.key]];
  if (act && byId("use-keys").checked) { event.preventDefault(); act(); }
});
byId("use-keys").checked = localStorage.getItem("keys") !== "off";
byId("use-keys").addEventListener("change", ({ target }) => {
  localStorage.setItem("keys", target.checked ? "on" : "off");
});
document.addEventListener("visibilitychange", () => { if (document.hidden) connection?.abort(); });
new ResizeObserver(draw).observe(canvas);

keepWatching();
keepAsking();
