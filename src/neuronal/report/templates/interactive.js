const narrow = matchMedia("(max-width: 600px)");
const dark = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  const look = `${narrow.matches ? "narrow" : "wide"} ${dark.matches ? "dark" : "light"}`;
  document.querySelectorAll("figure").forEach((figure) => {
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent)[look];
    Plotly.react(figure.querySelector("div"), data, layout, { responsive: true, displaylogo: false });
  });
}
[narrow, dark].forEach((query) => query.addEventListener("change", draw));
draw();
