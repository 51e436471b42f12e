#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Makes build/clients/root, a Debian system with the clients in it: rsb_hub
# and rsb_service from crates.io, libgbinder's tools and Python module from
# Debian, and what build.sh needs to compile programs for libgbinder. Takes a
# minute or two, and no time when the root is there and was made by this same
# script. Needs root: a root file system has more than one owner.

set -euo pipefail

readonly RSBINDER_TOOLS=0.12.0
# The oldest Rust compiler that builds it.
readonly RUST=1.86
# The first Debian release whose backports have libgbinder.
readonly SUITE=trixie
readonly BACKPORTS=(libgbinder-tools python3-gbinder libgbinder-dev)
readonly PACKAGES=(python3-gi gcc libc6-dev pkgconf)

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/../.." && pwd)/build/clients
root=$build/root
stamp=$root/etc/made-by
made_by=$(sha256sum <"$here/prepare.sh")

if [[ -e $stamp && $(<"$stamp") == "$made_by" ]]; then
	exit 0
fi
if [[ $(id -u) != 0 ]]; then
	echo "prepare.sh: the clients' root file system can only be made by root" >&2
	exit 1
fi

mkdir -p "$build"
exec 9>"$build/lock"
flock 9

# Runs a command quietly; what it wrote is shown when it failed.
quietly() {
	local log
	log=$(mktemp "$build/log.XXXXXX")
	"$@" >"$log" 2>&1 9>&- || {
		tail -n 40 "$log" >&2
		echo "prepare.sh: failed: $*" >&2
		exit 1
	}
	rm "$log"
}

# Answers whether $1, a version, is $2 or newer.
newer() {
	[[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]
}

# Prints the mirror that this machine's apt gets Debian from, if any.
mirror() {
	apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 2>/dev/null |
		sed -n 's/^Debian Debian //p' | head -n 1
}

if ! command -v debootstrap >/dev/null || [[ ! -e /usr/share/debootstrap/scripts/$SUITE ]] ||
	[[ ! -e /usr/share/keyrings/debian-archive-$SUITE-stable.gpg ]]; then
	command -v apt-get >/dev/null || {
		echo "prepare.sh: debootstrap is needed, and here is no apt-get to install it" >&2
		exit 1
	}
	echo "Installing debootstrap..."
	quietly apt-get update
	DEBIAN_FRONTEND=noninteractive quietly \
		apt-get install -y --no-install-recommends debootstrap debian-archive-keyring
fi

# Not optimized: that would take most of the time, and nothing here waits for it.
install=(env CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo install --locked --version "$RSBINDER_TOOLS" rsbinder-tools
	--bin rsb_hub --bin rsb_service)
# Where rustup puts it, which a CI service's shell may not know.
export PATH=$PATH:${HOME:-/root}/.cargo/bin
have=$(cargo --version 2>/dev/null | cut -d ' ' -f 2 || true)
builder=
if newer "${have:-0}" "$RUST"; then
	echo "Building rsb_hub..."
	# What links with this machine's libc runs with the newer one of the root.
	quietly "${install[@]}" --root "$build/cargo" --target-dir "$build/target" &
	builder=$!
fi

echo "Making a Debian root in build/clients/root..."
new=$root.new
rm -rf "$new"
# Without a mirror debootstrap takes Debian's own.
quietly debootstrap --variant=minbase "$SUITE" "$new" $(mirror)
in_root() {
	quietly env DEBIAN_FRONTEND=noninteractive chroot "$new" "$@"
}
sed "s/ $SUITE main/ $SUITE-backports main/" "$new/etc/apt/sources.list" \
	>"$new/etc/apt/sources.list.d/backports.list"
cp /etc/resolv.conf "$new/etc/resolv.conf"
in_root apt-get update
in_root apt-get install -y --no-install-recommends "${PACKAGES[@]}"
in_root apt-get install -y --no-install-recommends -t "$SUITE-backports" "${BACKPORTS[@]}"

if [[ -n $builder ]]; then
	wait "$builder" || exit 1
	cp "$build"/cargo/bin/rsb_* "$new/usr/local/bin/"
else
	echo "Building rsb_hub with Debian's compiler..."
	in_root apt-get install -y --no-install-recommends -t "$SUITE-backports" \
		cargo ca-certificates
	# The root trusts whom this machine trusts, a proxy of its owner's included.
	if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
		cp /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/"
	fi
	in_root "${install[@]}" --root /usr/local --target-dir /usr/src/target
fi

in_root apt-get clean
# Where the tests' own files are mounted.
mkdir "$new/clients"
echo "$made_by" >"$new${stamp#"$root"}"
rm -rf "$root"
mv "$new" "$root"
