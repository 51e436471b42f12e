#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: prepare.sh DIR
#
# Installs what test/cri runs in a directory, where it stays, and nothing in the system:
# containerd of both major versions, the network plugins and a shell, from Debian's
# packages; crictl and, unless KUBELET=0, a kubelet, built from their modules. Takes a
# minute or two the first time, and no time later.

set -euo pipefail

# containerd 1.7 is in trixie, and 2 in the next release.
readonly SUITES=(trixie forky)
# These versions still speak the CRI of 1.7. Newer versions of Kubernetes require a host
# with cgroup2.
readonly CRICTL=v1.37.0
readonly KUBERNETES=32.3

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)
. "$here/../../tools/debian/system"
begin_build

# package SUITE PACKAGE... unpacks packages of one of Debian's releases in $build/SUITE.
package() {
	local suite=$1 apt=$build/apt-$1
	shift
	[[ ! -e $build/$suite ]] || return 0
	echo "Getting $* from Debian's $suite..."
	rm -rf "$apt"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/root"
	: >"$apt/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $suite main" >"$apt/sources.list"
	cat >"$apt/conf" <<-CONF
		Dir::State::lists "$apt/lists";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache";
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "-";
		Acquire::Languages "none";
		APT::Sandbox::User "root";
	CONF
	(
		cd "$apt/cache"
		export APT_CONFIG=$apt/conf
		quietly apt-get update
		quietly apt-get download "$@"
	)
	local deb
	for deb in "$apt"/cache/*.deb; do
		dpkg-deb -x "$deb" "$apt/root"
	done
	mv "$apt/root" "$build/$suite"
	rm -rf "$apt"
}

# build_module NAME DIR PACKAGE builds a program from a module.
build_module() {
	echo "Building $1..."
	(
		cd "$2"
		export CGO_ENABLED=0 GOFLAGS=
		quietly "${GO:-go}" build "${@:4}" -trimpath -ldflags="-s -w" -o "$build/$1.new" "$3"
	)
	mv "$build/$1.new" "$build/$1"
}

# module MODULE@VERSION prints a module's directory.
module() {
	"${GO:-go}" mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

package "${SUITES[0]}" containerd containernetworking-plugins busybox-static
package "${SUITES[1]}" containerd

if [[ ! -e $build/crictl-$CRICTL ]]; then
	build_module "crictl-$CRICTL" "$(module "sigs.k8s.io/cri-tools@$CRICTL")" ./cmd/crictl
fi
ln -sf "crictl-$CRICTL" "$build/crictl"

if [[ ${KUBELET:-1} != 0 && ! -e $build/kubelet-1.$KUBERNETES ]]; then
	# Its module refers to those developed with it by their directories. They have also
	# been published as separate modules.
	source=$(module "k8s.io/kubernetes@v1.$KUBERNETES")
	rm -rf "$build/kubernetes"
	mkdir "$build/kubernetes"
	sed 's/^module .*/module kubelet/; /^godebug/d; /^replace (/,/^)/d' "$source/go.mod" >"$build/kubernetes/go.mod"
	{
		echo "require k8s.io/kubernetes v1.$KUBERNETES"
		sed -n "s|^\t\(k8s.io/.*\) => ./staging/.*|replace \1 => \1 v0.$KUBERNETES|p" "$source/go.mod"
	} >>"$build/kubernetes/go.mod"
	cp "$source/go.sum" "$build/kubernetes"
	build_module "kubelet-1.$KUBERNETES" "$build/kubernetes" k8s.io/kubernetes/cmd/kubelet -mod=mod
	rm -rf "$build/kubernetes"
fi
[[ ${KUBELET:-1} == 0 ]] || ln -sf "kubelet-1.$KUBERNETES" "$build/kubelet"
