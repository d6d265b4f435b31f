// One problem: its decisions, its candidates, any two texts side by side.

/** A folded text, put into the document when it is opened. */
function folded(title, fill) {
  const made = make("details");
  made.append(make("summary", "", title));
  made.addEventListener("toggle", () => {
    if (made.open && made.childElementCount === 1) fill(made);
  });
  return made;
}

const foldedCode = (title, text) => folded(title, (into) => into.append(make("div", "text code", text)));

function foldedText(title, text, formulas) {
  return folded(title, (into) => into.append(write(make("div", "text"), text, formulas)));
}

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

function head(name, one, names, facts, formulas) {
  const made = make("div", "head");
  const answer = make("span", "answer");
  if (one.answer === undefined) answer.append(one.outcome ?? "no answer");
  else writeAnswer(answer, one.answer, formulas);
  made.append(make("span", "name", name), badge(one.class, names), answer, ...graded(one.correct));
  const known = facts.filter(Boolean);
  if (known.length) made.append(make("span", "small", known.join(" · ")));
  return made;
}

const tokensOf = (one) => one.tokens === undefined ? "" : `${one.tokens.toLocaleString("en")} tokens`;

function candidate(one, names, formulas) {
  const made = make("div", "card candidate");
  const score = one.score === undefined ? "" : `score ${one.score.toPrecision(4)}`;
  const facts = [one.model, tokensOf(one), score, one.unfinished ? "cut off" : "", one.error];
  made.append(head(`Candidate ${one.index}`, one, names, facts, formulas));
  if (one.text) made.append(foldedText("Response", one.text, formulas));
  if (one.thinking) made.append(foldedText("Thinking", one.thinking, formulas));
  return made;
}

function decision(one, strategy, names, calls, formulas) {
  const made = make("div", "card decision");
  const chose = one.chosen === undefined ? (one.text ? "wrote its own" : "") : `chose candidate ${one.chosen}`;
  const sure = one.confidence === undefined ? "" : `confidence ${one.confidence.toFixed(2)}`;
  made.append(head(index.strategies[strategy], one, names, [chose, sure, tokensOf(one), one.error], formulas));
  if (one.text) made.append(foldedText("Response", one.text, formulas));
  if (one.thinking) made.append(foldedText("Thinking", one.thinking, formulas));
  (one.others ?? []).forEach((other, place) =>
    made.append(foldedText(`Output ${place + 2}: ${other.answer ?? "no answer"}`, other.text, formulas)));
  calls.forEach((call) => made.append(prompt(call)));
  if (one.trace) made.append(foldedCode("Trace", JSON.stringify(one.trace, null, 2)));
  return made;
}

function prompt(call) {
  return folded(`Prompt for the ${call.role}`, (into) => {
    call.messages.forEach(([role, text]) => into.append(make("div", "text code", `[${role}]\n${text}`)));
  });
}

/** Generations that no decision quotes: verdicts of judges, earlier rounds, other runs in the store. */
function otherCalls(calls, formulas) {
  return folded(`${calls.length} more model calls on this problem`, (into) => calls.forEach((call) => {
    into.append(prompt(call));
    call.outputs.forEach((output) => {
      into.append(foldedText(`Output of the ${call.role}`, output.text, formulas));
      if (output.thinking) into.append(foldedText(`Thinking of the ${call.role}`, output.thinking, formulas));
    });
  }));
}

// --- side by side ---

/** The texts that can stand beside each other: candidates, and what strategies wrote themselves. */
function texts(group, names) {
  const letter = (one) => (one.class === undefined ? "no answer" : names.get(one.class) ?? "new");
  const candidates = group.candidates.filter((one) => one.text)
    .map((one) => ({ ...one, name: `Candidate ${one.index} (${letter(one)})` }));
  const written = group.decisions.map((one, place) => ({ ...one, name: `${index.strategies[place]} (${letter(one)})` }))
    .filter((one) => one.text);
  return [...candidates, ...written];
}

/** At first the largest class beside another one, where there is another. */
function firstPair(all, names) {
  const largest = [...names.keys()][0];
  const left = Math.max(0, all.findIndex((one) => one.class === largest));
  const other = all.findIndex((one, place) => place !== left && one.class !== all[left].class);
  return [left, other >= 0 ? other : left ? 0 : 1];
}

function sideBySide(group, names, formulas) {
  const all = texts(group, names), chosen = firstPair(all, names);
  const made = make("div", "pair");
  const panes = ["left", "right"].map((side, at) => {
    const pane = make("div", "pane"), choice = make("select");
    choice.setAttribute("aria-label", `Text on the ${side}`);
    all.forEach((one, place) => choice.append(new Option(one.name, place, false, place === chosen[at])));
    choice.addEventListener("change", () => { chosen[at] = Number(choice.value); fill(); });
    pane.append(choice, make("div", "text"));
    made.append(pane);
    return pane;
  });
  const note = make("p", "note");
  const fill = () => {
    const [a, b] = chosen.map((place) => tokens(all[place].text, formulas));
    const known = shared(a, b);
    [a, b].forEach((found, at) => {
      const into = panes[at].querySelector(".text");
      into.replaceChildren();
      writeMarked(into, found, known[at], formulas);
    });
    const marked = known.map((side) => side.filter((one) => !one).length);
    note.textContent = marked[0] + marked[1] ? "Marked is what the other text does not have." : "Both texts are the same.";
  };
  fill();
  return [made, note];
}

// --- all of it ---

function show(place, number) {
  const problem = index.problems[place], detail = detailOf(place), group = detail.groups[number];
  const names = letters(group), into = byId("detail"), formulas = detail.formulas;
  const gold = make("p", "gold");
  const known = problem.gold === null ? make("strong", "answer", "not known")
    : writeAnswer(make("strong", "answer"), problem.gold, formulas);
  gold.append("Gold answer: ", known);
  into.replaceChildren(title(place, number), write(make("div", "text question"), detail.question, formulas), gold);
  if (detail.messages.length > 1)
    into.append(foldedCode("All messages", detail.messages.map(([role, text]) => `[${role}]\n${text}`).join("\n\n")));
  if (detail.groups.length > 1) into.append(groupButtons(place, detail, number));
  into.append(make("h4", "", "Decisions"));
  const decisions = make("div", "cards"), candidates = make("div", "cards");
  group.decisions.forEach((one, strategy) => {
    const own = detail.calls.filter((call) => call.by.some(([g, s]) => g === number && s === strategy));
    decisions.append(decision(one, strategy, names, own, formulas));
  });
  group.candidates.forEach((one) => candidates.append(candidate(one, names, formulas)));
  into.append(decisions, make("h4", "", "Candidates"), candidates);
  if (texts(group, names).length > 1) into.append(make("h4", "", "Side by side"), ...sideBySide(group, names, formulas));
  const others = detail.calls.filter((call) => !call.by.length);
  if (others.length) into.append(otherCalls(others, formulas));
}

/** The problem's name with the address of what is shown, and the switch of its mathematics. */
function title(place, number) {
  const made = make("div", "title"), link = make("a", "link", `#${place + 1}`);
  link.href = address(place, number);
  link.title = "the address of this problem";
  made.append(make("h3", "", index.problems[place].id), link);
  if (Object.keys(detailOf(place).formulas ?? {}).length && FORMULA) {
    const label = make("label", "switch"), box = make("input");
    box.type = "checkbox";
    box.checked = asWritten;
    box.addEventListener("change", () => { asWritten = box.checked; show(place, number); });
    label.append(box, "mathematics as written");
    made.append(label);
  }
  return made;
}

function groupButtons(place, detail, number) {
  const made = make("div", "groups");
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", "Groups of candidates");
  detail.groups.forEach((group, at) => {
    const button = make("button", "", `Group ${at + 1}`);
    button.type = "button";
    button.setAttribute("aria-pressed", String(at === number));
    button.addEventListener("click", () => go(place, at));
    made.append(button);
  });
  return made;
}
