// Typesets what pymdownx.arithmatex marked, with the KaTeX that lies beside this file.
function typeset() {
  document.querySelectorAll(".arithmatex").forEach((element) => {
    const text = element.textContent;
    const display = text.startsWith("\\[");
    katex.render(text.slice(2, -2), element, { displayMode: display, throwOnError: false });
  });
}
document.addEventListener("DOMContentLoaded", typeset);
