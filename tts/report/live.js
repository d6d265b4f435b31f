// What is going on in the store of this page, asked again and again; what is told reaches the page by textContent only.

const BETWEEN = 2000; // ms from one answer to the next question
const live = document.getElementById("live");
let made = null; // how many decisions there were when this page was made

function element(tag, text, name) {
  const one = document.createElement(tag);
  if (name) one.className = name;
  one.textContent = text;
  return one;
}

const count = (number) => number.toLocaleString("en");

function tell(state) {
  const at = (id) => document.getElementById(id);
  at("now").textContent = state.error ?? (state.working.length
    ? `A run is going on: ${state.working.join(", ")}; ${count(state.under_way)} completions under way.`
    : "No run is going on.");
  if (state.error) return;
  const facts = [["problems", count(state.problems)], ["completions", count(state.completions)]];
  for (const [strategy, number] of Object.entries(state.decisions)) facts.push([strategy, `${count(number)} decisions`]);
  if (state.per_minute) facts.push(["pace", `${count(state.per_minute)} decisions a minute`]);
  for (const [role, told] of Object.entries(state.spent)) facts.push([role, told]);
  if (state.cost) facts.push(["cost so far", state.cost]);
  at("counts").replaceChildren(...facts.map(([name, text]) => {
    const one = element("span", `${name} `);
    one.append(element("b", text));
    return one;
  }));
  newest(at("newest"), state.newest);
  made ??= state.shown;
  const more = state.total - made;
  at("fresh").hidden = more <= 0;
  if (more > 0) {
    const again = element("a", "show them");
    again.href = "";
    again.addEventListener("click", (event) => { event.preventDefault(); location.reload(); });
    at("fresh").replaceChildren(`${count(more)} decisions are not in this page yet: `, again);
    if (!made) location.reload(); // there was nothing to show before
  }
}

function newest(table, rows) {
  const line = (cells, tag) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text) => element(tag, text ?? "–")));
    return row;
  };
  table.replaceChildren(line(["problem", "strategy", "answer", "gold answer"], "th"), ...rows.map((row) => line(row, "td")));
}

async function watch() {
  try {
    const answer = await fetch(live.dataset.state, { cache: "no-store" });
    tell(await answer.json());
  } catch {
    document.getElementById("now").textContent = "tts view does not answer any more; this page shows what it had.";
  }
  setTimeout(watch, BETWEEN);
}

watch();
