// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// makeDevices mounts binderfs and links its devices to where programs expect them, like
// AOSP's init.rc on early-init.
func makeDevices() error {
	const dir = "/dev/binderfs"
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("binder", dir, "binder", 0, "stats=global"); err != nil {
		return fmt.Errorf("mounting binderfs: %w", err)
	}
	for _, name := range []string{"binder", "hwbinder", "vndbinder"} {
		if err := os.Chmod(dir+"/"+name, 0o666); err != nil {
			return err
		}
		if err := os.Symlink(dir+"/"+name, "/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}
