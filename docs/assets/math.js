// Typesets what pymdownx.arithmatex marked, and the $...$ of notebooks, with the KaTeX that lies
// beside this file.
function render(text, displayMode, element) {
  katex.render(text, element, { displayMode, throwOnError: false });
}

function typeset() {
  document.querySelectorAll(".arithmatex").forEach((element) => {
    const text = element.textContent;
    render(text.slice(2, -2), text.startsWith("\\["), element);
  });
  document.querySelectorAll(".jp-RenderedMarkdown").forEach((cell) => {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    nodes.filter((node) => !node.parentElement.closest("code, pre")).forEach(typesetText);
  });
}

function typesetText(node) {
  // Splitting at a pattern with two groups gives text, display, inline, text, and so on.
  const parts = node.textContent.split(/\$\$([^$]+)\$\$|\$([^$]+)\$/);
  if (parts.length === 1) return;
  const pieces = [parts[0]];
  for (let i = 1; i < parts.length; i += 3) {
    const span = document.createElement("span");
    render(parts[i] ?? parts[i + 1], parts[i] !== undefined, span);
    pieces.push(span, parts[i + 2]);
  }
  node.replaceWith(...pieces);
}
document.addEventListener("DOMContentLoaded", typeset);
