#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: build.sh [--program PATH SOURCES [AIDL [FILE...]]]
#
# Builds what modules.py lists of AOSP into build/aosp/root, a Debian system,
# where Android has it: /system/bin/servicemanager, /system/bin/service,
# /vendor/bin/vndservicemanager, /system/bin/logd, /system/lib64/libbinder.so, tests
# in /data/nativetest64/NAME/NAME... Takes ten minutes, and no time when nothing that
# it depends on has changed.
#
# With --program builds, after that, a program of our own on libbinder and
# libbinder_ndk: of each *.cpp of the directory SOURCES, and of the C++ that the
# AIDL compiler makes (--lang=cpp) of each FILE in the directory AIDL, by default of
# all *.aidl there. FILE is as the package says, org/example/IEcho.aidl, so that
# it is included as <org/example/IEcho.h>. The program is compiled with the flags of
# AOSP's own, and comes to PATH in the root. For example
#
#   test/aosp/build.sh --program /system/bin/echo test/clients/cpp test/clients/aidl \
#       org/sentrybinder/test/{IEcho,IListener}.aidl
#
# If $SENTRYBINDER_CACHE names a directory, what is built is kept there, too, and
# taken from there, by any clone. build/aosp/build and build/aosp/download are
# needed to build only.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build/aosp
root=$build/root
. "$top/tools/debian/system"

# digest FILE... prints a digest of files and of those in directories, with their
# names.
digest() {
	(cd "$top" && find "$@" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c -32
}

# cached NAME answers whether $SENTRYBINDER_CACHE has a file, and says so.
cached() {
	[[ -n ${SENTRYBINDER_CACHE:-} && -e $SENTRYBINDER_CACHE/$1 ]] || return
	echo "Taking $1 from the cache..."
}

# cache NAME COMMAND... keeps there what a command writes, if there is such a place.
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

# copy FROM TO copies the files of a directory that differ, so that what was made
# of the others is still newer.
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
	# With the names that they have in any clone.
	sources=("$(realpath --relative-to="$top" "$2")" ${3:+"$(realpath --relative-to="$top" "$3")"})
	program_id=$({ digest "${sources[@]}" && echo "$1" "${sources[@]}" "${@:4}"; } | sha256sum | cut -c -32)
	if [[ ! -e $root$1 || $(cat "$root/etc/built-by-${1##*/}" 2>/dev/null) != "$id $program_id" ]]; then
		begin_build
		build_program "$id" "$program_id" "$@"
	fi
fi
