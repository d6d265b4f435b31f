// Mathematics and differences in texts. Whatever a model wrote reaches the page by textContent only.

const MATHML = "http://www.w3.org/1998/Math/MathML";
const FORMULA = patternOf(index.formula);
let asWritten = false; // whether mathematics is shown as LaTeX

/** What is taken for mathematics; a browser that cannot read the expression shows texts as they are. */
function patternOf(text) {
  try {
    return new RegExp(text, "g");
  } catch {
    return null;
  }
}

/** Nested lists `[tag, attributes, child, …]` as elements, in the namespace of MathML whatever they say. */
function mathml([tag, attributes, ...children]) {
  const made = document.createElementNS(MATHML, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((one) => (typeof one === "string" ? one : mathml(one))));
  return made;
}

function formula(source, formulas) {
  const made = mathml(formulas[source]);
  made.setAttribute("aria-label", source);
  return made;
}

/** A text in parts: its formulas, where they can be set, and what stands between them. */
function parts(text, formulas) {
  if (asWritten || !FORMULA || !formulas) return [text];
  const found = [];
  let end = 0;
  for (const match of text.matchAll(FORMULA)) {
    if (!Object.hasOwn(formulas, match[0])) continue;
    found.push(text.slice(end, match.index), match[0]);
    end = match.index + match[0].length;
  }
  return [...found, text.slice(end)];
}

/** Put a text into an element, its mathematics set. */
function write(into, text, formulas) {
  parts(text, formulas).forEach((part, place) => into.append(place % 2 ? formula(part, formulas) : part));
  return unbroken(into);
}

/** A formula in a line of its own breaks the line itself: the text's own breaks around it would be empty lines. */
function unbroken(into) {
  for (const one of into.querySelectorAll("math[display=block]")) {
    const [before, after] = [one.previousSibling, one.nextSibling];
    if (before?.nodeType === Node.TEXT_NODE) before.data = before.data.replace(/\n[ \t]*$/, "");
    if (after?.nodeType === Node.TEXT_NODE) after.data = after.data.replace(/^[ \t]*\n/, "");
  }
  return into;
}

/** The same for an answer, which is mathematics by itself. */
function writeAnswer(into, answer, formulas) {
  const source = `$${answer}$`;
  const known = !asWritten && formulas && Object.hasOwn(formulas, source);
  into.append(known ? formula(source, formulas) : answer);
  if (known) into.title = answer;
  return into;
}

// --- differences ---

const WORDS = /\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu;
const MOST_EDITS = 800; // more of them are a text of its own: all of it is marked

/** A text as what is compared: its words, signs, spaces, and each formula as a whole. */
function tokens(text, formulas) {
  return parts(text, formulas).flatMap((part, place) => (place % 2 ? [part] : part.match(WORDS) ?? []));
}

/** For each token of two lists whether the other has it, by the shortest way from one to the other (Myers 1986). */
function shared(a, b) {
  const ours = new Array(a.length).fill(false), theirs = new Array(b.length).fill(false);
  let start = 0, endA = a.length, endB = b.length;
  const both = (i, j) => { ours[i] = theirs[j] = true; };
  while (start < endA && start < endB && a[start] === b[start]) both(start, start++);
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) both(--endA, --endB);
  const n = endA - start, m = endB - start, steps = [];
  let far = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(n + m, MOST_EDITS); d++) {
    steps.push(new Map(far));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (far.get(k - 1) ?? -1) < (far.get(k + 1) ?? -1));
      let x = down ? far.get(k + 1) ?? 0 : (far.get(k - 1) ?? 0) + 1;
      while (x < n && x - k < m && a[start + x] === b[start + x - k]) x++;
      far.set(k, x);
      if (x >= n && x - k >= m) {
        back(steps, n, m, (i, j) => both(start + i, start + j));
        return [ours, theirs];
      }
    }
  }
  return [ours, theirs];
}

function back(steps, n, m, both) {
  let x = n, y = m;
  for (let d = steps.length - 1; d >= 0; d--) {
    const far = steps[d], k = x - y;
    const down = k === -d || (k !== d && (far.get(k - 1) ?? -1) < (far.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1, fromX = d ? far.get(before) : 0, fromY = fromX - before;
    while (x > (d ? fromX : 0) && y > (d ? fromY : 0)) both(--x, --y);
    [x, y] = [fromX, fromY];
  }
}

/** Put tokens into an element; what the other text does not have is marked. */
function writeMarked(into, found, known, formulas) {
  let mark = null;
  found.forEach((one, place) => {
    const set = !asWritten && formulas && Object.hasOwn(formulas, one) ? formula(one, formulas) : one;
    if (known[place]) mark = null;
    else if (!mark) into.append(mark = make("mark"));
    (known[place] ? into : mark).append(set);
  });
  into.normalize();
  return unbroken(into);
}
