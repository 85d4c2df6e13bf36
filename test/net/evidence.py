"""What holdctl explain knows of a check outlives checkd: since when and why a server is down, after its judge was killed."""
import os
import signal
import subprocess
import time

from case import case, check
from checks import Server, reply
from holdctl import DOWN, Ctl
from lab import conf, servers

SERVER = ("    real_server 10.77.0.1 %d {\n        weight 1\n        %s {\n            connect_timeout 1\n            delay_loop 200\n"
          "            warmup 0\n            retry 0\n%s        }\n    }\n")
HOSTILE = "[10.77.0.1]:tcp:8082"


@case("evidence-crash", "explain says the same of a server that is down after checkd was killed: since when, why, how often; a hostile page stays bounded")
def evidence_crash(lane):
    with lane.lab("a") as lab:
        keep = servers.listen(lab.a, 8080)
        Server(lab.a, "10.77.0.1", 8082, lambda c, rec: c.sendall(reply(b"x" * 99, 500, b"X-\x1b[2J: " + b"\xff\x07" * 600 + b"\r\n")))
        text = ("virtual_server 10.77.0.100 80 {\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n" + SERVER % (8080, "TCP_CHECK", "")
                + SERVER % (8081, "TCP_CHECK", "") + SERVER % (8082, "HTTP_GET", "url {\n path /\n status_code 200\n }\n") + "}\n")
        ctl = Ctl(lane, lab.a.start(lane.daemon, conf.whole(text)))

        lab.wait(lambda: subprocess.run(ctl.argv("status"), capture_output=True).returncode == 0, 10, "an answer", 0.1)

        def known(name):
            j = ctl.json("explain", name)
            k = [c for c in j["checks"] if c["server"] == name][0]
            return {x: k.get(x) for x in ("state", "changed", "evidence", "failures")}, j["explanations"][0]["because"]
        for name in (DOWN, HOSTILE):
            lab.wait(lambda: known(name)[0]["state"] == "DOWN", 20, name + " is down", 0.1)
        before = {name: known(name) for name in (DOWN, HOSTILE)}
        check("Connection refused" in before[DOWN][0]["evidence"] and before[DOWN][0]["failures"] > 0, "%s", before)
        time.sleep(1)
        for n in range(3):  # also what a successor has only been told itself
            pid = ctl.d.role("checkd")
            os.kill(pid, signal.SIGKILL)
            lab.wait(lambda: ctl.d.role("checkd") not in (None, pid), 10, "a successor")
            lab.wait(lambda: known(DOWN)[0]["state"] == "DOWN", 10, "its answer", 0.1)
            for name in (DOWN, HOSTILE):
                now, because = known(name)
                check(now == before[name][0], "%s after death %d: %s, before %s", name, n + 1, now, before[name][0])
                check(any("evidence of its last failure: " + now["evidence"][:60] in b for b in because), "%s", because)
                check(len(now["evidence"]) <= 120 and now["evidence"].isprintable(), "%r", now["evidence"])
                # the whole chain, but for how long ago and the moment the parent heard of it
                same = [b for b in before[name][1] if not b.startswith("it became so") and "last failed" not in b]
                check([b for b in because if not b.startswith("it became so") and "last failed" not in b] == same, "%s, before %s", because, same)
            time.sleep(0.5)
        keep.close()
        return before[DOWN][0]["evidence"] + " / " + before[HOSTILE][0]["evidence"] + " / " + known(DOWN)[1][0]
