"""How a command refuses: one line on the standard error stream, and 2."""

import re


def refused(capsys, main, argv, message):
    """Assert that a command ends so, with a line in which a pattern is found."""
    capsys.readouterr()
    assert main(argv) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1 and re.search(message, told), told
