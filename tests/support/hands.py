"""What a person does to the widgets on a page: finds them, draws on them, chooses, waits for an answer."""

import re

PAINTER, DRAWN = ".sdm-painter", re.compile("drawn")


def cell(page, selector):
    """The output of the notebook's cell that holds something; the page itself in Voila."""
    cells = page.locator(".jp-CodeCell", has=page.locator(selector))
    return cells.first if cells.count() else page.locator("body")


def part(page, has):
    """The cell of one widget, scrolled into view."""
    texts = {
        "painter": PAINTER,
        "panel": 'text="Sampler"',
        "student panel": 'text="Evaluations"',
        "study": 'text="Your name"',
    }
    page.locator(texts[has]).first.wait_for(state="attached")
    found = cell(page, texts[has])
    page.locator(texts[has]).first.scroll_into_view_if_needed()
    return found


def picture(widget, description):
    """The picture whose words begin so."""
    return widget.locator(f'img[alt^="{description}"]').first


def src(locator):
    return locator.get_attribute("src")


def changed(page, locate, before, timeout=60.0):
    """Polls a picture until it differs from `before`; returns the new one."""
    waited = 0.0
    while waited < timeout:
        found = locate()
        if found.count() and (now := src(found)) != before:
            return now
        page.wait_for_timeout(100)
        waited += 0.1
    raise AssertionError("the picture has not changed")


def pixels(widget):
    """The painter's map as a list of numbers."""
    return widget.locator("canvas").evaluate(
        "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    )


def no_traceback(page):
    assert page.errors == []
    assert (
        page.locator(
            '[data-mime-type="application/vnd.jupyter.stderr"], .jp-OutputArea-output pre:has-text("Traceback")'
        ).count()
        == 0
    )


def stroke(page, widget, start=(0.2, 0.7), end=(0.8, 0.7)):
    """Draws on the map with the mouse; returns the pixels shown before the button is let go."""
    canvas = widget.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()

    def at(place):
        return box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"]

    page.mouse.move(*at(start))
    page.mouse.down()
    page.mouse.move(*at(((start[0] + end[0]) / 2, start[1])), steps=4)
    page.mouse.move(*at(end), steps=4)
    shown = pixels(widget)
    page.mouse.up()
    return shown


def choose(widget, name):
    widget.get_by_role("radio", name=name, exact=True).check()


def answered(page, widget, timeout=30_000):
    """Waits until Python has answered: the Undo button follows its state."""
    page.wait_for_function(
        "b => !b.disabled", arg=widget.get_by_role("button", name="Undo").element_handle(), timeout=timeout
    )


def sample(widget):
    return widget.locator('img[alt^="sample, s = "]').first
