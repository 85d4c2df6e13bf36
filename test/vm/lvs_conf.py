"""Configurations of the director's cases, as an administrator writes them."""

QUICK = ("delay_loop 1", "warmup 0", "retry 1", "delay_before_retry 1", "connect_timeout 3")
GLOBAL = "global_defs {\n    router_id LVS\n    script_user root\n    enable_script_security\n%s}\n"


def check(kind, *lines):
    return "%s {\n%s        }" % (kind, "".join("            %s\n" % x for x in lines))


def server(head, *lines):
    return "real_server %s {\n%s    }" % (head, "".join("        %s\n" % x for x in lines))


def service(head, *lines, protocol="TCP", method="NAT", scheduler="rr", timers=QUICK):
    told = ("lvs_sched " + scheduler, "lvs_method " + method, "protocol " + protocol, *timers, *lines)
    return "virtual_server %s {\n%s}\n" % (head, "".join("    %s\n" % x for x in told))


def whole(*blocks, extra=""):
    return GLOBAL % extra + "\n".join(blocks)


def name(protocol, ip, port):
    """A service as the kernel's table names it."""
    return "%s %s:%d" % (protocol, ip, port)
