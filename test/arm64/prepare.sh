#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: prepare.sh [KERNEL]...
#
# Makes build/arm64/KERNEL for each of the kernels 4k, 16k and amd64, by default for the
# first two: vmlinuz, of Debian's package of the kernel for arm64, with pages of that
# size, or for amd64; and an initramfs, of Debian's busybox and the few of that kernel's
# modules that machine needs. Takes no time when they are there and were made by these
# same files.
#
# If $SENTRYBINDER_CACHE names a directory, they are kept there, too, and taken from
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

# use_suite DIR SUITE ARCH prepares, in a directory, what apt needs to get a suite's
# packages for an architecture. Nothing else of this machine changes.
use_suite() {
	local dir=$1 arch=$3 from
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
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
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

# make KERNEL makes $build/KERNEL.
make() {
	local kernel=$1 flavour arch package version modules
	local work=$build/work root=$build/work/root new=$build/work/new
	case $kernel in
	4k) flavour=arm64 arch=arm64 ;;
	16k) flavour=arm64-16k arch=arm64 ;;
	amd64) flavour=amd64 arch=amd64 ;;
	*) die "there is no kernel $kernel" ;;
	esac
	echo "Getting Debian's kernel for $flavour..."
	rm -rf "$work"
	mkdir -p "$new" "$root"/{bin,dev,lib,proc,sys,new}
	use_suite "$work/kernels" "$KERNELS" "$arch"
	use_suite "$work/suite" "$SUITE" "$arch"
	package=$(depends "$work/kernels" "linux-image-$flavour" "linux-image-[0-9].*-$flavour")
	[[ -n $package ]] || die "$KERNELS has no linux-image-$flavour"
	version=${package#linux-image-}
	modules=usr/lib/modules/$version
	take "$work/suite" busybox-static "$root/bin" usr/bin/busybox
	ln -s busybox "$root/bin/sh"
	cp "$here/init" "$root/init"
	take "$work/kernels" "linux-modules-$version" "$root/lib" "${MODULES[@]/#/$modules/kernel/}"
	xz -d "$root"/lib/*.xz
	take "$work/kernels" "linux-binary-$version" "$new" "$modules/vmlinuz"
	(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$new/initramfs"
	echo "$version" >"$new/version"
	echo "$id" >"$new/made-by"
	rm -rf "${build:?}/$kernel"
	mv "$new" "$build/$kernel"
	rm -rf "$work"
}

id=$(cat "$here"/{prepare.sh,init} "$top/tools/debian/system" | sha256sum | cut -c -32)
mkdir -p "$build"
exec 9>"$build/lock"
flock 9
(($#)) || set -- 4k 16k
for kernel; do
	[[ $(cat "$build/$kernel/made-by" 2>/dev/null) != "$id" ]] || continue
	cached=${SENTRYBINDER_CACHE:+$SENTRYBINDER_CACHE/arm64-$kernel-$id.tar}
	if [[ -n $cached && -e $cached ]]; then
		echo "Taking ${cached##*/} from the cache..."
		rm -rf "${build:?}/$kernel"
		tar -C "$build" -xf "$cached"
		continue
	fi
	"$top/tools/build/need" xz=xz-utils cpio apt-get=apt
	make "$kernel"
	if [[ -n $cached ]]; then
		mkdir -p "$SENTRYBINDER_CACHE"
		tar -C "$build" -cf "$cached.$$" "$kernel"
		mv "$cached.$$" "$cached"
	fi
done
