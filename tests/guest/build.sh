#!/bin/sh
# Makes what a virtual machine with a camera and a sound card boots from: Debian's kernel, and an initial RAM disk
# with busybox, the modules below and `init`. Needs apt-get with a Debian source, depmod, modprobe and busybox.
#
# usage: build.sh FOLDER    leaves FOLDER/kernel and FOLDER/initrd.gz; what is there already is kept
#
# exit status: 3 where the kernel's package cannot be had (the test is skipped then), anything else is an error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
modules="virtio_pci 9pnet_virtio 9p vivid snd-aloop"

if [ ! -e kernel ]; then
    package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ {print $2; exit}')
    [ -n "$package" ] || { echo "no kernel in the package lists: apt-get update" >&2; exit 3; }
    apt-get download -q "$package" >&2 || { echo "$package cannot be downloaded" >&2; exit 3; }
    rm -rf tree
    dpkg-deb -x linux-image-*.deb tree
    rm linux-image-*.deb
    depmod -b tree "$(ls tree/lib/modules)"
    mv "tree/boot/vmlinuz-$(ls tree/lib/modules)" kernel
fi

release=$(ls tree/lib/modules)
rm -rf disk
mkdir -p disk/bin disk/mod
cp "$(command -v busybox)" disk/bin/
install -m 755 "$here/init" disk/init
for module in $modules; do
    modprobe -d tree -S "$release" --show-depends "$module"
done | awk '/insmod/ && !seen[$2]++ {print $2}' | while read -r file; do
    cp "$file" disk/mod/
    basename "$file" >> disk/mod/order
done
(cd disk && find . | busybox cpio -o -H newc 2>/dev/null | gzip) > initrd.gz
