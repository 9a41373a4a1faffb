// What ipywidgets leaves out for those who have no mouse or do not see. A screen reader hears the name of a slider and the
// value it stands at (else nothing, and a count of places), and whether a toggle button is pressed. And keys belong to
// the control that has the focus: JupyterLab and Notebook 7 would take the arrow keys of a slider to go to a heading.

function render({ el }) {
  let root = null, waiting = 0;
  const set = (element, name, value) => {
    if (element && element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  const text = (element, selector) => element.querySelector(selector)?.textContent.trim() ?? "";
  function tell() {
    for (const control of root.querySelectorAll(".noUi-handle, button, select, input")) {
      set(control, "data-lm-suppress-shortcuts", "true");
    }
    for (const slider of root.querySelectorAll(".widget-slider")) {
      const handle = slider.querySelector(".noUi-handle");
      set(handle, "aria-label", text(slider, ".widget-label"));
      set(handle, "aria-valuetext", text(slider, ".widget-readout"));
    }
    for (const button of root.querySelectorAll(".widget-toggle-button")) {
      set(button, "aria-pressed", String(button.classList.contains("mod-active")));
    }
  }
  const observer = new MutationObserver(tell);
  function start() {  // a widget is made before it is put on the page
    root = el.closest(".widget-vbox");
    if (!root) {
      waiting = window.setTimeout(start, 50);
      return;
    }
    const attributes = ["class", "aria-valuetext"];
    observer.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: attributes });
    tell();
  }
  start();
  return () => {
    window.clearTimeout(waiting);
    observer.disconnect();
  };
}

export default { render };
