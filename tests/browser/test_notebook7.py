"""The first lesson in Notebook 7, run as a person runs it."""

from hands import DRAWN, answered, choose, no_traceback, part, picture, pixels, src, stroke


class TestNotebook7:
    def test_the_first_notebook(self, notebook7, shot):
        page = notebook7
        page.errors.clear()  # what Notebook 7 says of its own settings as it starts
        panel = part(page, "panel")
        picture(panel, "sample, s = 1.5").wait_for()
        panel.get_by_text(DRAWN).wait_for()
        before = src(picture(panel, "sample, s = 1.5"))
        panel.get_by_role("slider", name="Guidance scale s").focus()
        page.keyboard.press("ArrowRight")
        assert src(picture(panel, "sample, s = 5")) != before
        shot(page, "panel")
        painter = part(page, "painter")
        before = pixels(painter)
        choose(painter, "water")
        preview = stroke(page, painter)
        answered(page, painter)
        assert before != preview and pixels(painter) == preview
        shot(page, "painter")
        no_traceback(page)
