// Draws what the page carries as JSON. Colours come from the stylesheet, so both themes fit.
(() => {
  const canvas = document.getElementById("hours-chart");
  if (!canvas || !window.Chart) return;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  let chart = null;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const draw = () => {
    const source = document.getElementById("hours-data");
    if (!source) return;
    const data = JSON.parse(source.textContent);
    const datasets = data.series.map((series) => ({
      label: series.label,
      data: series.values,
      backgroundColor: colour(`--${series.tone}-line`),
      borderColor: colour("--surface"),
      borderWidth: 1,
      stack: "all",
      maxBarThickness: 34,
    }));
    if (chart) {
      chart.data.labels = data.labels;
      chart.data.datasets = datasets;
    } else {
      chart = new Chart(canvas, {
        type: "bar",
        data: { labels: data.labels, datasets },
        options: {
          responsive: true,
          maintainAspectRatio: false,
          animation: still ? false : { duration: 350 },
          interaction: { mode: "index", intersect: false },
          plugins: { legend: { position: "bottom", labels: { boxWidth: 12, boxHeight: 12, useBorderRadius: true, borderRadius: 3 } } },
          scales: { x: { stacked: true, grid: { display: false } }, y: { stacked: true, beginAtZero: true, ticks: { precision: 0 } } },
        },
      });
    }
    chart.options.plugins.legend.labels.color = colour("--ink-2");
    chart.options.font = { family: getComputedStyle(document.body).fontFamily };
    for (const axis of ["x", "y"]) {
      chart.options.scales[axis].ticks.color = colour("--ink-2");
      chart.options.scales[axis].border = { color: colour("--line") };
    }
    chart.options.scales.y.grid = { color: colour("--line") };
    chart.update();
  };
  document.addEventListener("theme", draw);
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id === "figures") draw();
  });
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  draw();
})();
