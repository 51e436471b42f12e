#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Makes build/arm64/4k and build/arm64/16k: the kernel vmlinuz of Debian's package for
# arm64, with pages of that size, and an initramfs, of Debian's busybox and the few of
# that kernel's modules that machine needs. Takes no time when they are there and were
# made by these same files.
#
# If $SENTRYBINDER_CACHE names a directory, both are kept there, too, and taken from
# there, by any clone.

set -euo pipefail

# Where the kernel comes from, the same version as the drivers of tools/oracle.
readonly KERNELS=trixie-backports
readonly SUITE=trixie
readonly MODULES=(fs/netfs/netfs.ko.xz net/9p/9pnet.ko.xz net/9p/9pnet_virtio.ko.xz fs/9p/9p.ko.xz
	drivers/android/binder_linux.ko.xz)

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build/arm64
. "$top/tools/debian/system"

# use_suite DIR SUITE prepares, in a directory, what apt needs to get a suite's packages
# for arm64. Nothing else of this machine changes.
use_suite() {
	local dir=$1 from
	from=$(mirror)
	[[ -n $from ]] || die "this machine's apt has no Debian to get packages from"
	mkdir -p "$dir"/{lists/partial,cache/archives/partial}
	: >"$dir/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from $2 main" >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-CONF
		Dir::Etc::SourceList "$dir/sources.list";
		Dir::Etc::SourceParts "-";
		Dir::State::Lists "$dir/lists";
		Dir::State::Status "$dir/status";
		Dir::Cache "$dir/cache";
		APT::Architecture "arm64";
		APT::Architectures { "arm64"; };
		APT::Sandbox::User "root";
	CONF
	quietly env APT_CONFIG="$dir/apt.conf" apt-get update
}

# depends DIR PACKAGE PATTERN prints the package that matches, of those that one of a
# suite depends on.
depends() {
	APT_CONFIG=$1/apt.conf apt-cache depends "$2" | sed -n "s/^ *Depends: \($3\)\$/\1/p" | head -n 1
}

# take DIR PACKAGE TO FILE... gets a package of a suite, and puts files of it into a
# directory.
take() {
	local suite=$1 package=$2 to
	mkdir -p "$3"
	to=$(realpath "$3")
	shift 3
	(cd "$suite/cache/archives" && quietly env APT_CONFIG="$suite/apt.conf" apt-get download "$package")
	dpkg-deb --fsys-tarfile "$suite/cache/archives/$package"_*.deb |
		tar -C "$to" -x --transform='s|.*/||' "${@/#/./}"
}

id=$(cat "$here"/{prepare.sh,init} "$top/tools/debian/system" | sha256sum | cut -c -32)
mkdir -p "$build"
exec 9>"$build/lock"
flock 9
[[ $(cat "$build/made-by" 2>/dev/null) != "$id" ]] || exit 0

cached=${SENTRYBINDER_CACHE:+$SENTRYBINDER_CACHE/arm64-$id.tar}
if [[ -n $cached && -e $cached ]]; then
	echo "Taking ${cached##*/} from the cache..."
	tar -C "$build" -xf "$cached"
	echo "$id" >"$build/made-by"
	exit 0
fi

"$top/tools/build/need" xz=xz-utils cpio apt-get=apt
echo "Getting Debian's kernels for arm64..."
work=$build/work
rm -rf "$work"
mkdir "$work"
use_suite "$work/kernels" "$KERNELS"
use_suite "$work/suite" "$SUITE"
for size in 4k 16k; do
	flavour=arm64
	[[ $size == 4k ]] || flavour+=-$size
	kernel=$(depends "$work/kernels" "linux-image-$flavour" "linux-image-[0-9].*-$flavour")
	[[ -n $kernel ]] || die "$KERNELS has no linux-image-$flavour"
	version=${kernel#linux-image-}
	modules=usr/lib/modules/$version
	root=$work/root-$size
	mkdir -p "$build/$size" "$root"/{bin,dev,lib,proc,sys,new}
	take "$work/suite" busybox-static "$root/bin" usr/bin/busybox
	ln -s busybox "$root/bin/sh"
	cp "$here/init" "$root/init"
	take "$work/kernels" "linux-modules-$version" "$root/lib" "${MODULES[@]/#/$modules/kernel/}"
	xz -d "$root"/lib/*.xz
	take "$work/kernels" "linux-binary-$version" "$build/$size" "$modules/vmlinuz"
	(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$build/$size/initramfs"
	echo "$version" >"$build/$size/version"
done
rm -rf "$work"
if [[ -n $cached ]]; then
	mkdir -p "$SENTRYBINDER_CACHE"
	tar -C "$build" -cf "$cached.$$" 4k 16k
	mv "$cached.$$" "$cached"
fi
echo "$id" >"$build/made-by"
