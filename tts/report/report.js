"use strict";
// The candidate browser. Whatever a model wrote reaches the page by textContent only.

const ROW = 56; // height of a row of the list, as in the style sheet
const byId = (id) => document.getElementById(id);
const index = JSON.parse(byId("index").textContent);
const details = new Map(); // parsed when a problem is picked or searched
const haystacks = new Map();
let found = index.problems.map((_, place) => place);
let picked = -1;

function detailOf(place) {
  if (!details.has(place)) details.set(place, JSON.parse(byId(`problem-${place}`).textContent));
  return details.get(place);
}

function make(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

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
  made.append(top, make("div", "start", problem.start));
  made.addEventListener("click", () => pick(place));
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

function pick(place) {
  picked = place;
  const at = found.indexOf(place), box = byId("list");
  if (at >= 0) {
    if (at * ROW < box.scrollTop) box.scrollTop = at * ROW;
    if ((at + 1) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (at + 1) * ROW - box.clientHeight;
  }
  list();
  box.setAttribute("aria-activedescendant", `row-${place}`);
  show(place, 0);
}

function step(event) {
  const at = found.indexOf(picked);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: found.length - 1 }[event.key];
  if (to === undefined || to < 0 || to >= found.length) return;
  event.preventDefault();
  pick(found[to]);
}

// --- one problem ---

/** A folded text, put into the document when it is opened. */
function folded(title, fill) {
  const made = make("details");
  made.append(make("summary", "", title));
  made.addEventListener("toggle", () => {
    if (made.open && made.childElementCount === 1) fill(made);
  });
  return made;
}

const foldedText = (title, text, name = "text") => folded(title, (into) => into.append(make("div", name, text)));

/** Letters of answer classes, the largest class first. */
function letters(group) {
  const sizes = new Map();
  for (const one of group.candidates) if (one.class !== undefined) sizes.set(one.class, (sizes.get(one.class) ?? 0) + 1);
  const ordered = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a) || a - b);
  return new Map(ordered.map((name, place) => [name, place < 26 ? String.fromCharCode(65 + place) : `Z${place - 25}`]));
}

function badge(label, names) {
  const letter = label === undefined ? "–" : names.get(label) ?? "new";
  const made = make("span", "class", letter);
  const place = [...names.keys()].indexOf(label);
  if (place >= 0) made.style.background = `var(--series-${place % 8})`;
  made.title = letter === "–" ? "no answer" : letter === "new" ? "no candidate has this answer" : `answer class ${letter}`;
  return made;
}

function graded(correct) {
  if (correct === undefined) return [];
  const shares = [correct].flat();
  const sum = shares.filter(Boolean).length;
  if (shares.length > 1) return [make("span", sum === shares.length ? "right" : "wrong", `${sum} of ${shares.length} right`)];
  return [make("span", sum ? "right" : "wrong", sum ? "✓ right" : "✗ wrong")];
}

function head(name, one, names, facts) {
  const made = make("div", "head");
  made.append(make("span", "name", name), badge(one.class, names));
  made.append(make("span", "answer", one.answer ?? one.outcome ?? "no answer"), ...graded(one.correct));
  const known = facts.filter(Boolean);
  if (known.length) made.append(make("span", "small", known.join(" · ")));
  return made;
}

const tokens = (one) => one.tokens === undefined ? "" : `${one.tokens.toLocaleString("en")} tokens`;

function candidate(one, names) {
  const made = make("div", "card candidate");
  const score = one.score === undefined ? "" : `score ${one.score.toPrecision(4)}`;
  made.append(head(`Candidate ${one.index}`, one, names, [tokens(one), score, one.unfinished ? "cut off" : "", one.error]));
  if (one.text) made.append(foldedText("Response", one.text));
  if (one.thinking) made.append(foldedText("Thinking", one.thinking));
  return made;
}

function decision(one, strategy, names, calls) {
  const made = make("div", "card decision");
  const chose = one.chosen === undefined ? (one.text ? "wrote its own" : "") : `chose candidate ${one.chosen}`;
  const sure = one.confidence === undefined ? "" : `confidence ${one.confidence.toFixed(2)}`;
  made.append(head(index.strategies[strategy], one, names, [chose, sure, tokens(one), one.error]));
  if (one.text) made.append(foldedText("Response", one.text));
  if (one.thinking) made.append(foldedText("Thinking", one.thinking));
  (one.others ?? []).forEach((other, place) =>
    made.append(foldedText(`Output ${place + 2}: ${other.answer ?? "no answer"}`, other.text)));
  calls.forEach((call) => made.append(prompt(call)));
  if (one.trace) made.append(foldedText("Trace", JSON.stringify(one.trace, null, 2), "text code"));
  return made;
}

function prompt(call) {
  return folded(`Prompt for the ${call.role}`, (into) => {
    call.messages.forEach(([role, text]) => into.append(make("div", "text code", `[${role}]\n${text}`)));
  });
}

/** Generations that no decision quotes: verdicts of judges, earlier rounds, other runs in the store. */
function otherCalls(calls) {
  return folded(`${calls.length} more model calls on this problem`, (into) => calls.forEach((call) => {
    into.append(prompt(call));
    call.outputs.forEach((output) => {
      into.append(foldedText(`Output of the ${call.role}`, output.text));
      if (output.thinking) into.append(foldedText(`Thinking of the ${call.role}`, output.thinking));
    });
  }));
}

function show(place, number) {
  const problem = index.problems[place], detail = detailOf(place), group = detail.groups[number];
  const names = letters(group), into = byId("detail");
  const gold = make("p", "gold");
  gold.append("Gold answer: ", make("strong", "answer", problem.gold ?? "not known"));
  into.replaceChildren(make("h3", "", problem.id), make("div", "text question", detail.question), gold);
  if (detail.messages.length > 1)
    into.append(foldedText("All messages", detail.messages.map(([role, text]) => `[${role}]\n${text}`).join("\n\n"), "text code"));
  if (detail.groups.length > 1) into.append(groupButtons(place, detail, number));
  into.append(make("h4", "", "Decisions"));
  group.decisions.forEach((one, strategy) => {
    const own = detail.calls.filter((call) => call.by.some(([g, s]) => g === number && s === strategy));
    into.append(decision(one, strategy, names, own));
  });
  into.append(make("h4", "", "Candidates"));
  group.candidates.forEach((one) => into.append(candidate(one, names)));
  const others = detail.calls.filter((call) => !call.by.length);
  if (others.length) into.append(otherCalls(others));
}

function groupButtons(place, detail, number) {
  const made = make("div", "groups");
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", "Groups of candidates");
  detail.groups.forEach((group, at) => {
    const button = make("button", "", `Group ${at + 1}`);
    button.type = "button";
    button.setAttribute("aria-pressed", String(at === number));
    button.addEventListener("click", () => show(place, at));
    made.append(button);
  });
  return made;
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
