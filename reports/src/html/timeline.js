// Shows a part of the timeline. Each lane is drawn whole, so that to zoom is to
// look at a part of the drawing. Without it, the whole run is shown.
const timeline = document.querySelector(".timeline");
if (timeline) {
  const span = Number(timeline.dataset.span), unit = Number(timeline.dataset.unit);
  const lanes = timeline.querySelectorAll("svg.lane");
  const axis = timeline.querySelector(".axis");
  const shown = document.querySelector(".zoom output");
  // A part that is smaller than this has nothing more to show.
  const least = Math.max(span / 5000, 20);
  const steps = [1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8].concat(
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]
      .map((seconds) => seconds * 1e9));
  let from = 0, to = span;

  // An instant as the report has it: hours, minutes and seconds.
  function clock(ns) {
    const ms = Math.round(ns / 1e6);
    const two = (number) => String(number).padStart(2, "0");
    const rest = ms % 1000 ? `.${String(ms % 1000).padStart(3, "0")}` : "";
    const seconds = Math.floor(ms / 1000);
    return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${rest}`;
  }

  function look(first, last) {
    const width = Math.min(span, Math.max(least, last - first));
    from = Math.min(Math.max(0, first), span - width);
    to = from + width;
    for (const lane of lanes) lane.setAttribute("viewBox", `${from} 0 ${width} 100`);
    const room = Math.max(2, Math.floor(axis.clientWidth / 110));
    const step = steps.find((ns) => (width * unit) / ns <= room) ?? 864e11;
    axis.replaceChildren();
    for (let at = Math.ceil((from * unit) / step) * step; at <= to * unit; at += step) {
      const label = document.createElement("span");
      label.textContent = clock(at);
      label.style.left = `${(100 * (at / unit - from)) / width}%`;
      axis.append(label);
    }
    shown.textContent = width === span ? "" : `${clock(from * unit)} ─ ${clock(to * unit)}`;
  }
  const zoom = (factor, around = (from + to) / 2) =>
    look(around - (around - from) * factor, around + (to - around) * factor);
  const move = (share) => look(from + (to - from) * share, to + (to - from) * share);
  const ways = {
    in: () => zoom(0.5), out: () => zoom(2), whole: () => look(0, span),
    left: () => move(-0.25), right: () => move(0.25),
  };

  for (const button of document.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => ways[button.dataset.zoom]());
  document.querySelector(".zoom select")?.addEventListener("change", (event) => {
    const [first, width] = event.target.value.split(" ").map(Number);
    if (width === undefined) return ways.whole();
    // With something around it, to see what was before and what came of it.
    const around = Math.max(width / 4, span / 50);
    look(first - around, first + width + around);
  });
  timeline.addEventListener("keydown", (event) => {
    const keys = { "+": "in", "=": "in", "-": "out", "0": "whole", Home: "whole", ArrowLeft: "left", ArrowRight: "right" };
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    ways[keys[event.key]]();
  });

  // Where on the axis the pointer is.
  const place = (event) => {
    const { left, width } = axis.getBoundingClientRect();
    return from + ((to - from) * (event.clientX - left)) / width;
  };
  timeline.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.8 : 1.25, place(event));
  }, { passive: false });

  // What is drawn over is what is shown.
  const chosen = document.createElement("div");
  chosen.className = "chosen";
  chosen.hidden = true;
  timeline.querySelector(".lanes").append(chosen);
  let began = null;
  timeline.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.closest("a, .name")) return;
    began = place(event);
  });
  addEventListener("pointermove", (event) => {
    if (began === null) return;
    const [first, last] = [began, place(event)].sort((a, b) => a - b);
    const { left, width } = axis.getBoundingClientRect();
    const start = left - timeline.querySelector(".lanes").getBoundingClientRect().left;
    const x = (at) => (width * (Math.min(Math.max(at, from), to) - from)) / (to - from);
    chosen.hidden = x(last) - x(first) < 4;
    chosen.style.left = `${start + x(first)}px`;
    chosen.style.width = `${x(last) - x(first)}px`;
  });
  addEventListener("pointerup", (event) => {
    if (began !== null && !chosen.hidden) look(...[began, place(event)].sort((a, b) => a - b));
    began = null;
    chosen.hidden = true;
  });
  addEventListener("pointercancel", () => { began = null; chosen.hidden = true; });
  addEventListener("resize", () => look(from, to));
  look(0, span);
}
