#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: run.sh [-test.run PATTERN]...
#
# Runs pods under containerd, of both major versions, with bin/runsc and
# bin/containerd-shim-runsc-v1, and, unless KUBELET=0, under a kubelet with the
# manifests of deploy/kubernetes. The last line of the output is
#
#   N passed, N failed, N skipped
#
# Everything runs in separate namespaces: the machine's containerd, kubelet, network and
# files are left alone, and no process remains. Needs root.

set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
build=$top/build/cri
export CRI_TOOLS=${SENTRYBINDER_CACHE:-$build}/cri
[[ $(id -u) == 0 ]] || {
	echo "run.sh: pods need root" >&2
	exit 1
}
tools/build/need ip=iproute2 iptables unshare=util-linux
test/cri/prepare.sh "$CRI_TOOLS"

mkdir -p "$build"
CGO_ENABLED=0 "${GO:-go}" test -c -trimpath -o "$build/cri.test" ./test/cri
# The pods' images: the example, a shell, and the one that keeps a pod's namespaces.
export CRI_IMAGES=$build/images
rm -rf "$build/shell" "$CRI_IMAGES"
mkdir -p "$build/shell/bin" "$build/shell/tmp" "$CRI_IMAGES"
cp "$CRI_TOOLS/trixie/usr/bin/busybox" "$build/shell/bin"
for applet in cat grep head ls mount sh sleep tail touch wc; do
	ln -s busybox "$build/shell/bin/$applet"
done
tools/image/make "$CRI_IMAGES/shell.tar" localhost/shell:1 "$build/shell" /bin/sleep inf
tools/image/make "$CRI_IMAGES/pause.tar" localhost/pause:1 "$build/shell" /bin/sleep inf
tools/image/talk "$CRI_IMAGES/talk.tar"
# AOSP's service manager, if it has been built.
if [[ -x build/aosp/root/system/bin/servicemanager ]]; then
	tools/image/aosp "$CRI_IMAGES/aosp.tar"
fi

passed=0 failed=0 skipped=0
log=$(mktemp)

# tally STATUS adds the log's counts. Subtests are part of another test.
tally() {
	local p f s
	p=$(grep -c '^--- PASS: ' "$log" || true)
	f=$(grep -c '^--- FAIL: ' "$log" || true)
	s=$(grep -c '^--- SKIP: ' "$log" || true)
	if ((f == 0 && $1 != 0)); then
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}
tmp=$(mktemp -d /tmp/cri.XXXXXX)
# Directories that are made private below.
made=()
for dir in /var/lib/kubelet /run/containerd /var/log/pods; do
	[[ -d $dir ]] || made+=("$dir")
	mkdir -p "$dir"
done
# The pods' control groups, in each hierarchy, apart from any others of Kubernetes.
groups=(/sys/fs/cgroup)
[[ -e /sys/fs/cgroup/cgroup.controllers ]] || groups=(/sys/fs/cgroup/*/)
clean_up() {
	rm -rf --one-file-system "$log" "$tmp"
	for group in "${groups[@]}"; do
		find "$group/sentrybinder-test" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
	((${#made[@]} == 0)) || rmdir --ignore-fail-on-non-empty "${made[@]}"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
for group in "${groups[@]}"; do
	mkdir -p "$group/sentrybinder-test"
done

echo "==== manifests"
status=0
(cd test/cri/manifests && "${GO:-go}" test -count=1 -v .) 2>&1 | tee "$log" || status=$?
tally "$status"

for suite in trixie forky; do
	export CRI_CONTAINERD=$CRI_TOOLS/$suite/usr/bin CRI_DIR=$tmp/$suite
	mkdir -p "$CRI_DIR/kubelet" "$CRI_DIR/run" "$CRI_DIR/logs"
	PREFIX=$CRI_DIR/usr SYSCONFDIR=$CRI_DIR/etc tools/install/install
	echo "==== $("$CRI_CONTAINERD/containerd" --version)"
	status=0
	# shellcheck disable=SC2016 # Expanded there.
	timeout -k 10 280 unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private sh -ec '
		mount --bind "$CRI_DIR/kubelet" /var/lib/kubelet
		mount --bind "$CRI_DIR/run" /run/containerd
		mount --bind "$CRI_DIR/logs" /var/log/pods
		ip link set lo up
		exec "$@"' sh "$build/cri.test" -test.v "$@" 2>&1 | tee "$log" || status=$?
	tally "$status"
	rm -rf --one-file-system "$CRI_DIR"
done
echo
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
