"""In a real kernel, as a reader has it: a slip shows its own line and the notebook goes on."""

import pytest
from made_notebooks import make_notebook

from sdm_lite.reproduce.execute import execute

STUB = "def my_q_sample(x_0, alpha_bar, noise):\n    ...  # x_t\n\n\ncheck(1, my_q_sample)"
SLIP = "def my_q_sample(x_0, alpha_bar, noise):\n    signal = alpha_bar.sqrt()\n"
SLIP += "    return signal * x_0 + sigma * noise\n\n\n"
RIGHT = SLIP.replace("sigma *", "(1 - alpha_bar).sqrt() *")


@pytest.mark.slow
def test_a_slip_shows_its_line_and_the_notebook_goes_on(tmp_path):
    cells = [
        "from sdm_lite.exercises.forward_diffusion import check, hint",
        STUB,
        SLIP + "check(1, my_q_sample)",
        "hint(1)",
        "hint(1)",
        RIGHT + "check(1, my_q_sample)",
        SLIP + "check(1, my_q_sample, strict=True)",
    ]
    path = make_notebook(tmp_path / "00_a.ipynb", *cells)
    outcome = execute(path, {}, kernel="python3", timeout=120.0, environment={}, log=tmp_path / "log.txt", label="")
    printed = [
        cell.outputs[0].text for cell in outcome.executed.cells if cell.get("outputs") and "text" in cell.outputs[0]
    ]
    assert printed == [
        "Not answered yet: line 2 of the cell still has its `...`.\nhint(1) gives a hint.\n",
        "Not yet: line 3 stopped: `return signal * x_0 + sigma * noise`\n"
        "    NameError: name 'sigma' is not defined\nhint(1) gives a hint.\n",
        "Hint 1 of 3: x_t is a weighted sum of x_0 and the noise; the formula above names both weights.\n"
        "hint(1) again for the next.\n",
        "Hint 2 of 3: alpha_bar is a share of *variance*. What multiplies a picture is its square root: "
        "alpha_bar.sqrt().\nhint(1) again for the next.\n",
        "Right.\n",
    ]
    assert "expected an answer that passes its check" in outcome.failure.error
