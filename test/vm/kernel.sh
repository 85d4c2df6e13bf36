#!/bin/bash
# kernel.sh DIR - makes DIR/vmlinuz and DIR/initrd.gz: a stock Debian kernel taken apart (nothing is installed on this
# machine) and a busybox that mounts this machine's own root read-only over 9p under a tmpfs overlay.
# Called by vmrun; idempotent; a half-made DIR is made again.
set -euo pipefail
dir=$1
[ -f "$dir/ok" ] && exit 0
need=()
command -v qemu-system-x86_64 >/dev/null || need+=(qemu-system-x86)
[ -x /bin/busybox ] || need+=(busybox-static)
command -v cpio >/dev/null || need+=(cpio)
command -v depmod >/dev/null || need+=(kmod)
if [ ${#need[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
rm -rf "$dir"
mkdir -p "$dir/image" "$dir/ram"/{bin,proc,sys,dev,host,root,modules,ram}
cd "$dir"
package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ {print $2; exit}')
[ -n "$package" ] || { apt-get update -qq; package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ {print $2; exit}'); }
# apt's download sandbox user cannot write everywhere; as root without it the file lands here.
apt-get -o APT::Sandbox::User=root download -qq "$package"
dpkg -x "$package"_*.deb image
rm -f "$package"_*.deb
release=$(ls image/lib/modules)
cp "image/boot/vmlinuz-$release" vmlinuz
depmod -b image "$release"
cp /bin/busybox ram/bin/
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci netfs fscache 9pnet 9pnet_virtio 9p overlay"
for m in $modules; do
    file=$(find "image/lib/modules/$release" -name "$m.ko*" | head -n 1)
    case $file in
    *.xz) xz -dc "$file" >"ram/modules/$m.ko" ;;
    *.ko) cp "$file" ram/modules/ ;;
    esac
done
cat >ram/init <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in $modules; do [ -f /modules/\$m.ko ] && insmod /modules/\$m.ko; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro host /host || poweroff -f
mount -t tmpfs tmpfs /ram; mkdir /ram/upper /ram/work
mount -t overlay -o lowerdir=/host,upperdir=/ram/upper,workdir=/ram/work overlay /root
mkdir -p /root/lib/modules /root/out
mount --bind /host$dir/image/lib/modules /root/lib/modules
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 out /root/out
mount --move /dev /root/dev; mount --move /proc /root/proc; mount --move /sys /root/sys
exec switch_root /root /bin/bash /out/guest.sh
INIT
chmod +x ram/init
(cd ram && find . | cpio -o -H newc 2>/dev/null | gzip -1) >initrd.gz
touch ok
