#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Compiles this directory's own programs, which use the clients' libraries as
# their documentation says, into the root that prepare.sh made. Takes no time
# when they are there and neither their sources nor the root have changed.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/../.." && pwd)/build/clients
root=$build/root
stamp=$root/etc/built-by
built_by=$(cd "$here" && find build.sh aidl c rust "$root/etc/made-by" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)

if [[ -e $stamp && $(<"$stamp") == "$built_by" ]]; then
	exit 0
fi
exec 9>"$build/lock"
flock 9

# In C, with the compiler and the library of the root.
in_c() {
	rm -rf "$root/usr/src/clients"
	cp -r "$here/c" "$root/usr/src/clients"
	chroot "$root" /bin/sh -c 'cd /usr/src/clients &&
		gcc -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -o /usr/local/bin/gb_test *.c \
			$(pkg-config --cflags --libs libgbinder glib-2.0)' 9>&-
}

# In Rust, with the compiler that has made rsb_hub: most of what is needed is
# compiled already.
in_rust() {
	local cargo=(cargo build --quiet --release --locked)
	if [[ -x $root/usr/bin/cargo ]]; then
		rm -rf "$root/usr/src/aidl" "$root/usr/src/rust"
		cp -r "$here/aidl" "$here/rust" "$root/usr/src/"
		chroot "$root" "${cargo[@]}" \
			--manifest-path /usr/src/rust/Cargo.toml --target-dir /usr/src/target 9>&-
		cp "$root/usr/src/target/release/rsb_test" "$root/usr/local/bin/"
	else
		# Where rustup puts it, which a CI service's shell may not know.
		PATH=$PATH:${HOME:-/root}/.cargo/bin "${cargo[@]}" \
			--manifest-path "$here/rust/Cargo.toml" --target-dir "$build/target" 9>&-
		cp "$build/target/release/rsb_test" "$root/usr/local/bin/"
	fi
}

echo "Compiling the clients..."
in_c
in_rust
echo "$built_by" >"$stamp"
