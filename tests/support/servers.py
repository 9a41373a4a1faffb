"""What the browser tests stand on: servers on a copy of a notebook, and pages of a browser opened on them.

Screenshots are kept in reports/browser, which git ignores.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "reports" / "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
CHROMIUM = os.environ.get("SDM_LITE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
# Headless, in a container, and silent on the network.
CHROMIUM_ARGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
START_SECONDS = 90


def missing() -> str | None:
    """What the browser tests lack, in words."""
    if CHROMIUM is None:
        return (
            "no chromium found (install it, or name one in SDM_LITE_CHROMIUM): the widgets are not tried in a browser"
        )
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed: the widgets are not tried in a browser"
    return None


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()[-800:]}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"no answer from {url}: {log.read_text()[-800:]}")


def wait_for_kernel(base: str, token: str) -> None:
    """Waits until a page is connected to an idle kernel: Notebook 7 asks for a kernel if told to run before."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{base}/api/kernels?token={token}", timeout=5) as answer:
            kernels = json.load(answer)
        if any(kernel["connections"] and kernel["execution_state"] == "idle" for kernel in kernels):
            return
        time.sleep(0.3)
    raise TimeoutError(f"no page is connected to an idle kernel of {base}")


@contextmanager
def serve(command: list[str], folder: Path, url: str):
    """A server in a folder of its own, with settings of its own, ended afterwards."""
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTER_DATA_DIR": str(folder / ".data"),
        "JUPYTER_RUNTIME_DIR": str(folder / ".runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".workspaces"),
        "IPYTHONDIR": str(folder / ".ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    env.pop("SDM_LITE_STATIC", None)
    notes = folder / ".settings" / "@jupyterlab" / "apputils-extension"
    notes.mkdir(parents=True, exist_ok=True)
    # No pop-up about news, and no question over the network whether there are any.
    (notes / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    log = folder / "server.log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=env, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            wait_for(url, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def open_page(browser, url: str):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)[:300]))
    page.goto(url, wait_until="domcontentloaded", timeout=START_SECONDS * 1000)
    page.set_default_timeout(START_SECONDS * 1000)
    return page


def press_run_all(page) -> None:
    """Run > Run All Cells, until a cell is numbered anew: the command is dropped while the kernel is not there."""
    running = page.locator(".jp-InputPrompt", has_text=re.compile(r"\[\*\]"))
    for _ in range(5):
        page.get_by_role("menuitem", name="Run", exact=True).first.click()
        page.locator('[data-command="runmenu:run-all"]').first.click()
        try:
            running.first.wait_for(timeout=5000)
            break
        except Exception:  # dropped: once more
            continue


def run_all(page) -> None:
    """All cells of a notebook in JupyterLab, once the kernel is there: the toolbar says idle before that."""
    status = page.locator("#jp-main-statusbar")
    status.get_by_text(re.compile(r"\| Idle")).wait_for()
    press_run_all(page)
    page.locator(".jp-Notebook .noUi-handle").last.wait_for(state="attached")
    status.get_by_text(re.compile(r"\| Idle")).wait_for()
