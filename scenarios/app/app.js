/* The browser's side of the app: one object of settings goes to the server, numbers come back and are drawn. */
let about = null, cell = null, pinned = null, toml = "", csv = "", asked = null, quizzes = 0;
let waiting = false, again = false; // one request at a time; while it runs only the newest setting is remembered
const SLIDERS = ["dose", "interval", "start", "patients", "weeks"];
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

function setting() {
  const out = { cohort: get("cohort").value, seed: Number(get("seed").value) };
  for (const name of SLIDERS) out[name] = Number(get(name).value);
  for (const name of ["timing", "immunomodulator", "premedication"]) out[name] = chosen(name);
  return out;
}

function send() {
  if (waiting) { again = true; return; }
  waiting = true;
  Shiny.setInputValue("setting", setting(), { priority: "event" });
}

function answered() {
  waiting = false;
  if (again) { again = false; send(); }
}

function drawAll() {
  const before = pinned && pinned.weeks === about.weeks ? pinned.cell : null;
  drawLevel(cell, before);
  drawAntibody(cell, before);
  drawPeople(cell);
  fillTable(cell, before);
}

const CODES = ["negative", "positive", "inconclusive"];
function drawPerson(person) {
  const top = 26, bottom = 222, low = 0.1, high = 200;
  const y = (level) => bottom - ((bottom - top) * Math.log(Math.min(Math.max(level, low), high) / low)) / Math.log(high / low);
  const [floor, ceiling] = about.window;
  let out = `<rect x="${LEFT}" y="${y(ceiling || high)}" width="${RIGHT - LEFT}" height="${y(floor) - y(ceiling || high)}" fill="#f0e442" fill-opacity=".45"/>`;
  for (const level of [0.1, 0.3, 1, 3, 10, 30, 100])
    out += `<path d="M${LEFT} ${y(level)}H${RIGHT}" stroke="#e4e4e4"/>` + text(LEFT - 8, y(level) + 4, level, 'text-anchor="end"');
  out += `<path d="${line(person.level.map((level, week) => [x(week), y(level)]))}" fill="none" stroke="#0072b2" stroke-width="2"/>`;
  if (person.loss !== null) {
    out += `<path d="M${x(person.loss)} ${top}V${bottom + 44}" stroke="#d55e00" stroke-width="2" stroke-dasharray="5 3"/>` +
      text(Math.min(x(person.loss) + 4, RIGHT - 90), top - 4, "response lost", 'style="fill:#a34700"');
  }
  about.visits.forEach((week, i) => {
    const level = person.reported[i];
    out += level === null
      ? `<path d="M${x(week) - 6} ${bottom - 12}h12l-6 10z" fill="#fff" stroke="#222" stroke-width="1.6"/>`
      : `<circle cx="${x(week)}" cy="${y(level)}" r="5" fill="#222" stroke="#fff"/>`;
    [person.tolerant[i], person.sensitive[i]].forEach((code, lane) => {
      const at = bottom + 16 + lane * 20;
      out += code === 1
        ? `<path d="M${x(week) - 6} ${at}h12m-6 -6v12" stroke="#222" stroke-width="3.4"/>`
        : `<circle cx="${x(week)}" cy="${at}" r="5" fill="${code ? "#bbb" : "#fff"}" stroke="#222" stroke-width="1.4"/>`;
    });
  });
  out += text(RIGHT + 10, bottom + 20, "drug-tolerant") + text(RIGHT + 10, bottom + 40, "drug-sensitive");
  out += text(LEFT - 36, top - 12, "µg/mL") + text(RIGHT + 8, y(Math.sqrt(floor * (ceiling || floor))) + 4, "target window", 'style="fill:#5c5600"');
  get("person").innerHTML = out + weekAxis(bottom + 54).replaceAll("undefined", "");
  const reports = about.visits.map((week, i) => `week ${week}: ${person.reported[i] === null ? "below what can be measured" : `${number(person.reported[i])} µg/mL`}` +
    `, drug-tolerant ${CODES[person.tolerant[i]]}, drug-sensitive ${CODES[person.sensitive[i]]}`);
  get("person-words").textContent = `Patient ${person.number}, ${person.weight} kg. Line: true level; dots: levels reported, open ` +
    `triangles: below what can be measured. Below: antibody results, plus sign positive, open negative, grey inconclusive. Reported in ${reports.join("; ")}.`;
}

function ask(question) {
  asked = question;
  get("answers").hidden = question === null;
  get("verdict").textContent = question === null ? "Nobody lost response under this regimen." : "";
  if (question === null) return;
  get("patient").value = question.person.number;
  drawPerson(question.person);
  get("choices").innerHTML = Object.entries(question.causes).map(([key, words]) =>
    `<label class="choice"><input type="radio" name="cause" value="${key}"> ${words}</label>`).join("");
  get("choices").querySelector("input").focus();
}

get("controls").addEventListener("submit", (event) => event.preventDefault());
get("controls").addEventListener("input", (event) => {
  const { id, dataset } = event.target;
  if (SLIDERS.includes(id)) {
    event.target.setAttribute("aria-valuetext", `${event.target.value} ${dataset.unit}`);
    get(`value-${id}`).textContent = `${event.target.value} ${dataset.unit}`;
  }
  get("interval").disabled = chosen("timing") === "episodic";
  get("start").disabled = chosen("immunomodulator") === "none";
  send();
});
get("pin").addEventListener("click", () => {
  if (!cell) return;
  const now = setting();
  pinned = { cell, weeks: about.weeks };
  get("pinned").textContent = `Pinned: ${now.dose} mg/kg, ${now.timing === "episodic" ? "on demand" : `every ${now.interval} weeks`}.`;
  get("unpin").disabled = false;
  drawAll();
});
get("unpin").addEventListener("click", () => {
  pinned = null;
  get("pinned").textContent = "Nothing is pinned.";
  get("unpin").disabled = true;
  get("pin").focus();
  drawAll();
});
function save(name, content, kind) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
get("toml").addEventListener("click", () => save("my-regimen.toml", toml, "application/toml"));
get("csv").addEventListener("click", () => save("scores.csv", csv, "text/csv"));
get("patient").addEventListener("input", (event) => {
  get("answers").hidden = true;
  get("verdict").textContent = "";
  const number = event.target.valueAsNumber;
  if (Number.isInteger(number)) Shiny.setInputValue("patient", number, { priority: "event" });
});
get("quiz").addEventListener("click", () => Shiny.setInputValue("quiz", quizzes++, { priority: "event" }));
get("answers").addEventListener("change", (event) => {
  get("verdict").textContent = `${event.target.value === asked.right ? "Yes." : `Not quite: ${asked.causes[asked.right]}.`} ${asked.why}`;
});

$(document).on("shiny:sessioninitialized", () => {
  Shiny.addCustomMessageHandler("shown", (message) => {
    ({ about, cell, toml, csv } = message);
    get("toml").disabled = get("csv").disabled = false;
    get("patient").max = about.patients - 1;
    get("answers").hidden = true;
    get("verdict").textContent = "";
    drawAll();
    get("said").textContent = `In week ${about.weeks}: median level ${level(cell)}; antibodies in ${number(tolerant(cell))} % by the ` +
      `drug-tolerant and ${number(sensitive(cell))} % by the drug-sensitive assay; response lost in ${number(cell.loss)} %.`;
    Shiny.setInputValue("patient", Math.min(get("patient").valueAsNumber || 0, about.patients - 1), { priority: "event" });
    answered();
  });
  Shiny.addCustomMessageHandler("fault", (message) => {
    get("said").textContent = `This cannot be simulated: ${message.text}`;
    answered();
  });
  Shiny.addCustomMessageHandler("person", drawPerson);
  Shiny.addCustomMessageHandler("question", (message) => ask(message.asked));
  get("start").disabled = true;
  send();
});
$(document).on("shiny:disconnected", () => { get("said").textContent = "The server has stopped. Start it and load this page again."; });
