// Draws a message's steps as a sequence between those that take part, once it is
// opened. All of it stands in the table below the drawing.
function sequence(details) {
  const SVG = "http://www.w3.org/2000/svg";
  const draw = (parent, name, attributes, text) => {
    const element = parent.appendChild(document.createElementNS(SVG, name));
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const parties = details.dataset.parties.split("\n");
  const number = (value) => (value === undefined ? null : Number(value));
  const steps = [...details.querySelectorAll(".steps tr")].map((row) => ({
    from: number(row.dataset.from), to: number(row.dataset.to),
    left: number(row.dataset.left), arrived: number(row.dataset.arrived),
    lost: row.classList.contains("lost"), weather: row.classList.contains("weather"),
    what: row.querySelector(".says").textContent,
    at: row.querySelectorAll(".at")[1].textContent, then: row.dataset.since,
  }));
  // A line for each time at which something is told: distances are no durations.
  // Of what begins at one time each has its own; what ends goes with what begins.
  const turns = steps.flatMap((step) => {
    const first = step.left ?? step.arrived, last = step.arrived ?? step.left;
    const begins = { at: first, step, begins: true };
    return last > first ? [begins, { at: last, step, begins: false }] : [begins];
  }).sort((a, b) => a.at - b.at);
  const lines = [];
  for (const turn of turns) {
    const { step, begins } = turn, now = lines.at(-1);
    const crowded = begins && (step.to === null || now?.some((other) => other.begins));
    if (now?.[0].at !== turn.at || crowded || now.some((other) => other.step.to === null)) lines.push([turn]);
    else now.push(turn);
  }
  for (const [index, turns] of lines.entries())
    for (const { step, begins } of turns) step[begins ? "firstLine" : "lastLine"] = index;
  const [margin, head, line] = [84, 42, 30];
  const y = (index) => head + 14 + line * index;
  const column = Math.max(120, Math.min(260, (details.clientWidth - margin - 40) / parties.length));
  const x = (party) => margin + column * (party + 0.5);
  const width = margin + column * parties.length, height = head + 20 + line * lines.length;
  const drawing = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({
    class: "sequence", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true",
  })) drawing.setAttribute(key, value);
  parties.forEach((party, index) => {
    draw(drawing, "line", { class: "life", x1: x(index), x2: x(index), y1: head, y2: height });
    const name = draw(drawing, "text", { class: "party", x: x(index), y: head - 14, "text-anchor": "middle" }, party);
    if (party.length > column / 8) name.textContent = `${party.slice(0, column / 8 - 1)}…`;
    draw(name, "title", {}, party);
  });
  const since = new Map(steps.flatMap(({ left, arrived, at, then }) => [[left ?? arrived, at], [arrived, then]]));
  for (const [index, [{ at }]] of lines.entries())
    if (lines[index - 1]?.[0].at !== at)
      draw(drawing, "text", { class: "when", x: margin - 10, y: y(index) + 4, "text-anchor": "end" }, since.get(at));
  for (const { from, to, left, arrived, lost, weather, what, firstLine, lastLine } of steps) {
    const first = firstLine, last = lastLine ?? firstLine;
    if (weather) {
      draw(drawing, "line", { class: "weather", x1: margin, x2: width, y1: y(first), y2: y(first) });
      draw(drawing, "text", { class: "weather", x: width - 4, y: y(first) - 4, "text-anchor": "end" }, what);
    } else if (to === null) {
      draw(drawing, "circle", { class: "note", cx: x(from), cy: y(first), r: 4 });
      const right = from < parties.length - 1 || parties.length === 1;
      draw(drawing, "text", {
        class: "note", x: x(from) + (right ? 9 : -9), y: y(first) + 4, "text-anchor": right ? "start" : "end",
      }, what);
    } else {
      // What was lost got no one knows how far.
      const end = lost ? (x(from) + x(to)) / 2 : x(to);
      const way = Math.sign(x(to) - x(from));
      const kind = lost ? "arrow lost" : left === null || arrived === null ? "arrow guessed" : "arrow";
      draw(drawing, "line", { class: kind, x1: x(from), y1: y(first), x2: end - 7 * way, y2: y(last) });
      if (lost) draw(drawing, "text", { class: "lost", x: end, y: y(last) + 5, "text-anchor": "middle" }, "✘");
      else draw(drawing, "path", { class: "tip", d: `M${end} ${y(last)}l${-9 * way} -4v8z` });
      draw(drawing, "text", {
        class: "packet", x: (x(from) + x(to)) / 2, y: (y(first) + y(last)) / 2 - 6, "text-anchor": "middle",
      }, what);
    }
  }
  const frame = document.createElement("div");
  frame.className = "wide drawn";
  frame.append(drawing);
  details.querySelector(".evidence").prepend(frame);
}
for (const details of document.querySelectorAll("details.message"))
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector(".drawn")) sequence(details);
  });
for (const details of document.querySelectorAll("details.message[open]")) sequence(details);
