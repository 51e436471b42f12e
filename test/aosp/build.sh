#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: build.sh [--program PATH SOURCES [AIDL [FILE...]]]
#
# Builds the parts of AOSP that modules.py lists into build/aosp/root, a Debian system,
# in Android's places: /system/bin/servicemanager, /system/bin/service,
# /vendor/bin/vndservicemanager, /system/bin/logd, /system/lib64/libbinder.so, tests
# in /data/nativetest64/NAME/NAME... Takes ten minutes, and no time if none of its
# inputs has changed.
#
# With --program, then builds a program of our own with libbinder and libbinder_ndk:
# from each *.cpp in the directory SOURCES, and from the C++ that the AIDL compiler
# generates (--lang=cpp) for each FILE in the directory AIDL, by default for all
# *.aidl there. FILE's path follows its package, as in org/example/IEcho.aidl, which
# is included as <org/example/IEcho.h>. The program is compiled with the flags of
# AOSP's own, and installed at PATH in the root. For example
#
#   test/aosp/build.sh --program /system/bin/echo test/clients/cpp test/clients/aidl \
#       org/sentrybinder/test/{IEcho,IListener}.aidl
#
# If $SENTRYBINDER_CACHE names a directory, what is built is also kept there, and taken
# from there by any clone. build/aosp/build and build/aosp/download are needed only to
# build.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build/aosp
root=$build/root
. "$top/tools/debian/system"

# digest FILE... prints a digest of files and of those in directories, including their
# names.
digest() {
	(cd "$top" && find "$@" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c -32
}

# cached NAME returns whether $SENTRYBINDER_CACHE has a file, and announces that.
cached() {
	[[ -n ${SENTRYBINDER_CACHE:-} && -e $SENTRYBINDER_CACHE/$1 ]] || return
	echo "Taking $1 from the cache..."
}

# cache NAME COMMAND... keeps a command's output there, if the cache exists.
cache() {
	local file=${SENTRYBINDER_CACHE:-}/$1
	shift
	if [[ -z ${SENTRYBINDER_CACHE:-} ]]; then
		return
	fi
	mkdir -p "$SENTRYBINDER_CACHE"
	"$@" >"$file.$$"
	mv "$file.$$" "$file"
}

# copy FROM TO copies a directory's files that differ, so that outputs of the others stay
# newer.
copy() {
	local file
	(cd "$1" && find . -type f ! -name '*.pyc') | while read -r file; do
		cmp -s "$1/$file" "$2/$file" || install -D -m 644 "$1/$file" "$2/$file"
	done
}

# compile NINJA-FILE TARGET...
compile() {
	quietly chroot "$build/build" sh -c 'cd /aosp && exec ninja -f "$@"' sh "$@"
}

build_aosp() {
	local id=$1
	if cached "aosp-$id.tar.gz"; then
		rm -rf --one-file-system "$root.new"
		mkdir "$root.new"
		tar -C "$root.new" -xzf "$SENTRYBINDER_CACHE/aosp-$id.tar.gz"
		rm -rf --one-file-system "$root"
		mv "$root.new" "$root"
		return
	fi
	AOSP_LOCKED=1 "$here/prepare.sh"
	echo "Building AOSP's libbinder, service managers, tools and tests..."
	copy "$here/stubs" "$build/build/aosp/stubs"
	"$here/ninja.py" >"$build/build/aosp/build.ninja"
	rm -rf "$build/build/aosp/out"
	compile build.ninja
	rm -rf "$root"/{system,vendor,data} "$root"/etc/built-by*
	cp -a "$build/build/aosp/out/." "$root/"
	mkdir -p "$root/data/local/tmp" "$root/aosp"
	echo "$id" >"$root/etc/built-by"
	cache "aosp-$id.tar.gz" tar -C "$root" -cz .
}

# build_program AOSP-ID PROGRAM-ID PATH SOURCES [AIDL [FILE...]]
build_program() {
	local name=${3##*/} path=$3 ids="$1 $2"
	if cached "$name-${ids/ /-}"; then
		install -D "$SENTRYBINDER_CACHE/$name-${ids/ /-}" "$root$path"
	else
		AOSP_LOCKED=1 "$here/prepare.sh"
		echo "Building $name..."
		shift 2
		copy "$here/stubs" "$build/build/aosp/stubs"
		copy "$2" "$build/build/aosp/own/$name/src"
		[[ -z ${3:-} ]] || copy "$3" "$build/build/aosp/own/$name/aidl"
		"$here/ninja.py" "$@" >"$build/build/aosp/$name.ninja"
		compile "$name.ninja" "out$path"
		install -D "$build/build/aosp/out$path" "$root$path"
		cache "$name-${ids/ /-}" cat "$root$path"
	fi
	echo "$ids" >"$root/etc/built-by-$name"
}

id=$(digest tools/debian test/aosp/{prepare.sh,files.txt,change.sh,build.sh,modules.py,ninja.py,stubs})
if [[ $(cat "$root/etc/built-by" 2>/dev/null) != "$id" ]]; then
	begin_build
	build_aosp "$id"
fi
if [[ ${1:-} == --program ]]; then
	shift
	# By names that are the same in any clone.
	sources=("$(realpath --relative-to="$top" "$2")" ${3:+"$(realpath --relative-to="$top" "$3")"})
	program_id=$({ digest "${sources[@]}" && echo "$1" "${sources[@]}" "${@:4}"; } | sha256sum | cut -c -32)
	if [[ ! -e $root$1 || $(cat "$root/etc/built-by-${1##*/}" 2>/dev/null) != "$id $program_id" ]]; then
		begin_build
		build_program "$id" "$program_id" "$@"
	fi
fi
