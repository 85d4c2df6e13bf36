#!/bin/bash
# Sourced by boot.sh at its end, holdfast purged, holdfast-keepalived removed and not purged: a machine with Debian's keepalived at work becomes one with holdfast, and goes back.
# apt without a network: what it installs is in the cache of the base, or in /deb.
apt="apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0"
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
is_keepalived() { [ "$(readlink "/proc/$(property MainPID keepalived.service)/exe")" = /usr/sbin/keepalived ]; }
is_holdfast() { [ "$(readlink "/proc/$(property MainPID holdfast.service)/exe")" = /usr/sbin/holdfast ]; }
in_table() { grep -q "C000020A:0050" /proc/net/ip_vs; }
once() { [ "$(ip -o address show | grep -c " $vip/")" = 1 ]; }
what_is() { systemctl status keepalived holdfast --no-pager -n 8 2>&1; ip -o address show dev lan0; cat /proc/net/ip_vs; }
reached() { # what a boot would start, of what is enabled now
    systemctl stop keepalived.service 2>/dev/null
    systemctl stop holdfast.service 2>/dev/null
    within 15 gone
    systemctl start multi-user.target
    within 40 there
}

switch_to_holdfast() {
    configure 150
    sum=$(md5sum <$conf)
    $apt keepalived >/run/switch 2>&1 && within 40 there && is_keepalived && in_table
    verdict switch-keepalived-at-work $? "$(tail -n 15 /run/switch; what_is)"
    : >/run/monitor
    $apt "$deb" "$link" >/run/switch 2>&1
    verdict switch-apt $? "$(tail -n 15 /run/switch)"
    ! installed keepalived && installed holdfast && installed holdfast-keepalived
    verdict switch-packages $? "$(tail -n 15 /run/switch)"
    active && within 40 there && is_holdfast && once && within 20 in_table
    verdict switch-holdfast-has-the-address $? "$(what_is)"
    [ "$(md5sum <$conf)" = "$sum" ]
    verdict switch-configuration-unchanged $? "$(cat $conf)"
    [ "$(losses)" = 1 ] # keepalived's own end, and not once more
    verdict switch-one-loss $? "$(grep " $vip/" /run/monitor)"
    [ -z "$(pgrep -x keepalived)" ] && [ "$(property Id keepalived.service)" = holdfast.service ] && keepalived --version 2>&1 | grep -qi holdfast &&
        [ ! -e /run/holdfast-keepalived.new ]
    verdict switch-names $? "$(pgrep -a keepalived; property Id keepalived.service; keepalived --version 2>&1)"
    reached && active && is_holdfast
    verdict switch-holdfast-after-a-boot $? "$(what_is)"
}

switch_back() {
    : >/run/monitor
    $apt keepalived >/run/switch 2>&1
    verdict back-apt $? "$(tail -n 15 /run/switch)"
    installed keepalived && ! installed holdfast-keepalived && installed holdfast
    verdict back-packages $? "$(dpkg -l keepalived 'holdfast*')"
    within 40 there && systemctl -q is-active keepalived && is_keepalived && ! active && once && within 20 in_table && [ -z "$(all_pids | tr -d ' ')" ]
    verdict back-keepalived-has-the-address $? "$(tail -n 15 /run/switch; what_is)"
    [ "$(md5sum <$conf)" = "$sum" ]
    verdict back-configuration-unchanged $? "$(cat $conf)"
    reached && is_keepalived && ! active
    verdict back-keepalived-after-a-boot $? "$(what_is)"
    main=$(property MainPID keepalived.service)
    dpkg -P holdfast >/run/switch 2>&1 && [ "$(property MainPID keepalived.service)" = "$main" ] && is_keepalived && there
    verdict back-holdfast-removed $? "$(cat /run/switch; what_is)"
}
