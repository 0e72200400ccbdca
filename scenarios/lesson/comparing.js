/* Pictures that compare settings: strategies side by side, and what came back after a loss by titre. */

const controlOf = (sets) => about.controls[place[sets]];
const withChoice = (key, sets, choice) => key.map((value, i) => (i === place[sets] ? choice : value));

/* Labels come from a lesson's file and stand in a string of SVG. */
const safe = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/* Words under a picture; the numbers of every bar or point are for those who cannot see them. */
function putWords(id, shown, heard) {
  const more = document.createElement("span");
  more.className = "aside";
  more.textContent = ` ${heard}`;
  get(id).replaceChildren(shown, more);
}

const outcomes = () => [
  ["below", `Level below the target window of ${windowWords()}`],
  ["window", `Level in the target window of ${windowWords()}`],
  ["response", "In response"],
];

/* Horizontal bars of all strategies under the other controls as they are; the chosen one is dark, whiskers are 95 %. */
function drawStrategy(key) {
  const names = controlOf("strategy").shown, from = 300, to = 650, step = 20;
  const x = (share) => from + ((to - from) * share) / 100;
  const drawn = outcomes().filter(([name]) => cellOf(key).spread[name]);
  let out = "", y = 18;
  const said = [];
  for (const [name, title] of drawn) {
    out += text(4, y, `${title}, week ${about.weeks} (% of patients)`, 'class="strong"');
    const told = names.map((words, choice) => {
      const [share, low, high] = cellOf(withChoice(key, "strategy", choice)).spread[name];
      const mine = choice === key[place.strategy], held = pinned && choice === pinned[place.strategy];
      const at = y + 8 + choice * step, middle = at + 8, wide = (value) => (x(value) - from).toFixed(1);
      const bar = (value, more) => `<rect x="${from}" y="${at}" width="${wide(value)}" height="15" ${more}/>`;
      out += text(from - 8, at + 12, safe(words), `text-anchor="end"${mine ? ' class="strong"' : ""}`) +
        bar(share, `fill="${mine ? "#0072b2" : "#bcd9ea"}"`) +
        (held ? bar(cellOf(pinned).spread[name][0], 'fill="none" stroke="#333" stroke-width="2" stroke-dasharray="5 3"') : "") +
        `<path d="M${x(low).toFixed(1)} ${middle}H${x(high).toFixed(1)}" stroke="#222" stroke-width="1.6"/>` +
        text((x(high) + 6).toFixed(1), at + 12, number(share));
      return `${words} ${number(share)} %`;
    });
    said.push(`${title}: ${told.join(", ")}.`);
    y += 8 + names.length * step + 24;
  }
  get("side-by-side").setAttribute("viewBox", `0 0 720 ${y - 16}`);
  get("side-by-side").innerHTML = out;
  putWords("side-by-side-words", `Bars: share of ${about.patients} patients, the same in each; lines at their ends: 95 % interval for chance ` +
    `in drawing patients. Dark: the choice that is set${pinned ? "; dashed frame: the pinned one" : ""}.`, said.join(" "));
}

const REGAINED = [
  ["level", "keep a level of 3 µg/mL or more"],
  ["response", "are in response again"],
];

/* One curve over bands of titres: this setting, the pinned one, what was published. */
function drawRegained(name, done, cell, before) {
  const bands = controlOf("titre").shown, top = 30, bottom = 222, width = (RIGHT - LEFT) / bands.length;
  const middle = (band) => LEFT + (band + 0.5) * width;
  const y = (share) => bottom - ((bottom - top) * share) / 100;
  const curve = (values) => line(values.map((one, band) => one && [middle(band), y(one[0])]).filter(Boolean));
  let out = `<rect x="${LEFT + cell.band * width}" y="${top}" width="${width}" height="${bottom - top}" fill="#f0e442" fill-opacity=".35"/>`;
  for (const share of [0, 20, 40, 60, 80, 100])
    out += `<path d="M${LEFT} ${y(share)}H${RIGHT}" stroke="#e4e4e4"/>` + text(LEFT - 8, y(share) + 4, `${share} %`, 'text-anchor="end"');
  if (about.line) {
    const at = LEFT + about.line.band * width;
    out += `<path d="M${at} ${top - 6}V${bottom}" stroke="#a34700" stroke-width="2" stroke-dasharray="6 4"/>` +
      text(RIGHT + 4, top - 12, safe(about.line.label), 'text-anchor="end" style="fill:#a34700"');
  }
  if (before) out += `<path d="${curve(before[name])}" fill="none" stroke="#333" stroke-width="2" stroke-dasharray="7 4"/>`;
  out += `<path d="${curve(cell[name])}" fill="none" stroke="#0072b2" stroke-width="2.6"/>`;
  cell[name].forEach((one, band) => {
    if (one) out += `<path d="M${middle(band)} ${y(one[1])}V${y(one[2])}" stroke="#0072b2" stroke-width="1.6"/>` +
      `<circle cx="${middle(band)}" cy="${y(one[0])}" r="${band === cell.band ? 7 : 5}" fill="#0072b2" stroke="#fff"/>`;
  });
  for (const point of name === "response" ? about.points : []) {
    const [first, last] = point.bands, at = middle((first + last) / 2) + (first === last ? width * 0.22 : 0), h = y(point.percent);
    if (first < last) out += `<path d="M${LEFT + first * width + 6} ${h}H${LEFT + (last + 1) * width - 6}" stroke="#a34700" stroke-width="1.6"/>`;
    if (point.low !== null) out += `<path d="M${at} ${y(point.low)}V${y(point.high)}" stroke="#a34700" stroke-width="1.6"/>`;
    out += `<path d="M${at} ${h - 7}l7 7l-7 7l-7 -7z" fill="#fff" stroke="#a34700" stroke-width="2"/>`;
  }
  bands.forEach((words, band) => {
    const [first, ...rest] = words.replace(" µg/mL-eq", "").split(", ");
    out += text(middle(band), bottom + 18, safe(rest.length ? `${first},` : first), 'text-anchor="middle"') +
      text(middle(band), bottom + 34, safe(rest.join(", ")), 'text-anchor="middle"') +
      text(middle(band), bottom + 50, `n = ${cell.n[band]}`, 'text-anchor="middle" style="fill:#505050"');
  });
  out += text((LEFT + RIGHT) / 2, bottom + 70, "Antibody before the loss (µg/mL-eq)", 'text-anchor="middle"');
  const end = cell[name][cell[name].length - 1];
  const labels = [[y(end ? end[0] : 0), "this setting", "#00527f"]];
  if (before && before[name][before[name].length - 1]) labels.push([y(before[name][before[name].length - 1][0]), "pinned", "#333"]);
  out += apart(labels).map(([at, said, colour]) => text(RIGHT + 8, at + 4, said, `style="fill:${colour}"`)).join("");
  get(`regained-${name}`).innerHTML = out;
  const told = bands.map((words, band) => `${words}: ${cell[name][band] ? `${number(cell[name][band][0])} %` : "nobody"} of ${cell.n[band]}`);
  const points = name === "response" ? about.points.map((point) => `${point.label}.`).join(" ") : "";
  const untouched = name === "response" ? " Where nothing is changed, the rule lets nobody's response come back." : "";
  putWords(`regained-${name}-words`, `Of patients who lost response, the share who ${done}, by the antibody they had before. Upright lines: ` +
    `95 % interval for chance in drawing patients. Yellow: the group that is set.` +
    `${before ? " Dashed curve: the pinned setting." : ""}${untouched}${points ? ` Diamonds, published: ${points}` : ""}`, `${told.join("; ")}.`);
}

const inGroup = (name) => (cell) => (cell[name][cell.band] ? `${number(cell[name][cell.band][0])} %` : "nobody");
const regainedRows = () => [
  ["Patients in this group who lost response", (cell) => `${cell.n[cell.band]}`],
  ["Level kept at 3 µg/mL or more, weeks 16 to 26 after the loss", inGroup("level")],
  ["In response, first visit 16 weeks or more after the loss", inGroup("response")],
  ["Drug per patient and year, all patients", (cell) => `${cell.drug.toLocaleString("en")} mg`],
];
