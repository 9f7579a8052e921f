// Where require.js finds what the widgets ask for: beside this page, never on another host.
(() => {
  const root = new URL(".", document.currentScript.src).href;
  require.config({
    paths: {
      anywidget: `${root}anywidget/dist/index`,
      "@jupyter-widgets/html-manager/dist": `${root}html-manager/dist`,
    },
  });
  // html-manager still speaks MathJax 2.
  window.MathJax = window.MathJax || {};
  window.MathJax.Hub = window.MathJax.Hub || {
    Queue: ([, , element]) => window.MathJax.typesetPromise?.(element ? [element] : undefined),
    Config: () => {},
    Configured: () => {},
  };
})();
