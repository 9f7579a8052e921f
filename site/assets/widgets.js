// Where require.js finds what the widgets ask for: beside this page, never on another host.
(() => {
  const root = new URL(".", document.currentScript.src).href;
  window.ganNetworks = { root: `${root}networks/` }; // weights that the widgets of a page read on first use
  require.config({
    paths: {
      anywidget: `${root}anywidget/dist/index`,
      "@jupyter-widgets/html-manager/dist": `${root}html-manager/dist`,
      // it seeks its icon fonts where it seems to lie
      "@jupyter-widgets/html-manager": `${root}html-manager/dist/index`,
    },
  });
  // html-manager still speaks MathJax 2, and MathJax 3 puts a new object in the place of its settings when it starts:
  // whatever stands there gets the old words
  const hub = {
    Queue: ([, , element]) => window.MathJax.typesetPromise?.(element ? [element] : undefined),
    Config: () => {},
    Configured: () => {},
  };
  let current;
  const keep = (value) => {
    current = value;
    if (value && !value.Hub) Object.defineProperty(value, "Hub", { value: hub, configurable: true });
  };
  keep(window.MathJax || {});
  Object.defineProperty(window, "MathJax", { get: () => current, set: keep, configurable: true });
})();
