"""Several labs at once: each job runs in a forked process of its own (its namespaces carry its own pid), results come back as JSON.
A job that dies, hangs or raises is a result too.
"""
import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback

from .house import Failure, Skip
from .watch import libc


def _child(fn, arg, out):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    libc.prctl(1, signal.SIGTERM, 0, 0, 0)  # a killed runner takes its jobs along, and their janitors sweep
    try:
        answer = {"ok": fn(arg)}
    except Failure as e:
        answer = {"fail": str(e)}
    except Skip as e:
        answer = {"skip": str(e)}
    except (KeyboardInterrupt, SystemExit):
        answer = {"fail": "interrupted"}
    except Exception as e:  # a broken test is a failed test, with its traceback
        said = "%s: %s" % (type(e).__name__, e)
        answer = {"fail": said, "trace": said + "\n" + traceback.format_exc()}  # what happened first: one line is often all that is kept
    data = json.dumps(answer).encode()
    while data:
        data = data[os.write(out, data):]


def parallel(fn, args, jobs, limit):
    """Yields (index, answer) as the jobs end. limit: seconds a job may take."""
    todo, running = list(enumerate(args)), {}
    try:
        while todo or running:
            while todo and len(running) < jobs:
                i, arg = todo.pop(0)
                r, w = os.pipe()
                sys.stdout.flush()
                sys.stderr.flush()
                pid = os.fork()
                if pid == 0:
                    status = 1
                    try:
                        os.close(r)
                        _child(fn, arg, w)
                        status = 0
                    finally:
                        sys.stdout.flush()
                        os._exit(status)
                os.close(w)
                running[r] = [i, pid, b"", time.monotonic() + limit]
            ready, _, _ = select.select(list(running), [], [], 0.2)
            for r in list(running):
                i, pid, data, end = running[r]
                if r in ready:
                    got = os.read(r, 1 << 16)
                    running[r][2] += got
                    if got:
                        continue
                elif time.monotonic() < end:
                    continue
                else:
                    os.kill(pid, signal.SIGTERM)  # the lab's janitor sweeps
                del running[r]
                os.close(r)
                os.waitpid(pid, 0)
                if r not in ready:
                    yield i, {"fail": "not done within %d s" % limit}
                else:
                    yield i, json.loads(data) if data else {"fail": "the test process died"}
    finally:
        for _, pid, _, _ in running.values():
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
