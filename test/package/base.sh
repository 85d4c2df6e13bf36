#!/bin/bash
# base.sh DIR - makes DIR/base: a minimal Debian 12 (debootstrap) with systemd, and in its package cache what our packages and
# keepalived depend on, and the master agent and the bus their clients speak to, so that every test afterwards runs without a
# network. Called by run.py; idempotent; a half-made DIR is made again, one that lacks a package is given it. Mirror: $HOLDFAST_MIRROR.
set -euo pipefail
dir=$1
mirror=${HOLDFAST_MIRROR:-http://deb.debian.org/debian}
cached=(keepalived libcap-ng0 libseccomp2 libnl-3-200 libnl-route-3-200 libnl-genl-3-200 libnftnl11 libssl3 libpcre2-8-0 libjansson4
    libsystemd0 libsnmp40 snmpd snmp dbus)
# The list is the mark: where it grew the base is what it was, and only the cache is filled up.
[ "$(cat "$dir/ok" 2>/dev/null)" != "${cached[*]}" ] || exit 0
if ! command -v debootstrap >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
fi
mkdir -p "$dir"
trap 'status=$?; [ $status = 0 ] || { tail -n 3 "$dir/log"; exit $status; }' EXIT
if [ ! -f "$dir/ok" ]; then
    rm -rf "$dir/base"
    debootstrap --variant=minbase --include=systemd-sysv,iproute2,kmod,procps bookworm "$dir/base" "$mirror" >"$dir/log" 2>&1
    printf '#!/bin/sh\nexit 101\n' >"$dir/base/usr/sbin/policy-rc.d"
    chmod 0755 "$dir/base/usr/sbin/policy-rc.d"
fi
cp /etc/resolv.conf "$dir/base/etc/resolv.conf"
chroot "$dir/base" apt-get update -qq >>"$dir/log" 2>&1
chroot "$dir/base" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --download-only "${cached[@]}" >>"$dir/log" 2>&1
echo "${cached[*]}" >"$dir/ok"
