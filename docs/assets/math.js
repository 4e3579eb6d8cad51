// Typesets mathematics with the KaTeX that lies beside this file.
function render(text, element, display) {
  katex.render(text, element, { displayMode: display, throwOnError: false });
}

// Pages: what pymdownx.arithmatex marked.
function typesetPage() {
  document.querySelectorAll(".arithmatex").forEach((element) => {
    const text = element.textContent;
    render(text.slice(2, -2), element, text.startsWith("\\["));
  });
}

// Notebooks: dollars in the text of Markdown cells, code left as it is.
function typesetNotebook() {
  const cells = document.querySelectorAll(".jp-RenderedMarkdown");
  cells.forEach((cell) => {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) {
      if (!walker.currentNode.parentElement.closest("code, pre")) nodes.push(walker.currentNode);
    }
    nodes.forEach((node) => {
      const parts = node.textContent.split(/(\$\$[^$]+\$\$|\$[^$]+\$)/);
      if (parts.length === 1) return;
      const pieces = parts.map((part, i) => {
        if (i % 2 === 0) return document.createTextNode(part);
        const span = document.createElement("span");
        const size = part.startsWith("$$") ? 2 : 1;
        render(part.slice(size, -size), span, size === 2);
        return span;
      });
      node.replaceWith(...pieces);
    });
  });
}

document.addEventListener("DOMContentLoaded", () => {
  typesetPage();
  typesetNotebook();
});
