"use strict";
// What Plotly does not do by itself: one switch for all panels, the page's colours, folded panels.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const plots = () => [...document.querySelectorAll(".plotly-graph-div")];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function paint() {
  for (const plot of plots()) {
    const axis = { gridcolor: colour("--grid"), linecolor: colour("--soft"), tickcolor: colour("--soft") };
    const layout = {
      "font.color": colour("--ink"), "hoverlabel.bgcolor": colour("--paper"),
      "hoverlabel.font.color": colour("--ink"), "hoverlabel.bordercolor": colour("--soft"),
    };
    for (const [key, value] of Object.entries(axis)) {
      layout["xaxis." + key] = value;
      layout["yaxis." + key] = value;
    }
    Plotly.relayout(plot, layout);
    // Black lines are invisible on a dark page.
    plot.data.forEach((trace, index) => {
      if (["#000000", "#e6e8ea"].includes(trace.line.color)) {
        Plotly.restyle(plot, { "line.color": dark.matches ? "#e6e8ea" : "#000000" }, [index]);
      }
    });
  }
}

function show(algorithm, visible) {
  for (const plot of plots()) {
    const own = plot.data.flatMap((trace, index) => (trace.legendgroup === algorithm ? [index] : []));
    if (own.length) Plotly.restyle(plot, { visible }, own);
  }
}

for (const box of document.querySelectorAll("[data-algorithm]")) {
  box.addEventListener("change", () => {
    const algorithm = box.dataset.algorithm;
    for (const same of document.querySelectorAll(`[data-algorithm="${algorithm}"]`)) {
      same.checked = box.checked;
    }
    show(algorithm, box.checked);
  });
  if (!box.checked) show(box.dataset.algorithm, false); // as the browser remembers it
}
for (const folded of document.querySelectorAll("details.plot")) {
  folded.addEventListener("toggle", () => {
    if (folded.open) folded.querySelectorAll(".plotly-graph-div").forEach((p) => Plotly.Plots.resize(p));
  });
}
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((folded) => { folded.open = true; });
});
dark.addEventListener("change", paint);
paint();
