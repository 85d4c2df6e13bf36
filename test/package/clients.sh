#!/bin/bash
# Sourced by boot.sh: holdfast-dbus and holdfast-snmp under systemd, each with the real thing it speaks to (dbus-daemon, snmpd), and
# what is asked of them is asked the way a manager asks.
bus=org.keepalived.Vrrp1
vi_state=.1.3.6.1.4.1.9586.100.5.2.3.1.4.1 # KEEPALIVED-MIB::vrrpInstanceState, of the first instance; 2: master
clients="holdfast-dbus holdfast-snmp"

instance_on_bus() { # INTERFACE
    busctl --timeout=5 get-property $bus "/org/keepalived/Vrrp1/Instance/$1/55/IPv4" $bus.Instance State
}
dbus_says() { instance_on_bus lan0 2>&1 | grep -qx "(us) $1 \"$2\""; }
snmp_get() { snmpget -v2c -c public -m '' -On -Oe -t 2 -r 0 127.0.0.1 "$1"; }
snmp_says() { snmp_get $vi_state 2>&1 | grep -qx "$vi_state = INTEGER: $1"; }
on_the_bus() { busctl --no-pager list | grep -q "^$bus "; }
stat_of() { # UNIT FIELD: of /proc/PID/status
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$(property MainPID "$1.service")/status" | tr '\t' ' '
}
exposure() { systemd-analyze security --no-pager "$1.service" 2>/dev/null | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p'; }
at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a + 0 <= b + 0) }'; }
said_of() { journalctl -u "$1" --no-pager -n 12 -o cat | sed 's/^/    /'; }
both_active() { systemctl -q is-active holdfast-dbus && systemctl -q is-active holdfast-snmp; }
client_pids() { echo "$(property MainPID holdfast-dbus.service) $(property MainPID holdfast-snmp.service)"; }

clients_answer() { # NAME: both say that we are master; the time is for a start under emulation
    within 40 dbus_says 2 Master
    verdict "dbus-$1" $? "$(instance_on_bus lan0 2>&1; said_of holdfast-dbus)"
    within 40 snmp_says 2
    verdict "snmp-$1" $? "$(snmp_get $vi_state 2>&1; said_of holdfast-snmp)"
}

clients_start() {
    # As the unit's head says it, and nothing else.
    cat >/etc/snmp/snmpd.conf <<SNMPD
master agentx
agentXPerms 0660 0755 _holdfast_snmp
agentaddress udp:127.0.0.1:161
rocommunity public 127.0.0.1
SNMPD
    systemctl restart snmpd
    verdict snmpd $? "$(said_of snmpd)"
    for unit in $clients; do
        systemctl enable -q --now $unit
        verdict "$unit-starts" $? "$(said_of $unit)"
    done
    clients_answer answers
    walked=$(snmpwalk -v2c -c public -m '' -On -Oe -t 5 127.0.0.1 .1.3.6.1.4.1.9586.100.5.2 2>&1)
    grep -q 'STRING: "VI_1"' <<<"$walked" && grep -q '^\.1\.3\.6\.1\.4\.1\.9586\.100\.5\.2\.6\.1\.3\..*C0 00 02 0A' <<<"$walked"
    verdict snmp-walk $? "$walked"
}

clients_are_small() {
    local uid user most
    for unit in $clients; do
        user=_${unit/-/_} most=most_${unit/-/_}
        uid=$(id -u "$user")
        [ "$(stat_of $unit Uid)" = "$uid $uid $uid $uid" ] && [ "$uid" != 0 ]
        verdict "$unit-is-not-root" $? "uids $(stat_of $unit Uid), $user is $uid"
        [ "$(stat_of $unit CapPrm)$(stat_of $unit CapEff)$(stat_of $unit CapBnd)" = "$(printf '0%.0s' {1..48})" ] &&
            [ "$(stat_of $unit NoNewPrivs)/$(stat_of $unit Seccomp)" = 1/2 ]
        verdict "$unit-has-no-privilege" $? "$(grep -E '^(Cap|NoNew|Seccomp)' "/proc/$(property MainPID $unit.service)/status")"
        at_most "$(exposure $unit)" "${!most}"
        verdict "$unit-exposure" $? "$(exposure $unit), more than ${!most}"
    done
    # The policy as it was installed: anyone may ask, only root may order.
    setpriv --reuid nobody --clear-groups busctl --timeout=5 get-property $bus /org/keepalived/Vrrp1/Instance/lan0/55/IPv4 $bus.Instance State >/run/answer 2>&1
    verdict dbus-answers-anyone $? "$(cat /run/answer)"
    ! setpriv --reuid nobody --clear-groups busctl --timeout=5 call $bus /org/keepalived/Vrrp1/Vrrp $bus.Vrrp PrintData >/run/answer 2>&1 &&
        grep -qi "denied" /run/answer
    verdict dbus-takes-no-orders-of-anyone $? "$(cat /run/answer)"
}

# The other end goes and comes back: the client is there again, the daemon does not know.
clients_outlive() {
    local main
    main=$(property MainPID)
    systemctl restart snmpd
    systemctl restart dbus
    clients_answer answers-again
    [ "$(property MainPID)" = "$main" ] && active && there && [ "$(losses)" = 0 ]
    verdict clients-restarts-unseen $? "address lost $(losses) times, $(property ActiveState)"
}

clients_without_the_daemon() {
    local before
    before=$(client_pids)
    systemctl stop holdfast
    within 20 eval '! on_the_bus'
    verdict dbus-daemon-stopped $? "$(instance_on_bus lan0 2>&1)"
    within 20 eval '! snmp_says 2'
    verdict snmp-daemon-stopped $? "$(snmp_get $vi_state 2>&1)"
    both_active && [ "$(client_pids)" = "$before" ]
    verdict clients-wait $? "$(systemctl is-active $clients | tr '\n' ' '), were $before, are $(client_pids)"
    systemctl start holdfast
    within 20 there
    clients_answer daemon-is-back
    [ "$(client_pids)" = "$before" ]
    verdict clients-were-not-restarted $? "were $before, are $(client_pids)"
}

# Their ends: a stop is a success, and the packages that go are theirs alone.
clients_go() {
    local main
    main=$(property MainPID)
    : >/run/monitor
    dpkg -P holdfast-snmp >/run/removal 2>&1 && ! systemctl -q is-active holdfast-snmp && [ -z "$(pgrep -f libexec/holdfast/holdfast-snmp)" ]
    verdict snmp-package-removed $? "$(cat /run/removal)"
    systemctl disable -q --now holdfast-dbus
    [ "$(property Result holdfast-dbus.service)/$(property ActiveState holdfast-dbus.service)" = success/inactive ]
    verdict dbus-stops $? "$(said_of holdfast-dbus)"
    systemctl start holdfast-dbus
    dpkg -P holdfast-dbus >/run/removal 2>&1 && [ -z "$(pgrep -f libexec/holdfast/holdfast-dbus)" ]
    verdict dbus-package-removed $? "$(cat /run/removal)"
    dpkg -P snmpd >/run/removal 2>&1
    systemctl stop dbus.socket dbus.service
    [ "$(property MainPID)" = "$main" ] && active && there && three && [ "$(losses)" = 0 ]
    verdict holdfast-goes-on-without-them $? "address lost $(losses) times, $(property ActiveState): $(cat /run/removal)"
    systemctl start dbus.socket
    ! dmesg | grep -E "type=1326|audit.*SECCOMP"
    verdict nothing-killed-by-seccomp $? "see above"
}
