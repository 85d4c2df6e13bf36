"""holdfast and the incumbent on one wire, in both roles: take-over after a stop, after a power cut, and pre-emption."""
import time

from case import case, check
from lab import Skip, conf, now

KINDS = {
    "v2-pass": {"version": 2, "interval": 1, "auth": "1111", "vips": conf.VIPS},
    "v2": {"version": 2, "interval": 1, "auth": None, "vips": conf.VIPS},
    "v3": {"version": 3, "interval": 0.2, "auth": None, "vips": conf.VIPS},
    "v3-ipv6": {"version": 3, "interval": 0.2, "auth": None, "vips": conf.VIPS6},
    "v2-ipv6": {"version": 2, "interval": 1, "auth": None, "vips": conf.VIPS6},
    "v2-vmac": {"version": 2, "interval": 1, "auth": None, "vips": conf.VIPS, "extra": "use_vmac"},
    "v3-ipv6-vmac": {"version": 3, "interval": 0.2, "auth": None, "vips": conf.VIPS6, "extra": "use_vmac"},
}


def took_over_after(lab, since_ns, want, what, slack=0.1):
    """The backup's first advert after since, compared with the protocol's arithmetic."""
    first = lab.wait(lambda: lab.adverts("b", since_ns), want + 3, "the take-over " + what)[0]
    late = (first.ts - since_ns) / 1e9 - want
    check(-0.005 <= late <= slack, "%s: the backup advertised %.0f ms %s its time", what, abs(late) * 1e3,
          "before" if late < 0 else "after")
    return late * 1e3


def interop(lane, kind, ours):
    if not lane.incumbent:
        raise Skip("no keepalived here: apt install keepalived")
    k = dict(KINDS[kind])
    vips, version, interval = k["vips"], k["version"], k["interval"]
    programs = (lane.daemon, lane.incumbent) if ours == "master" else (lane.incumbent, lane.daemon)
    texts = [conf.whole(conf.instance(priority=p, **k), router="LAB%d" % p) for p in (200, 100)]
    with lane.lab("ab") as lab:
        a = lab.a.start(programs[0], texts[0])
        lab.wait_master("a", vips)
        lab.b.start(programs[1], texts[1])
        time.sleep(2.5 * interval + 0.7)
        check(not lab.adverts("b"), "the backup advertised beside a living, better master")
        asked = now()
        a.stop()
        zero = lab.wait(lambda: lab.adverts("a", asked, priority=0), 2, "priority 0 of the stopped master")[0]
        skew = took_over_after(lab, zero.ts, conf.skew(100, interval, version), "after priority 0")
        lab.wait_master("b", vips, since=zero.ts)
        a = lab.a.start(programs[0], texts[0])
        back = lab.wait_master("a", vips, since=a.started)
        lab.wait(lambda: not set(vips) & set(lab.b.addresses()), 3, "the pre-empted master's addresses gone")
        time.sleep(2 * interval + 0.2)
        check(not lab.adverts("b", now() - int(1.5e9 * interval)), "two masters after the pre-emption")
        check(lab.adverts("a", back.ts), "nobody is master after the pre-emption")
        lab.a.cable(False)
        last = lab.adverts("a")[-1].ts
        cut = took_over_after(lab, last, conf.down_time(100, interval, version), "after the power cut")
        a.kill_all()
        return "take-over %+.1f ms from skew, %+.1f ms from the master-down time" % (skew, cut)


for _kind in KINDS:
    for _ours in ("master", "backup"):
        case("interop-%s-%s" % (_kind, _ours), "with the incumbent, ours being the %s" % _ours, kind=_kind, ours=_ours)(interop)
