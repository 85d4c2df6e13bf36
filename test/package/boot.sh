#!/bin/bash
# In the VM, under systemd: the life of the installed service. PASS name / FAIL name: why.
. /deb/names # also the packages, as run.py named them
vip=192.0.2.10 bad=0
conf=/etc/keepalived/keepalived.conf
export DEBIAN_FRONTEND=noninteractive

verdict() { # NAME STATUS WHY
    if [ "$2" = 0 ]; then
        echo "PASS $1"
    else
        echo "FAIL $1: $3"
        journalctl -u holdfast --no-pager -n 15 -o cat | sed 's/^/    /'
        bad=1
    fi
}
within() { # SECONDS COMMAND...: until it is true; three times as long, for the machine is emulated and its host may be busy
    local end=$((SECONDS + 3 * $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}
there() { ip -o address show dev lan0 | grep -q " $vip/"; }
gone() { ! there; }
active() { systemctl -q is-active holdfast; }
property() { systemctl show -p "$1" --value "${2:-holdfast.service}"; }
pid_of() { pgrep -x "holdfast-$1"; }
all_pids() { echo "$(pid_of vrrpd) $(pid_of checkd) $(pid_of ipvsd)"; }
fresh() { [ -n "$(pid_of "$1")" ] && [ "$(pid_of "$1")" != "$2" ]; }
three() { [ -n "$(pid_of vrrpd)" ] && [ -n "$(pid_of checkd)" ] && [ -n "$(pid_of ipvsd)" ]; }
losses() { grep -c "Deleted.* $vip/" /run/monitor; }
configure() { # PRIORITY
    mkdir -p /etc/keepalived
    cat >$conf <<CONF
global_defs {
    router_id boot
    enable_dbus
    enable_snmp_vrrp
}
vrrp_instance VI_1 {
    state MASTER
    interface lan0
    virtual_router_id 55
    priority $1
    advert_int 1
    virtual_ipaddress {
        $vip/24
    }
}
virtual_server $vip 80 {
    delay_loop 5
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.0.2.77 80 {
        TCP_CHECK {
            connect_timeout 2
        }
    }
}
CONF
}

. /deb/clients.sh
. /deb/switch.sh
mkdir -p /run/systemd/system
modprobe veth; modprobe ip_vs
# not a dummy: on one of those Debian's keepalived stayed backup
ip link add lan0 type veth peer lan1 && ip link set lan1 up && ip link set lan0 up && ip address add 192.0.2.1/24 dev lan0
ip -o monitor address >>/run/monitor &

# ---- installed, not configured
systemctl start holdfast
verdict no-configuration-no-failure $? "systemctl start failed"
[ "$(property ActiveState)/$(property ConditionResult)" = inactive/no ]
verdict no-configuration-no-start $? "$(property ActiveState), condition $(property ConditionResult)"

# ---- start: the command comes back at READY, and what was keepalived is stopped
printf '[Service]\nExecStart=/bin/sleep 9999\n' >/run/systemd/system/keepalived.service
systemctl daemon-reload
systemctl start keepalived
configure 150
systemctl enable -q --now holdfast
verdict start $? "systemctl enable --now: $(property Result)"
[ "$(property ActiveState keepalived.service)" = inactive ]
verdict keepalived-stopped $? "keepalived.service is $(property ActiveState keepalived.service)"
rm /run/systemd/system/keepalived.service
systemctl daemon-reload
active && three
verdict ready $? "after READY: $(property ActiveState), $(all_pids)"
within 15 there
verdict address $? "no $vip on lan0"
systemctl status holdfast --no-pager >/run/status 2>&1
grep -q 'Status: ".' /run/status
verdict status-text $? "$(cat /run/status)"
sed -n 's/^ *Status: /    &/p' /run/status
[ "$(property WatchdogUSec)" != 0 ] && [ "$(property Type)" = notify ]
verdict watchdog $? "no watchdog"
holdctl status >/run/answer 2>&1
verdict holdctl $? "$(cat /run/answer)"
! journalctl -u holdfast --no-pager -o cat | grep -iE "dropped, merged|not permitted|permission denied"
verdict no-refusals $? "the log speaks of what the unit forbids"

# ---- reload
main=$(property MainPID)
configure 151
systemctl reload holdfast
verdict reload $? "systemctl reload failed"
within 10 sh -c 'holdctl show config 2>/dev/null | grep -q 151 || holdctl status --json | grep -q 151'
verdict reload-in-force $? "$(holdctl status)"
echo 'nonsense {' >>$conf
systemctl reload holdfast
sleep 1
[ "$(property MainPID)" = "$main" ] && active && there
verdict reload-with-a-mistake $? "$(property ActiveState)"
configure 151
systemctl reload holdfast

# ---- a crash of each process
for role in vrrpd checkd ipvsd; do
    old=$(pid_of $role)
    kill -9 "$old"
    within 15 fresh $role "$old"
    verdict crash-$role $? "no new $role"
    sleep 1
    [ "$(property MainPID)" = "$main" ] && active && there && [ "$(losses)" = 0 ]
    verdict crash-$role-unseen $? "address lost $(losses) times, $(property ActiveState)"
done

# ---- the clients, each beside what it speaks to
clients_start
clients_are_small
clients_outlive

# ---- upgrades
clients_before=$(client_pids)
before=$(all_pids)
dpkg -i $newer >/run/upgrade 2>&1
verdict upgrade $? "$(cat /run/upgrade)"
sleep 2
within 15 three
now=$(all_pids)
differ=0
for p in $before; do case " $now " in *" $p "*) differ=1 ;; esac; done
[ $differ = 0 ] && [ "$(property MainPID)" = "$main" ]
verdict upgrade-replaces-the-processes $? "before $before, now $now: $(cat /run/upgrade)"
there && [ "$(losses)" = 0 ]
verdict upgrade-unseen $? "address lost $(losses) times"
differ=0
for p in $(client_pids); do case " $clients_before " in *" $p "*) differ=1 ;; esac; done
[ $differ = 0 ] && both_active
verdict upgrade-replaces-the-clients $? "before $clients_before, now $(client_pids)"
clients_answer answers-upgraded
before=$(all_pids)
dpkg -i $other >/run/upgrade 2>&1
[ "$before" = "$(all_pids)" ] && there && [ "$(losses)" = 0 ] && grep -q "systemctl restart holdfast" /run/upgrade
verdict upgrade-foreign-waits $? "before $before, now $(all_pids), lost $(losses): $(cat /run/upgrade)"
systemctl restart holdfast
within 20 there
verdict restart $? "no address after the restart"
clients_without_the_daemon

# ---- the parent's death: systemd starts it again
main=$(property MainPID)
kill -9 "$main"
within 10 gone
verdict parent-gone-no-address $? "the address stays without a daemon"
within 30 there && active && [ "$(property MainPID)" != "$main" ]
verdict parent-again $? "$(property ActiveState)"
clients_answer answers-the-next-parent

# ---- metrics
systemctl start holdfast-metrics
within 15 bash -c 'exec 3<>/dev/tcp/127.0.0.1/9650; printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; timeout 5 cat <&3 >/run/metrics; grep -q "^holdfast_" /run/metrics'
verdict metrics $? "$(head -c 300 /run/metrics; systemctl status holdfast-metrics --no-pager -n 10)"

# ---- keepalived's name, while holdfast runs: not where systemd would take the state of another unit of that name for ours
main=$(property MainPID)
printf '[Unit]\nAfter=keepalived.service\n[Service]\nExecStart=/bin/sleep 9999\n' >/run/systemd/system/other.service
systemctl daemon-reload
systemctl start other
! dpkg -i "$link" >/run/link 2>&1 && grep -q "systemctl stop holdfast" /run/link && active && there && [ "$(property MainPID)" = "$main" ]
verdict link-package-refused $? "$(cat /run/link)"
systemctl stop other
rm -r /run/systemd/system/other.service*
ln -s /lib/systemd/system/keepalived.service /etc/systemd/system/multi-user.target.wants/keepalived.service # of a keepalived that was here
systemctl daemon-reload
dpkg -i "$link" >/run/link 2>&1
verdict link-package $? "$(cat /run/link)"
systemctl reload keepalived && systemctl -q is-active keepalived && [ "$(property Id keepalived.service)" = holdfast.service ] && there && [ "$(property MainPID)" = "$main" ]
verdict keepalived-is-a-name-of-it $? "$(systemctl status keepalived --no-pager -n 3)"

# ---- stop and removal
systemctl stop keepalived
verdict stop $? "$(property Result)"
[ "$(property Result)" = success ] && gone && [ -z "$(all_pids | tr -d ' ')" ]
verdict stop-leaves-no-address $? "$(property Result), $(ip -o address show dev lan0), $(all_pids)"
! grep -q 192.0.2.10 /proc/net/ip_vs && [ -z "$(ip -o link show type macvlan)" ]
verdict stop-leaves-no-service $? "$(cat /proc/net/ip_vs)"
systemctl start holdfast && within 15 there
verdict start-again $? "no address"
dpkg -r holdfast-keepalived >/run/removal 2>&1 && active && there
verdict link-package-removed $? "$(cat /run/removal)"
clients_go
dpkg -P holdfast >/run/removal 2>&1 && gone && [ -z "$(all_pids | tr -d ' ')" ] && [ ! -e /run/holdfast ] && [ -e $conf ]
verdict purge $? "$(cat /run/removal; ls -d /run/holdfast*; ip -o address show dev lan0)"
left=$(find / -xdev -name '*holdfast*' -not -path '/deb/*' -not -path '/var/cache/*' -not -path '/var/lib/dpkg/*' -not -path '/proc/*' 2>/dev/null)
[ -z "$left" ]
verdict purge-leaves-nothing $? "$left"

# ---- keepalived's machine becomes ours, and goes back
switch_to_holdfast
switch_back
exit $bad
