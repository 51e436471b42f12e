#!/bin/bash
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: on_linux.sh ROOT COMMAND...
#
# Runs a command in a root file system on the oracle's kernel, which shares the machine's
# files, with this directory on /aosp. The mounts are the kernel's own, and end with it.

set -euo pipefail

root=$1
shift
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --bind "$(dirname "$0")" "$root/aosp"
exec chroot "$root" "$@"
