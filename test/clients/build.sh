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
built_by=$(cd "$here" && find build.sh c "$root/etc/made-by" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)

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

echo "Compiling the clients..."
in_c
echo "$built_by" >"$stamp"
