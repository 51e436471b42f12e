#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Makes build/clients/root, a Debian system with the clients: rsb_hub and rsb_service from
# crates.io, libgbinder's tools and Python module from Debian, and what build.sh needs to
# compile programs for libgbinder. Takes a minute or two, or no time if this script has
# not changed since. Needs root: a root file system has more than one owner.

set -euo pipefail

readonly RSBINDER_TOOLS=0.12.0
# The oldest Rust compiler that builds it.
readonly RUST=1.86
# The first Debian release whose backports have libgbinder.
readonly SUITE=trixie
readonly BACKPORTS=(libgbinder-tools python3-gbinder libgbinder-dev)
# The libraries of AOSP's programs, which build.sh adds.
readonly ANDROID=(android-libbase android-libcutils android-liblog android-libutils)
readonly PACKAGES=(python3-gi gcc libc6-dev pkgconf "${ANDROID[@]}")

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build/clients
root=$build/root
stamp=$root/etc/made-by
made_by=$(cat "$here/prepare.sh" "$top/tools/debian/system" | sha256sum)
. "$top/tools/debian/system"

if [[ -e $stamp && $(<"$stamp") == "$made_by" ]]; then
	exit 0
fi
begin_build

# Not optimized, which would take most of the time without benefit.
install=(env CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo install --locked --version "$RSBINDER_TOOLS" rsbinder-tools
	--bin rsb_hub --bin rsb_service)
# rustup's directory, which a CI service's shell may not have in its path.
export PATH=$PATH:${HOME:-/root}/.cargo/bin
have=$(cargo --version 2>/dev/null | cut -d ' ' -f 2 || true)
builder=
if newer "${have:-0}" "$RUST"; then
	echo "Building rsb_hub..."
	# What was linked with this machine's libc runs with the root's newer one.
	quietly "${install[@]}" --root "$build/cargo" --target-dir "$build/target" &
	builder=$!
fi

echo "Making a Debian root in build/clients/root..."
new=$root.new
make_system "$SUITE" "$new"
sed "s/ $SUITE main/ $SUITE-backports main/" "$new/etc/apt/sources.list" \
	>"$new/etc/apt/sources.list.d/backports.list"
in_system "$new" apt-get update
install_in "$new" "${PACKAGES[@]}"
install_in "$new" -t "$SUITE-backports" "${BACKPORTS[@]}"

if [[ -n $builder ]]; then
	wait "$builder" || exit 1
	cp "$build"/cargo/bin/rsb_* "$new/usr/local/bin/"
else
	echo "Building rsb_hub with Debian's compiler..."
	install_in "$new" -t "$SUITE-backports" cargo ca-certificates
	# The root trusts what this machine trusts, including its owner's proxy.
	if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
		cp /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/"
	fi
	in_system "$new" "${install[@]}" --root /usr/local --target-dir /usr/src/target
fi

in_system "$new" apt-get clean
# The mount point of the tests' own files.
mkdir "$new/clients"
echo "$made_by" >"$new${stamp#"$root"}"
rm -rf "$root"
mv "$new" "$root"
