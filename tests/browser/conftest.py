"""Fixtures of the browser tests: JupyterLab and Voila as pages of a real Chromium, driven by Playwright."""

import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import (
    CHROMIUM,
    CHROMIUM_ARGS,
    ROOT,
    SHOTS,
    START_SECONDS,
    free_port,
    missing,
    open_page,
    press_run_all,
    run_all,
    serve,
    wait_for_kernel,
)


def pytest_collection_modifyitems(items):
    """Every test here takes its time and needs a browser; where there is none it is skipped and says so."""
    reason = missing()
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def shot(request):
    """A function that keeps a screenshot of a page under the test's name."""
    SHOTS.mkdir(parents=True, exist_ok=True)

    def take(page, name="end"):
        page.screenshot(path=str(SHOTS / f"{request.node.name}_{name}.png"))

    return take


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A page with the test notebook in JupyterLab, all of it run; `page.errors` collects errors of the page."""
    with lab_page(browser, tmp_path_factory.mktemp("lab"), "widgets.ipynb") as page:
        yield page


@pytest.fixture(scope="module")
def student_lab(browser, tmp_path_factory):
    """The same of the notebook with a student."""
    with lab_page(browser, tmp_path_factory.mktemp("student"), "student.ipynb") as page:
        yield page


@contextmanager
def lab_page(browser, folder, name):
    """JupyterLab on a copy of a notebook of this folder, and a page that has run all of it."""
    port, token = free_port(), secrets.token_hex(16)
    shutil.copy(Path(__file__).parent / name, folder)
    command = ["jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.extension_manager=readonly"]
    base = f"http://127.0.0.1:{port}"
    with serve(command, folder, f"{base}/api"):
        page = open_page(browser, f"{base}/lab/tree/{name}?token={token}&reset")
        page.folder = folder
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=START_SECONDS * 1000)
        run_all(page)
        yield page
        page.close()


@pytest.fixture(scope="module")
def notebook7(browser, tmp_path_factory):
    """A page with the course's first notebook in Notebook 7, all of it run in the shortest profile."""
    pytest.importorskip("notebook", reason="notebook is not installed: Notebook 7 is not tried")
    folder, port, token = tmp_path_factory.mktemp("notebook7"), free_port(), secrets.token_hex(16)
    text = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    (folder / "00.ipynb").write_text(text.replace(r"PROFILE = \"quick\"", r"PROFILE = \"test\""), encoding="utf-8")
    command = ["notebook", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    base = f"http://127.0.0.1:{port}"
    with serve(command, folder, f"{base}/api"):
        page = open_page(browser, f"{base}/notebooks/00.ipynb?token={token}")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=START_SECONDS * 1000)
        wait_for_kernel(base, token)
        press_run_all(page)
        yield page
        page.close()


@pytest.fixture(scope="module")
def app(browser, tmp_path_factory):
    """A page with the app, served by Voila."""
    pytest.importorskip("voila", reason="voila is not installed: the app is not tried")
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    command = ["sdm_lite.app", "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with serve(command, folder, f"http://127.0.0.1:{port}/voila/static/"):
        page = open_page(browser, f"http://127.0.0.1:{port}/")
        yield page
        page.close()
