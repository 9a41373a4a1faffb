"""The page of `python -m sdm_lite.app` in a real browser, served by Voila."""

from hands import answered, changed, choose, part, pixels, sample, src, stroke


class TestApp:
    def test_the_app_is_a_page_without_code(self, app, shot):
        painter = part(app, "painter")
        sample(painter).wait_for()
        assert "import" not in app.locator("body").inner_text() and app.locator(".jp-InputArea-editor").count() == 0
        shot(app)

    def test_painting(self, app, shot):
        painter = part(app, "painter")
        before, drawn = pixels(painter), src(sample(painter))
        choose(painter, "water")
        stroke(app, painter)
        answered(app, painter)
        assert pixels(painter) != before
        changed(app, lambda: app.locator('img[alt^="sample, s = 1.5, seed 0"]').first, drawn)
        shot(app)

    def test_scrubbing(self, app, shot):
        part(app, "panel")
        app.locator('img[alt="sample, s = 1.5"]').first.wait_for()
        app.locator(".noUi-handle").first.focus()
        app.keyboard.press("ArrowRight")
        app.locator('img[alt="sample, s = 2"]').first.wait_for()
        shot(app)

    def test_voting(self, app, shot):
        part(app, "study")
        app.get_by_role("button", name="Left is better").click()
        app.get_by_text("pair 2 of 6").wait_for()
        shot(app)
        assert app.errors == []
