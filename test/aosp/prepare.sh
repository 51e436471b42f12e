#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Makes two Debian systems: build/aosp/root, in which AOSP's programs will run, and
# build/aosp/build, in which build.sh builds them, with AOSP's source in its /aosp/src and
# the AIDL compiler in /aosp/aidl. Takes three minutes, and no time if these same files
# made them already.

set -euo pipefail

readonly SUITE=trixie
readonly RUNTIME=(android-libbase android-libcutils android-libutils android-liblog android-libboringssl
	libjsoncpp26)
readonly BUILD=(clang lld g++ ninja-build dpkg-dev android-libbase-dev android-libcutils-dev android-libutils-dev
	android-liblog-dev android-libselinux-dev android-libboringssl-dev libgtest-dev libgmock-dev libclang-rt-19-dev
	zlib1g-dev libzstd-dev libcap-dev protobuf-compiler libprotobuf-dev libjsoncpp-dev)

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build/aosp
. "$top/tools/debian/system"

id=$(cat "$here"/{prepare.sh,files.txt,change.sh} "$top/tools/debian/system" | sha256sum)

# made SYSTEM returns whether it is up to date.
made() {
	[[ $(cat "$build/$1/etc/made-by" 2>/dev/null) == "$id" ]]
}

# done_with SYSTEM replaces it with the new one.
done_with() {
	echo "$id" >"$build/$1.new/etc/made-by"
	rm -rf --one-file-system "${build:?}/$1"
	mv "$build/$1.new" "$build/$1"
}

if made root && made build; then
	exit 0
fi
# build.sh holds the lock.
[[ -n ${AOSP_LOCKED:-} ]] || begin_build

# download DIR gets the files in files.txt, with a system's apt, into build/aosp/download,
# or into $SENTRYBINDER_CACHE, where they stay.
download() {
	local sum path file from
	files=${SENTRYBINDER_CACHE:-$build}/download
	mkdir -p "$files" "$1/download"
	# The mirror that debootstrap used.
	from=$(sed -n '1s/^deb \([^ ]*\) .*/\1/p' "$1/etc/apt/sources.list")
	while read -r sum path; do
		[[ $sum != "#" && -n $sum ]] || continue
		file=$files/${path##*/}
		if echo "$sum  $file" | sha256sum --check --status 2>/dev/null; then
			continue
		fi
		chroot "$1" /usr/lib/apt/apt-helper download-file "${from%/}/pool/$path" \
			"/download/${path##*/}" "SHA256:$sum" >"$build/log" 2>&1 9>&- || {
			tail -n 5 "$build/log" >&2
			die "can't get ${path##*/}, which files.txt names. If Debian has a newer version: get this one" \
				"from Debian's archive of snapshots and put it into $files, or let files.txt name the newer one."
		}
		mv "$1/download/${path##*/}" "$file"
	done <"$here/files.txt"
	rm -r "$1/download"
}

if ! made root; then
	echo "Making a Debian system to run AOSP's programs in, in build/aosp/root..."
	new=$build/root.new
	make_system "$SUITE" "$new"
	install_in "$new" "${RUNTIME[@]}"
	in_system "$new" apt-get clean
	rm -rf "$new"/var/lib/apt/lists/* "$new"/usr/share/{doc,locale,man}/*
	done_with root
fi

if ! made build; then
	echo "Making another to build them in, in build/aosp/build..."
	new=$build/build.new
	rm -rf --one-file-system "$new"
	cp -a "$build/root" "$new"
	in_system "$new" apt-get update
	install_in "$new" "${BUILD[@]}"
	in_system "$new" apt-get clean
	echo "Getting AOSP's source..."
	download "$new"
	# A root from the cache has this directory already.
	mkdir -p "$new/aosp"
	cp "$files"/* "$new/aosp/"
	in_system "$new" sh -c 'cd /aosp && dpkg-source --no-check -x *.dsc src && dpkg-deb -x aidl_*.deb aidl'
	find "$new/aosp" -maxdepth 1 -type f -delete
	"$here/change.sh" "$new/aosp/src"
	done_with build
fi
