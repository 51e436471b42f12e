# shellcheck shell=bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# make_bundle DIR makes an OCI bundle whose process waits forever, so that the sandbox
# outlives what is executed in it. Programs go into DIR/root.
make_bundle() {
	mkdir -p "$1/root/dev" "$1/root/proc" "$1/root/tmp"
	cat >"$1/init.go" <<-EOF
		package main

		import "syscall"

		func main() {
			for {
				syscall.Pause()
			}
		}
	EOF
	CGO_ENABLED=0 "${GO:-go}" build -o "$1/root/init" "$1/init.go"
	cat >"$1/config.json" <<-EOF
		{
			"ociVersion": "1.0.0",
			"root": {"path": "root"},
			"process": {"args": ["/init"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
			"mounts": [{"type": "proc", "destination": "/proc", "source": "proc"}],
			"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}
		}
	EOF
}
