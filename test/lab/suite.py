"""A lane without a laboratory: functions run one after the other, each with a folder of its own that is gone afterwards."""
import os
import subprocess
import tempfile

from . import report
from .house import Failure, Skip


def each(tests, given):
    """tests: (label, function) pairs; a function gets given(folder) and returns figures or nothing, raises Failure or Skip. How many failed."""
    bad = 0
    for label, fn in tests:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            try:
                report.line("PASS", label, str(fn(given(folder)) or ""))
            except Skip as e:
                report.line("SKIP", label, str(e))
            except (Failure, OSError, ValueError, subprocess.SubprocessError) as e:
                bad += 1
                report.line("FAIL", label, str(e) or repr(e))
    return bad
