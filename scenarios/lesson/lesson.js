const { about, cells } = JSON.parse(document.getElementById("data").textContent);
const inputs = about.controls.map((control) => get(control.sets));
const place = Object.fromEntries(about.controls.map((control, number) => [control.sets, number]));
const onDemand = (key) => "timing" in place && about.controls[place.timing].shown.length > 1 && key[place.timing] === 1;
let now = about.starts.slice();
let pinned = null;

/* On demand nothing is due at an interval: such settings are stored once, under the first interval. */
function cellOf(key) {
  const there = key.slice();
  if (onDemand(key) && "interval" in place) there[place.interval] = 0;
  return cells[there.join("-")];
}

function words(key) {
  return about.controls
    .filter((control) => !(control.sets === "interval" && onDemand(key)))
    .map((control) => `${control.label}: ${control.shown[key[place[control.sets]]]}`)
    .join("; ");
}

/* One sentence on what moved, one on what followed, one on why. */
function tell(before, after) {
  const moved = about.controls.findIndex((_, i) => before[i] !== after[i]);
  if (moved < 0) return "Nothing changed.";
  const control = about.controls[moved];
  const old = cellOf(before), fresh = cellOf(after);
  const change = (said, a, b) => (number(a) === number(b) ? `${said} stays at ${number(b)} %` : `${said} ${b > a ? "rises" : "falls"} from ${number(a)} to ${number(b)} %`);
  const levels = level(old) === level(fresh)
    ? `The median level in week ${about.weeks} stays ${fresh.low ? "" : "at "}${level(fresh)}`
    : `The median level in week ${about.weeks} goes from ${level(old)} to ${level(fresh)}`;
  return `${control.label}: ${control.shown[before[moved]]} → ${control.shown[after[moved]]}. ${levels}. ` +
    `${change("The share with antibodies by the drug-tolerant assay", tolerant(old), tolerant(fresh))}, ` +
    `${change("by the drug-sensitive assay it", sensitive(old), sensitive(fresh))}; ` +
    `${change("loss of response", old.loss, fresh.loss)}. ` +
    `Why: ${after[moved] > before[moved] ? control.up : control.down}`;
}

function draw() {
  const cell = cellOf(now), before = pinned && cellOf(pinned);
  drawLevel(cell, before);
  drawAntibody(cell, before);
  drawPeople(cell);
  fillTable(cell, before);
  if ("interval" in place) inputs[place.interval].disabled = onDemand(now);
}

function move(which, to) {
  const before = now.slice();
  now[which] = to;
  const control = about.controls[which];
  if (inputs[which]) {
    inputs[which].setAttribute("aria-valuetext", control.shown[to]);
    get(`value-${control.sets}`).textContent = control.shown[to];
  }
  draw();
  const said = get("said");
  said.textContent = tell(before, now);
  said.classList.remove("fresh");
  requestAnimationFrame(() => said.classList.add("fresh"));
}

get("controls").addEventListener("input", (event) => {
  const name = event.target.type === "radio" ? event.target.name : event.target.id;
  if (name in place) move(place[name], Number(event.target.value));
});
get("controls").addEventListener("submit", (event) => event.preventDefault());
get("pin").addEventListener("click", () => {
  pinned = now.slice();
  get("pinned").textContent = `Pinned: ${words(pinned)}.`;
  get("unpin").disabled = false;
  draw();
});
get("unpin").addEventListener("click", () => {
  pinned = null;
  get("pinned").textContent = "Nothing is pinned.";
  get("unpin").disabled = true;
  get("pin").focus();
  draw();
});
draw();
