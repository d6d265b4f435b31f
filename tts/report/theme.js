"use strict";

function theme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
}

/** Copy the command; where the browser does not let a page do so, it is selected, to be copied by hand. */
async function copy() {
  const button = document.getElementById("copy"), command = document.getElementById("command");
  try {
    await navigator.clipboard.writeText(command.textContent);
    button.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(command);
    button.textContent = "selected";
  }
}

document.getElementById("theme").addEventListener("click", theme);
document.getElementById("copy")?.addEventListener("click", copy);
document.querySelector(".menu nav").addEventListener("click", (event) => {
  if (event.target.closest("a")) document.querySelector(".menu").open = false;
});
