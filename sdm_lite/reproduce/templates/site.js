/* The search and the guidance slider of the pages of the course. No network: search.js has the text of all pages. */
"use strict";

const home = document.body.dataset.home;
const form = document.getElementById("search"), words = document.getElementById("words");
const results = document.getElementById("results"), said = document.getElementById("found");
const list = results.querySelector("ol");
const MOST = 20;

/** How well a section answers: every word must occur; one in the heading counts ten times, a notebook before a page. */
function score(section, wanted) {
  const title = section.title.toLowerCase(), text = section.text.toLowerCase();
  let sum = 0;
  for (const word of wanted) {
    const hits = text.split(word).length - 1 + 10 * (title.split(word).length - 1);
    if (!hits) return 0;
    sum += hits;
  }
  return section.href.startsWith("docs/") ? sum : 3 * sum;
}

/** Some words of a section around the first hit. */
function excerpt(section, word) {
  const from = section.text.toLowerCase().indexOf(word) - 60;
  const at = from <= 0 ? 0 : section.text.indexOf(" ", from) + 1;
  return (at ? "..." : "") + section.text.slice(at, at + 180) + (at + 180 < section.text.length ? "..." : "");
}

function search() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  results.hidden = !wanted.length;
  list.replaceChildren();
  if (!wanted.length) return;
  const hits = SECTIONS.map((section) => [score(section, wanted), section]).filter(([hit]) => hit);
  hits.sort((a, b) => b[0] - a[0]);
  said.textContent = hits.length ? `${hits.length} places` + (hits.length > MOST ? `, the first ${MOST}:` : ":") : "Nothing found.";
  for (const [, section] of hits.slice(0, MOST)) {
    const item = document.createElement("li"), link = document.createElement("a"), small = document.createElement("small");
    link.href = home + section.href;
    link.textContent = section.page === section.title ? section.page : `${section.page}: ${section.title}`;
    small.textContent = excerpt(section, wanted[0]);
    item.append(link, small);
    list.append(item);
  }
}

form.hidden = false;
words.addEventListener("input", search);
form.addEventListener("submit", (event) => { event.preventDefault(); list.querySelector("a")?.focus(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); words.focus(); }
  if (event.key === "Escape" && !results.hidden) { words.value = ""; search(); words.focus(); }
});

for (const figure of document.querySelectorAll(".guidance")) {
  const scales = figure.dataset.scales.split(" "), slider = figure.querySelector("input");
  const show = () => {
    const scale = Number(scales[slider.value]);
    figure.style.setProperty("--column", Number(slider.value) + 1);
    figure.querySelector("output").textContent = scale;
    slider.setAttribute("aria-valuetext", `guidance scale ${scale}`);
    figure.querySelector(".tiles").setAttribute("aria-label", `Four label maps and a sample of each at guidance scale ${scale}`);
  };
  slider.addEventListener("input", show);
  figure.querySelector(".moves").hidden = false;
  figure.querySelector(".still").hidden = true;
  show();
}

// What is wider than the page can be scrolled with the keyboard.
for (const box of document.querySelectorAll("pre, table, math[display=block]")) {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}
