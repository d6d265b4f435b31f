// The list of problems with its filters, and the start of the candidate browser.

const ROW = 56; // height of a row of the list, as in the style sheet
const haystacks = new Map();
let found = index.problems.map((_, place) => place);
let picked = -1;

// --- what is listed ---

const right = (value) => value === 1;

/** Whether a group of a problem is what the reader asks for; `base` -1 is the best candidate. */
function wanted(problem, group, show, strategies, base) {
  const correct = problem.correct[group];
  const theirs = base < 0 ? (problem.any[group] ? 1 : 0) : correct[base];
  const ours = strategies.filter((place) => place !== base).map((place) => correct[place]).filter((one) => one !== null);
  if (show === "disagree") return new Set(problem.classes[group]).size > 1;
  if (show === "hopeless") return problem.any[group] === false;
  if (show === "wrong") return strategies.some((place) => correct[place] !== null && !right(correct[place]));
  if (theirs === null) return false; // not graded, or missing
  if (show === "rescued") return theirs < 1 && ours.some((one) => one > theirs);
  return ours.some((one) => one < theirs);
}

function haystack(place) {
  if (!haystacks.has(place)) {
    const problem = index.problems[place];
    const texts = [problem.id, problem.gold ?? "", detailOf(place).question];
    for (const group of detailOf(place).groups)
      for (const one of [...group.candidates, ...group.decisions]) texts.push(one.answer ?? "", one.text ?? "");
    haystacks.set(place, texts.join("\n").toLowerCase());
  }
  return haystacks.get(place);
}

function filter() {
  const words = byId("search").value.trim().toLowerCase();
  const show = byId("show").value;
  const chosen = Number(byId("strategy").value);
  const strategies = chosen < 0 ? index.strategies.map((_, place) => place) : [chosen];
  const base = Number(byId("baseline").value);
  byId("strategy").disabled = !["rescued", "harmed", "wrong"].includes(show);
  byId("baseline").disabled = !["rescued", "harmed"].includes(show);
  found = [];
  index.problems.forEach((problem, place) => {
    const groups = problem.correct.map((_, group) => group);
    const kept = show === "all" || (show === "failed" ? problem.failed
      : groups.some((group) => wanted(problem, group, show, strategies, base)));
    if (kept && (!words || haystack(place).includes(words))) found.push(place);
  });
  const all = index.problems.length;
  byId("count").textContent = found.length === all ? `${all} problems` : `${found.length} of ${all} problems`;
  byId("list").scrollTop = 0;
  list();
  if (found.length && !found.includes(picked)) pick(found[0]);
}

function row(place, at) {
  const problem = index.problems[place];
  const made = make("div", "row");
  made.id = `row-${place}`;
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", String(place === picked));
  made.setAttribute("aria-setsize", String(found.length));
  made.setAttribute("aria-posinset", String(at + 1));
  made.style.top = `${at * ROW}px`;
  const top = make("div", "top");
  top.append(make("div", "", problem.id));
  const marks = make("span", "marks");
  if (problem.correct.flat().some((one) => one !== null))
    index.strategies.forEach((name, strategy) => {
      const values = problem.correct.map((group) => group[strategy]).filter((one) => one !== null);
      if (!values.length) return missing(marks, name);
      const sum = values.reduce((total, one) => total + one, 0);
      const mark = make("span", sum === values.length ? "right" : "wrong", sum === values.length ? "✓" : sum ? "~" : "✗");
      mark.title = `${name}: right in ${Math.round(100 * sum / values.length)} %`;
      marks.append(mark);
    });
  top.append(marks);
  made.append(top, make("div", "start", `#${place + 1} ${problem.start}`));
  made.addEventListener("click", () => go(place, 0));
  return made;
}

function missing(marks, name) {
  const mark = make("span", "", "–");
  mark.title = `${name}: no decision`;
  marks.append(mark);
}

/** Only the rows that can be seen are in the document. */
function list() {
  const box = byId("list");
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 4);
  const last = Math.min(found.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + 4);
  byId("rows").style.height = `${found.length * ROW}px`;
  byId("rows").replaceChildren(...found.slice(first, last).map((place, at) => row(place, first + at)));
}

/** Where a problem is in this page, as its address says it: `#p=12`, `#p=12&g=2` for its second group. */
const address = (place, number) => `#p=${place + 1}${number ? `&g=${number + 1}` : ""}`;

/** Show a problem, and have the page's address say so. */
function go(place, number) {
  history.replaceState(null, "", address(place, number));
  pick(place, number);
}

/** Show the problem that the page's address names; whether it names one. */
function visit() {
  const named = /^#p=(\d+)(?:&g=(\d+))?$/.exec(location.hash);
  const place = named ? Number(named[1]) - 1 : -1;
  if (!(place in index.problems)) return false;
  pick(place, Math.min(Number(named[2] ?? 1), detailOf(place).groups.length) - 1);
  history.scrollRestoration = "manual"; // a page that is loaded again goes to its problem, not to where it was
  const beside = getComputedStyle(byId("list")).position === "sticky"; // else the list stands above, and is a screen long
  byId(beside ? "browser" : "detail").scrollIntoView();
  return true;
}

function pick(place, number = 0) {
  picked = place;
  const at = found.indexOf(place), box = byId("list");
  if (at >= 0) {
    if (at * ROW < box.scrollTop) box.scrollTop = at * ROW;
    if ((at + 1) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (at + 1) * ROW - box.clientHeight;
  }
  list();
  box.setAttribute("aria-activedescendant", `row-${place}`);
  show(place, Math.max(0, number));
}

function step(event) {
  const at = found.indexOf(picked);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: found.length - 1 }[event.key];
  if (to === undefined || to < 0 || to >= found.length) return;
  event.preventDefault();
  go(found[to], 0);
}

// --- start ---

function options() {
  index.strategies.forEach((name, place) => {
    byId("strategy").append(new Option(name, place));
    byId("baseline").append(new Option(name, place, place === index.baseline, place === index.baseline));
  });
  byId("baseline").append(new Option("best candidate", -1));
}

options();
filter();
visit();
window.addEventListener("hashchange", visit);
let waiting;
byId("search").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(filter, 120);
});
for (const id of ["show", "strategy", "baseline"]) byId(id).addEventListener("change", filter);
document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
byId("list").addEventListener("scroll", list);
byId("list").addEventListener("keydown", step);
window.addEventListener("resize", list);
