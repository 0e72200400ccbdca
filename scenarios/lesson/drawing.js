"use strict";
/* Pictures of one setting ("cell") beside a pinned one, for the static lesson and the live app. Whoever includes this
   file declares `about` (weeks, visits, window, patients) and has the elements that are filled here. */
const get = (id) => document.getElementById(id);

/* Drawing. Each picture is one string of SVG; there are few enough shapes to draw all of them at every change. */
const LEFT = 62, RIGHT = 600;
const x = (week) => LEFT + ((RIGHT - LEFT) * week) / about.weeks;
const line = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`).join("");
const text = (a, b, said, more = "") => `<text x="${a}" y="${b}" ${more}>${said}</text>`;

function weekAxis(bottom) {
  const ticks = about.visits.filter((week) => week === 0 || week >= 6);
  return ticks.map((week) => `<path d="M${x(week)} ${bottom}v5" stroke="#777"/>` +
    text(x(week), bottom + 19, week, 'text-anchor="middle"')).join("") +
    `<path d="M${LEFT} ${bottom}H${RIGHT}" stroke="#777"/>` +
    text((LEFT + RIGHT) / 2, bottom + 38, "Weeks since first infusion", 'text-anchor="middle"');
}

function drawLevel(cell, before) {
  const top = 26, bottom = 252, low = 0.1, high = 100;
  const y = (level) => bottom - ((bottom - top) * Math.log(Math.min(Math.max(level, low), high) / low)) / Math.log(high / low);
  const curve = (levels) => levels.map((level, week) => [x(week), y(level)]);
  const band = (one, other) => line(curve(one).concat(curve(other).reverse())) + "Z";
  const [floor, ceiling] = about.window;
  const upper = y(ceiling === null ? high : ceiling);
  let out = `<rect x="${LEFT}" y="${upper}" width="${RIGHT - LEFT}" height="${y(floor) - upper}" fill="#f0e442" fill-opacity=".45"/>`;
  for (const level of [0.1, 0.3, 1, 3, 10, 30, 100])
    out += `<path d="M${LEFT} ${y(level)}H${RIGHT}" stroke="#e4e4e4"/>` + text(LEFT - 8, y(level) + 4, level, 'text-anchor="end"');
  out += `<path d="${band(cell.level[0], cell.level[4])}" fill="#0072b2" fill-opacity=".15"/>` +
    `<path d="${band(cell.level[1], cell.level[3])}" fill="#0072b2" fill-opacity=".28"/>`;
  if (before) out += `<path d="${line(curve(before.level[2]))}" fill="none" stroke="#333" stroke-width="2" stroke-dasharray="7 4"/>`;
  out += `<path d="${line(curve(cell.level[2]))}" fill="none" stroke="#0072b2" stroke-width="2.6"/>`;
  const end = cell.level.map((levels) => levels[levels.length - 1]);
  const labels = [[y(end[2]), "median", "#00527f"], [y(Math.sqrt(floor * (ceiling || floor))), "target window", "#5c5600"]];
  if (before) labels.push([y(before.level[2][before.level[2].length - 1]), "pinned", "#333"]);
  out += apart(labels).map(([at, said, colour]) => text(RIGHT + 8, at + 4, said, `style="fill:${colour}"`)).join("");
  out += text(LEFT - 36, top - 12, "µg/mL");
  get("level").innerHTML = out + weekAxis(bottom);
  get("level-words").textContent =
    `Line: median of ${about.patients} patients. Dark band: middle half of them; light band: 8 of 10. ` +
    `Yellow: target window, ${windowWords()}. ` +
    `In week ${about.weeks} the median is ${end[2] < low ? "below 0.1" : number(end[2])} µg/mL.` +
    (cell.demand ? " On demand, a visit can come soon after an infusion: its level is then no trough." : "");
}

const windowWords = () => (about.window[1] === null ? `at least ${about.window[0]} µg/mL` : `${about.window[0]} to ${about.window[1]} µg/mL`);

/* Labels at the right edge, moved apart where they would touch. */
function apart(labels) {
  const sorted = labels.slice().sort((a, b) => a[0] - b[0]);
  for (let i = 1; i < sorted.length; i++) sorted[i][0] = Math.max(sorted[i][0], sorted[i - 1][0] + 16);
  return sorted;
}

function drawAntibody(cell, before) {
  const top = 10, bottom = 212;
  const y = (share) => bottom - ((bottom - top) * share) / 100;
  const steps = (shares) => {
    const points = [];
    about.visits.forEach((week, i) => {
      if (i) points.push([x(week), y(shares[i - 1])]);
      points.push([x(week), y(shares[i])]);
    });
    return line(points);
  };
  const formed = (shares) => line(shares.map((share, week) => [x(week), y(share)]));
  let out = "";
  for (const share of [0, 20, 40, 60, 80, 100])
    out += `<path d="M${LEFT} ${y(share)}H${RIGHT}" stroke="#e4e4e4"/>` + text(LEFT - 8, y(share) + 4, `${share} %`, 'text-anchor="end"');
  if (before) {
    out += `<path d="${steps(before.tolerant)}" fill="none" stroke="#999" stroke-width="1.6" stroke-dasharray="6 4"/>` +
      `<path d="${steps(before.sensitive)}" fill="none" stroke="#999" stroke-width="1.6" stroke-dasharray="6 4"/>`;
  }
  out += `<path d="${formed(cell.formed)}" fill="none" stroke="#333" stroke-width="2" stroke-dasharray="2 4"/>` +
    `<path d="${steps(cell.tolerant)}" fill="none" stroke="#d55e00" stroke-width="2.6"/>` +
    `<path d="${steps(cell.sensitive)}" fill="none" stroke="#0072b2" stroke-width="2.6" stroke-dasharray="10 4"/>`;
  const last = (shares) => shares[shares.length - 1];
  out += apart([
    [y(last(cell.formed)), "formed (truth)", "#333"],
    [y(last(cell.tolerant)), "drug-tolerant", "#a34700"],
    [y(last(cell.sensitive)), "drug-sensitive", "#00527f"],
  ]).map(([at, said, colour]) => text(RIGHT + 8, at + 4, said, `style="fill:${colour}"`)).join("");
  get("antibody").innerHTML = out + weekAxis(bottom);
  get("antibody-words").textContent =
    `By week ${about.weeks} an antibody has formed in ${number(last(cell.formed))} % of patients. The drug-tolerant assay has ` +
    `found ${number(last(cell.tolerant))} %, the drug-sensitive one ${number(last(cell.sensitive))} %: it cannot see antibodies while ` +
    `drug is in the sample, and ${number(cell.inconclusive)} % of its samples were inconclusive for that reason. Dotted: what no laboratory sees.` +
    (before ? " Grey dashes: the two assays in the pinned setting." : "");
}

const GROUPS = [
  ["seen by the drug-sensitive assay", "#0072b2", "#0072b2"],
  ["seen by the drug-tolerant assay alone", "#d55e00", "#d55e00"],
  ["there, but seen by neither", "#ffffff", "#d55e00"],
  ["no antibody", "#e6e6e6", "#8a8a8a"],
];

/* Largest remainders: the squares always add up to one hundred. */
function ofHundred(counts) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const exact = counts.map((count) => (100 * count) / total);
  const whole = exact.map(Math.floor);
  const order = exact.map((share, i) => [share - whole[i], i]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  for (let k = 0; whole.reduce((sum, count) => sum + count, 0) < 100; k++) whole[order[k][1]] += 1;
  return whole;
}

function drawPeople(cell) {
  const counts = ofHundred(cell.seen);
  let out = "", n = 0;
  GROUPS.forEach(([, fill, stroke], group) => {
    for (let k = 0; k < counts[group]; k++, n++)
      out += `<rect x="${4 + (n % 25) * 16}" y="${8 + Math.floor(n / 25) * 17}" width="13" height="13" rx="${group === 3 ? 0 : 6.5}" fill="${fill}" stroke="${stroke}" stroke-width="2"/>`;
  });
  GROUPS.forEach(([said, fill, stroke], group) => {
    const y = 16 + group * 22;
    out += `<rect x="416" y="${y - 10}" width="13" height="13" rx="${group === 3 ? 0 : 6.5}" fill="${fill}" stroke="${stroke}" stroke-width="2"/>` +
      text(436, y + 1, `${counts[group]} ${said}`);
  });
  get("people").innerHTML = out;
  get("people-words").textContent =
    `Of 100 patients: ` + GROUPS.map(([said], group) => `${counts[group]} ${said}`).join(", ") + ".";
}

function number(value) {
  if (value === 0) return "0";
  return Math.abs(value) < 10 ? value.toPrecision(2).replace(/\.0$/, "") : Math.round(value).toString();
}

const level = (cell) => (cell.low ? "below what can be measured" : `${number(cell.median)} µg/mL`);
const percent = (name) => (cell) => `${number(cell[name])} %`;
const tolerant = (cell) => cell.tolerant[cell.tolerant.length - 1];
const sensitive = (cell) => cell.sensitive[cell.sensitive.length - 1];
const rows = () => [
  [`Median level measured in week ${about.weeks}`, level],
  [`Level in the target window (${windowWords()}) in week ${about.weeks}`, percent("window")],
  ["Ever antibody-positive, drug-tolerant assay", (cell) => `${number(tolerant(cell))} %`],
  ["Ever antibody-positive, drug-sensitive assay", (cell) => `${number(sensitive(cell))} %`],
  ["Lost response, of those who had responded", percent("loss")],
  ...(about.responds ? [[`In response in week ${about.weeks}, of all patients`, percent("response")]] : []),
  ["Drug per patient and year", (cell) => `${cell.drug.toLocaleString("en")} mg`],
  ["Infusions per patient and year", (cell) => number(cell.doses)],
];

function fillTable(cell, before, lines = rows()) {
  get("numbers").innerHTML = lines.map(([said, show]) =>
    `<tr><th scope="row">${said}</th><td>${show(cell)}</td><td>${before ? show(before) : "–"}</td></tr>`).join("");
}
