#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Compiles this directory's own programs, which use the clients' libraries as documented,
# into the root that prepare.sh made, and adds what they need from AOSP. Takes no time if
# neither the sources nor the root nor AOSP have changed.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build/clients
root=$build/root
aosp=$top/build/aosp/root
stamp=$root/etc/built-by
# C++ is built with AOSP's flags, and in its root.
"$top/test/aosp/build.sh" --program /system/bin/cpp_test "$here/cpp" "$here/aidl"
built_by=$(cd "$here" && find build.sh aidl c rust "$root/etc/made-by" "$aosp"/etc/built-by{,-cpp_test} -type f -print0 |
	sort -z | xargs -0 sha256sum | sha256sum)

if [[ -e $stamp && $(<"$stamp") == "$built_by" ]]; then
	exit 0
fi
exec 9>"$build/lock"
flock 9

# C, with the root's compiler and library.
in_c() {
	rm -rf "$root/usr/src/clients"
	cp -r "$here/c" "$root/usr/src/clients"
	chroot "$root" /bin/sh -c 'cd /usr/src/clients &&
		gcc -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -o /usr/local/bin/gb_test *.c \
			$(pkg-config --cflags --libs libgbinder glib-2.0)' 9>&-
}

# Rust, with the compiler that built rsb_hub: most dependencies are compiled already.
in_rust() {
	local cargo=(cargo build --quiet --release --locked)
	if [[ -x $root/usr/bin/cargo ]]; then
		rm -rf "$root/usr/src/aidl" "$root/usr/src/rust"
		cp -r "$here/aidl" "$here/rust" "$root/usr/src/"
		chroot "$root" "${cargo[@]}" \
			--manifest-path /usr/src/rust/Cargo.toml --target-dir /usr/src/target 9>&-
		cp "$root/usr/src/target/release/rsb_test" "$root/usr/local/bin/"
	else
		# rustup's directory, which a CI service's shell may not have in its path.
		PATH=$PATH:${HOME:-/root}/.cargo/bin "${cargo[@]}" \
			--manifest-path "$here/rust/Cargo.toml" --target-dir "$build/target" 9>&-
		cp "$build/target/release/rsb_test" "$root/usr/local/bin/"
	fi
}

# From AOSP's root, with the libraries that the programs were linked with there.
of_aosp() {
	install -D -t "$root/system/lib64" "$aosp"/system/lib64/libbinder.so
	install -D -t "$root/system/bin" "$aosp"/system/bin/{servicemanager,service,cpp_test}
}

echo "Compiling the clients..."
in_c
in_rust
of_aosp
echo "$built_by" >"$stamp"
