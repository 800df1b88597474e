// The slider is an MQTT client of its own; everything else on the page is what
// can be seen in the house, which its web server tells.
import mqtt from "/mqtt.js";

const TOPIC = "house/light";
const part = (id) => document.getElementById(id);
const percent = (value) => (value === null ? "–" : `${value} %`);

// A percentage in digits, or null.
function percentage(text) {
  return /^(100|[1-9]?[0-9])$/.test(text) ? Number(text) : null;
}

// --- the slider ------------------------------------------------------------

const slider = part("slider");
const port = document.querySelector('meta[name="broker-port"]').content;
const client = mqtt.connect(`ws://${location.hostname}:${port}/mqtt`, {
  clientId: `slider-${Math.random().toString(36).slice(2, 10)}`,
  keepalive: 5,
  reconnectPeriod: 500,
  connectTimeout: 3000,
  resubscribe: false,
});

// What the slider was moved to and the broker has not acknowledged, and whether
// that is on its way: one at a time, so that a slider that moves fast leaves out
// what it has passed.
let wish = null;
let underWay = null;
// Whether what is on its way has come back, as to every subscriber. It may do so
// before the acknowledgement, and somebody else's value after it as well.
let echoed = false;
// What the broker said last, and where the slider stands.
let told = null;
let stands = null;

function send() {
  if (wish === null || underWay !== null || !client.connected) return;
  const value = wish;
  underWay = value;
  echoed = false;
  client.publish(TOPIC, String(value), { qos: 1, retain: true }, (error) => {
    underWay = null;
    if (!error && wish === value) {
      wish = null;
      if (echoed) stands = told;
    }
    show();
    send();
  });
}

function show() {
  const state = client.connected ? "connected" : "away";
  const connection = part("connection");
  if (connection.dataset.state !== state) {
    connection.dataset.state = state;
    connection.textContent =
      state === "connected" ? "connected to the broker" : "no connection to the broker, trying again";
  }
  // Once it has been connected, what it is moved to waits for the broker.
  if (client.connected) slider.disabled = false;
  if (stands !== null && Number(slider.value) !== stands) slider.value = stands;
  part("wish").textContent = percent(stands);
  slider.setAttribute("aria-valuetext", percent(stands));
  part("fate").textContent =
    wish === null
      ? stands === null ? "nothing set yet" : `the broker has ${percent(stands)}`
      : client.connected ? `on its way: ${percent(wish)}` : `waits for the broker: ${percent(wish)}`;
}

slider.addEventListener("input", () => {
  wish = stands = Number(slider.value);
  show();
  send();
});
client.on("connect", () => {
  show();
  client.subscribe(TOPIC, { qos: 1 });
  send();
});
client.on("close", show);
client.on("message", (topic, payload) => {
  told = percentage(payload.toString()) ?? told;
  if (told === underWay) echoed = true;
  if (wish === null) stands = told;
  show();
});

// --- the house -------------------------------------------------------------

// Does something in the house; what came of it, in words.
async function act(path) {
  const answer = part("answer");
  try {
    const response = await fetch(path, { method: "POST" });
    const text = await response.text();
    answer.textContent = response.ok && text === "done\n" ? "" : text.trim();
  } catch {
    answer.textContent = "the house does not answer; is the program still running?";
  }
}

for (const id of ["broker", "wifi"]) {
  part(id).addEventListener("click", () => {
    const on = part(id).getAttribute("aria-checked") === "true";
    act(`/${id}/${on ? "off" : "on"}`);
  });
}
part("plug-in").addEventListener("click", () => act("/lamps"));
part("fast").addEventListener("click", () => act("/motor/1/speed/100"));
part("stop").addEventListener("click", () => act("/motor/1/speed/0"));
const dimmer = part("dimmer");
dimmer.addEventListener("input", () => (part("turned").textContent = percent(Number(dimmer.value))));
dimmer.addEventListener("change", turn);

// One turn at a time, so that they arrive in their order.
let turning = false;
async function turn() {
  if (turning) return;
  turning = true;
  for (let value = null; value !== dimmer.value; ) {
    value = dimmer.value;
    await act(`/dimmer/${value}`);
  }
  turning = false;
}

const today = new Date();
const month = today.toLocaleString("en", { month: "long", timeZone: "UTC" }).toLowerCase();
part("month").textContent = `/readings/${today.getUTCFullYear()}/${month}`;
part("month").href = part("month").textContent;

function lampItem() {
  const item = document.createElement("li");
  const bulb = document.createElement("span");
  bulb.className = "bulb";
  item.append(bulb, document.createElement("span"), document.createElement("b"), document.createElement("span"));
  return item;
}

function showLamp(item, name, lamp) {
  const [bulb, title, value, state] = item.children;
  bulb.style.setProperty("--level", lamp.percent ?? 0);
  title.textContent = name;
  value.textContent = percent(lamp.percent);
  state.textContent = lamp.connected ? "connected" : "cut off";
  state.className = lamp.connected ? "dim" : "away";
  item.dataset.percent = lamp.percent ?? "";
  item.dataset.connected = lamp.connected;
}

function showHouse(house) {
  part("broker").setAttribute("aria-checked", house.broker);
  part("wifi").setAttribute("aria-checked", house.wifi);
  const lamps = house.lamps.map((lamp, index) => [`Lamp ${index + 1}`, lamp]);
  lamps.push(["The hub’s lamp", house.hub_lamp]);
  const list = part("lamps");
  // The hub's stays the last.
  while (list.children.length < lamps.length) list.insertBefore(lampItem(), list.lastElementChild);
  lamps.forEach(([name, lamp], index) => showLamp(list.children[index], name, lamp));
  if (house.dimmer !== null && document.activeElement !== dimmer) {
    dimmer.value = house.dimmer;
    part("turned").textContent = percent(house.dimmer);
  }
  const speed = house.motor.percent === null ? "never told a speed" : `speed ${percent(house.motor.percent)}`;
  part("motor").textContent = `${house.motor.awake ? "awake" : "asleep"}, ${speed}`;
  part("motor").dataset.percent = house.motor.percent ?? "";
  part("recorded").textContent = house.recorded === 1 ? "1 reading" : `${house.recorded} readings`;
}

const house = new EventSource("/house");
house.addEventListener("message", (event) => showHouse(JSON.parse(event.data)));
