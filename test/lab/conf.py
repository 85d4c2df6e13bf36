"""Configurations of the lanes, as an administrator writes them."""

VIPS = ("10.77.0.100", "10.77.0.101", "10.77.0.102")
VIPS6 = ("fe80::100", "fd77::100", "fd77::101")
SERVICE = """
virtual_server 10.77.0.200 80 {
    delay_loop 5
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.77.0.3 80 {
        TCP_CHECK { connect_timeout 1 }
    }
}
"""


def instance(name="VI_1", vrid=51, priority=100, state="BACKUP", interval=1, version=3, vips=VIPS, interface="eth0", auth=None,
             extra=""):
    lines = ["state " + state, "interface " + interface, "virtual_router_id %d" % vrid, "priority %d" % priority,
             "advert_int %g" % interval, "version %d" % version]
    if auth:
        lines.append("authentication {\n        auth_type PASS\n        auth_pass %s\n    }" % auth)
    lines += [line for line in extra.split("\n") if line]
    lines.append("virtual_ipaddress {\n        %s\n    }" % "\n        ".join(
        "%s/%d" % (v, 64 if ":" in v else 24) for v in vips))
    return "vrrp_instance %s {\n    %s\n}\n" % (name, "\n    ".join(lines))


def whole(*blocks, router="LAB", glob=""):
    return "! Configuration File for keepalived\n\nglobal_defs {\n    router_id %s\n%s}\n\n%s" % (router, glob, "\n".join(blocks))


def skew(priority, interval, version=3):
    return (256 - priority) / 256 * (interval if version == 3 else 1)


def down_time(priority, interval, version=3):
    return 3 * interval + skew(priority, interval, version)
