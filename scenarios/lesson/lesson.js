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

const change = (said, a, b) => (number(a) === number(b) ? `${said} stays at ${number(b)} %` : `${said} ${b > a ? "rises" : "falls"} from ${number(a)} to ${number(b)} %`);

/* What followed, in the words of what the page is about. */
function followed(old, fresh) {
  if (about.pictures.includes("regained")) return REGAINED.map(([name, done]) => {
    const a = old[name][old.band], b = fresh[name][fresh.band];
    return a && b ? `${change(`Of those who lost response, the share who ${done}`, a[0], b[0])}. ` : "";
  }).join("");
  const levels = level(old) === level(fresh)
    ? `The median level in week ${about.weeks} stays ${fresh.low ? "" : "at "}${level(fresh)}. `
    : `The median level in week ${about.weeks} goes from ${level(old)} to ${level(fresh)}. `;
  if (about.pictures.includes("strategy"))
    return `${levels}${change("The share in the target window", old.window, fresh.window)}; ` +
      `${about.responds ? `${change("the share in response", old.response, fresh.response)}; ` : ""}` +
      `drug per patient and year goes from ${old.drug.toLocaleString("en")} to ${fresh.drug.toLocaleString("en")} mg. `;
  return `${levels}${change("The share with antibodies by the drug-tolerant assay", tolerant(old), tolerant(fresh))}, ` +
    `${change("by the drug-sensitive assay it", sensitive(old), sensitive(fresh))}; ${change("loss of response", old.loss, fresh.loss)}. `;
}

/* One sentence on what moved, one on what followed, one on why. */
function tell(before, after) {
  const moved = about.controls.findIndex((_, i) => before[i] !== after[i]);
  if (moved < 0) return "Nothing changed.";
  const control = about.controls[moved], to = after[moved];
  const why = control.why.length ? control.why[to] : to > before[moved] ? control.up : control.down;
  return `${control.label}: ${control.shown[before[moved]]} → ${control.shown[to]}. ${followed(cellOf(before), cellOf(after))}Why: ${why}`;
}

const PICTURES = {
  level: drawLevel,
  antibody: drawAntibody,
  people: drawPeople,
  strategy: () => drawStrategy(now),
  regained: (cell, before) => REGAINED.forEach(([name, done]) => drawRegained(name, done, cell, before)),
};

function draw() {
  const cell = cellOf(now), before = pinned && cellOf(pinned);
  for (const name of about.pictures) PICTURES[name](cell, before);
  fillTable(cell, before, about.pictures.includes("regained") ? regainedRows() : rows());
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
