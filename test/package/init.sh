#!/bin/bash
# Process 1 of the VM until systemd is: the initrd has mounted our root. What boot.sh says goes to the console, its status to vmrun.
cat >/etc/systemd/system/package-test.service <<'UNIT'
[Unit]
Description=the test of the packages
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/bash /deb/boot.sh
ExecStopPost=/bin/bash -c 'echo $EXIT_STATUS >/out/status; sync; echo o >/proc/sysrq-trigger'
StandardOutput=file:/dev/console
StandardError=file:/dev/console
TimeoutStartSec=infinity
UNIT
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s ../package-test.service /etc/systemd/system/multi-user.target.wants/package-test.service
for unit in getty.target serial-getty@ttyS0.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service systemd-update-utmp.service systemd-resolved.service systemd-networkd.service systemd-timesyncd.service; do
    ln -sfn /dev/null "/etc/systemd/system/$unit"
done
echo guest >/etc/hostname
exec /lib/systemd/systemd --show-status=no
