"""A student's widgets in JupyterLab: the slider answers, the pair stands side by side, painting follows the stroke."""

from hands import changed, choose, no_traceback, part, picture, sample, src


class TestStudent:
    def test_each_press_of_the_slider_is_a_picture(self, student_lab, shot):
        panel = part(student_lab, "student panel")
        picture(panel, "student, s = 1.5").wait_for()
        before = src(picture(panel, "student, s = 1.5"))
        panel.get_by_role("slider", name="Guidance scale s").focus()
        for scale in ("1.55", "1.6", "1.65"):
            student_lab.keyboard.press("ArrowRight")
            picture(panel, f"student, s = {scale}").wait_for(timeout=20_000)
            assert src(picture(panel, f"student, s = {scale}")) != before
        shot(student_lab, "slider")
        no_traceback(student_lab)

    def test_side_by_side(self, student_lab, shot):
        panel = part(student_lab, "student panel")
        panel.get_by_role("button", name="side by side").click()
        picture(panel, "teacher, s = ").wait_for(timeout=60_000)
        assert picture(panel, "student, s = ").count() == 1
        shot(student_lab)
        panel.get_by_role("button", name="student", exact=True).click()
        picture(panel, "teacher").wait_for(state="detached", timeout=20_000)
        no_traceback(student_lab)

    def test_the_sample_follows_a_stroke_that_has_not_ended(self, student_lab, shot):
        painter = part(student_lab, "painter")
        sample(painter).wait_for()
        before, undo = src(sample(painter)), painter.get_by_role("button", name="Undo")
        choose(painter, "water")
        box = painter.locator("canvas").bounding_box()
        student_lab.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.8)
        student_lab.mouse.down()
        for share in (0.3, 0.4, 0.5, 0.6, 0.7):
            student_lab.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.8)
            student_lab.wait_for_timeout(150)
        changed(student_lab, lambda: painter.locator('img[alt^="sample"]').first, before)
        assert undo.is_disabled(), "the stroke has not ended: there is nothing to undo"
        student_lab.mouse.up()
        student_lab.wait_for_timeout(1500)
        assert undo.is_enabled()
        shot(student_lab)
        no_traceback(student_lab)
