"""The widgets in JupyterLab, as a person uses them: with the mouse, with the keyboard, and wrongly."""

import re

import numpy as np
import pytest
from colour_vision import contrast
from hands import DRAWN, answered, changed, choose, no_traceback, part, picture, pixels, sample, src, stroke
from servers import run_all


class TestLab:
    def test_painting_with_the_mouse(self, lab, shot):
        painter = part(lab, "painter")
        sample(painter).wait_for()
        before, drawn = pixels(painter), src(sample(painter))
        shot(lab, "before")
        choose(painter, "water")
        preview = stroke(lab, painter)
        assert preview != before
        answered(lab, painter)
        lab.wait_for_timeout(300)
        assert pixels(painter) == preview  # Python painted what the page had shown
        changed(lab, lambda: sample(painter), drawn)
        shot(lab)
        no_traceback(lab)

    @pytest.mark.parametrize("tool, brush", [("Brush (B)", "9 px"), ("Brush (B)", "1 px"), ("Rectangle (R)", "3 px")])
    def test_the_preview_is_what_python_paints(self, lab, tool, brush):
        painter = part(lab, "painter")
        choose(painter, tool)
        choose(painter, brush)
        choose(painter, "car")
        preview = stroke(lab, painter, (0.15, 0.3), (0.6, 0.95))
        lab.wait_for_timeout(1500)
        assert pixels(painter) == preview

    def test_fill_swap_undo_and_starts(self, lab, shot):
        painter = part(lab, "painter")
        choose(painter, "Fill (F)")
        choose(painter, "sun")
        before = pixels(painter)
        canvas = painter.locator("canvas").bounding_box()
        lab.mouse.click(canvas["x"] + 5, canvas["y"] + 5)
        self.wait_for_other_pixels(lab, painter, before)
        filled = pixels(painter)
        painter.get_by_role("button", name="Undo").click()
        self.wait_for_other_pixels(lab, painter, filled)
        assert pixels(painter) == before
        painter.get_by_label("Class to turn", exact=True).select_option(label="grass")
        painter.get_by_label("Class to turn it into", exact=True).select_option(label="water")
        painter.get_by_role("button", name="Turn everywhere").click()
        self.wait_for_other_pixels(lab, painter, before)
        swapped = pixels(painter)
        painter.get_by_label("Start from", exact=True).select_option(label="village")
        painter.get_by_role("button", name="Start from it").click()
        self.wait_for_other_pixels(lab, painter, swapped)
        shot(lab)
        no_traceback(lab)

    def test_painting_with_the_keyboard(self, lab):
        painter = part(lab, "painter")
        canvas, before = painter.locator("canvas"), pixels(painter)
        canvas.focus()
        for key in ("b", "ArrowUp", "ArrowLeft", " "):
            lab.keyboard.press(key)
        self.wait_for_other_pixels(lab, painter, before)
        assert re.search(r"row \d+, column \d+: \w+", painter.locator(".sdm-line").inner_text())
        lab.keyboard.press("Control+z")
        lab.wait_for_timeout(800)
        assert pixels(painter) == before
        no_traceback(lab)

    def test_every_control_of_the_painter_by_keyboard_alone(self, lab, shot):
        painter = part(lab, "painter")
        press = lab.keyboard.press
        num_cells = lab.locator(".jp-Cell").count()
        painter.get_by_role("radio", name="sky", exact=True).focus()
        press("ArrowRight")  # from one class to the next, as in any group of radio buttons
        assert painter.get_by_role("radio", name="sun", exact=True).is_checked()
        for key in ("Tab", "ArrowDown", "Tab", "ArrowUp"):  # to the tools: rectangle; to the brushes: 1 px
            press(key)
        assert painter.get_by_role("radio", name="Rectangle (R)").is_checked()
        assert painter.get_by_role("radio", name="1 px").is_checked()
        before = pixels(painter)
        painter.locator("canvas").focus()
        for key in ("r", " ", "Shift+ArrowDown", "Shift+ArrowRight", "Enter"):
            press(key)
        self.wait_for_other_pixels(lab, painter, before)
        painted = pixels(painter)
        assert sum(a != b for a, b in zip(painted[::4], before[::4], strict=True)) > 10  # a rectangle of 5 x 5
        press("f")
        press(" ")
        press("Control+z")
        self.wait_for_pixels(lab, painter, before)
        press("Control+y")
        self.wait_for_pixels(lab, painter, painted)
        for name in ("Undo", "Fill all", "Turn everywhere", "Start from it"):
            before = pixels(painter)
            painter.get_by_role("button", name=name).focus()
            press("Enter" if name != "Fill all" else " ")
            self.wait_for_other_pixels(lab, painter, before)
            if name == "Fill all":  # all sun: from sun into sky is something to turn
                painter.get_by_label("Class to turn", exact=True).select_option(label="sun")
                painter.get_by_label("Class to turn it into", exact=True).select_option(label="sky")
        assert lab.locator(".jp-Cell").count() == num_cells  # no key reached the notebook
        shot(lab)
        no_traceback(lab)

    def test_a_map_of_one_class(self, lab):
        painter = part(lab, "painter")
        choose(painter, "tree")
        painter.get_by_role("button", name="Fill all").click()
        painter.get_by_text("the map is all tree").wait_for()
        no_traceback(lab)

    def test_scrubbing_the_scale(self, lab, shot):
        panel = part(lab, "panel")
        panel.get_by_text(DRAWN).wait_for()
        picture(panel, "sample, s = 1.5").wait_for()
        shot(lab, "before")
        handle = panel.get_by_role("slider", name="Guidance scale s")
        assert handle.get_attribute("aria-valuetext") == "1.5"
        handle.focus()
        lab.keyboard.press("ArrowRight")
        picture(panel, "sample, s = 5").wait_for(timeout=10_000)
        lab.wait_for_function("e => e.getAttribute('aria-valuetext') === '5'", arg=handle.element_handle())
        lab.keyboard.press("ArrowLeft")
        lab.keyboard.press("ArrowLeft")
        picture(panel, "sample, s = 0").wait_for(timeout=10_000)
        assert panel.get_by_text("null - cond", exact=True).count() == 1
        shot(lab)
        no_traceback(lab)

    def test_a_live_run_is_cancelled(self, lab, shot):
        panel = part(lab, "panel")
        panel.get_by_label("Steps").fill("900")
        panel.get_by_label("Steps").press("Enter")
        panel.get_by_role("button", name="live").click()
        panel.get_by_text(re.compile(r"step \d+ of 9\d\d, \d+ s left")).wait_for()
        picture(panel, "s = ").wait_for()
        shot(lab, "running")
        panel.get_by_role("button", name="Cancel").click()
        panel.get_by_text("cancelled").wait_for(timeout=10_000)
        shot(lab)
        no_traceback(lab)

    def test_a_scale_typed_as_text(self, lab, shot):
        panel = part(lab, "panel")
        panel.get_by_label("Steps").fill("10")
        panel.get_by_label("Steps").press("Enter")
        typed = panel.get_by_role("textbox", name="Guidance scale s")
        typed.fill("very strong")
        typed.press("Enter")
        panel.get_by_role("alert").get_by_text("guidance_scale must be a finite number").wait_for()
        shot(lab)
        typed.fill("4")
        typed.press("Enter")
        picture(panel, "sample, s = 4").wait_for()
        no_traceback(lab)

    def test_two_widgets_sampling_at_once(self, lab):
        panel, painter = part(lab, "panel"), part(lab, "painter")
        steps = part(lab, "panel").get_by_label("Steps")
        steps.fill("200")
        steps.press("Enter")
        panel.get_by_text(re.compile(r"step \d+ of")).wait_for()
        part(lab, "painter")
        choose(painter, "grass")
        painter.get_by_role("button", name="Fill all").click()
        painter.get_by_text("waiting for another picture").wait_for()
        painter.get_by_text("the map is all grass").wait_for()
        no_traceback(lab)

    def test_voting(self, lab, shot):
        study = part(lab, "study")
        study.get_by_text("pair 1 of 3").wait_for()
        study.get_by_role("button", name="Left is better").click()
        study.get_by_text("pair 2 of 3").wait_for()
        study.get_by_role("button", name="Right is better").press("Enter")  # the keyboard does too
        study.get_by_text("pair 3 of 3").wait_for()
        assert (lab.folder / "votes.csv").read_text().count("\n") == 3
        study.get_by_role("button", name="Show result").click()
        study.get_by_text(re.compile(r"of 2 votes.*interval")).wait_for()
        shot(lab)
        no_traceback(lab)

    def test_everything_has_a_name_for_a_screen_reader(self, lab):
        for name in ("painter", "panel", "study"):
            widget = part(lab, name).locator(".jp-Cell-outputArea")
            nameless = widget.locator("button, select, input, canvas, img, [role=slider]").evaluate_all(
                """all => all.filter(e => e.offsetParent && !(e.alt || e.ariaLabel || e.title || e.innerText ||
                   [...(e.labels || [])].some(l => l.innerText))).map(e => e.outerHTML.slice(0, 120))"""
            )
            assert nameless == []
        panel = part(lab, "panel")
        pressed = {name: panel.get_by_role("button", name=name, exact=True) for name in ("scrub", "live")}
        states = {name: button.get_attribute("aria-pressed") for name, button in pressed.items()}
        assert sorted(states.values()) == ["false", "true"]

    @pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
    def test_readable_in_both_themes_and_enlarged(self, lab, theme, shot):
        lab.locator("#jp-MainMenu").get_by_text("Settings", exact=True).click()
        lab.locator(".lm-Menu").get_by_text("Theme", exact=True).hover()
        lab.locator(".lm-Menu").get_by_text(theme, exact=True).click()
        lab.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=theme)
        lab.set_viewport_size({"width": 1280 * 4 // 5, "height": 1000 * 4 // 5})  # what a zoom of 125 % leaves
        try:
            for name in ("painter", "panel", "study"):
                widget = part(lab, name).locator(".jp-Cell-outputArea").first
                lab.wait_for_timeout(400)
                shot(lab, name)
                assert faint_texts(widget) == []
                assert widget.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
        finally:
            lab.set_viewport_size({"width": 1280, "height": 1000})

    def test_a_kernel_that_restarts_under_a_live_painter(self, lab, shot):
        painter = part(lab, "painter")
        lab.locator("#jp-MainMenu").get_by_text("Kernel", exact=True).click()
        lab.locator('[data-command="kernelmenu:restart"]').first.click()
        lab.locator(".jp-Dialog .jp-mod-accept").click()
        lab.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle")).wait_for()
        part(lab, "painter")
        choose(painter, "Brush (B)")
        stroke(lab, painter)
        painter.get_by_text("Python does not answer").wait_for(timeout=15_000)
        shot(lab, "silent")
        lab.errors.clear()  # what JupyterLab itself says about the kernel that is gone
        run_all(lab)
        painter = part(lab, "painter")
        sample(painter).wait_for()
        before = pixels(painter)
        choose(painter, "road")
        stroke(lab, painter)
        answered(lab, painter)
        assert pixels(painter) != before
        shot(lab)
        no_traceback(lab)

    @staticmethod
    def wait_for_other_pixels(page, painter, before):
        for _ in range(100):
            if pixels(painter) != before:
                return
            page.wait_for_timeout(100)
        raise AssertionError("the map has not changed")

    @staticmethod
    def wait_for_pixels(page, painter, expected):
        for _ in range(100):
            if pixels(painter) == expected:
                return
            page.wait_for_timeout(100)
        raise AssertionError("the map is not what it should be")


def faint_texts(widget):
    """Texts whose contrast to the page behind them is below 4.5 (WCAG 2.1), with the contrast."""
    return [
        f"{found['text']}: {ratio:.1f}"
        for found in widget.evaluate(TEXTS)
        if (ratio := contrast(np.array(found["colour"]), np.array(found["behind"]))) < 4.5
    ]


# Every text that is seen, with its colour and the colour behind it; what is disabled may be faint.
TEXTS = """root => {
  const parse = text => text.match(/[0-9.]+/g).map(Number);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.5) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [], walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim().slice(0, 30);
    if (!text || !e.offsetParent || e.closest("button:disabled, option, .jp-OutputPrompt")) continue;
    found.push({ text, colour: parse(getComputedStyle(e).color).slice(0, 3), behind: behind(e) });
  }
  return found;
}"""
