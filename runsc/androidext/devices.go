// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"sentrybinder/pkg/sentry/devices/ashmem"
)

// devices is the annotation whose value lists the names of a sandbox's Binder devices,
// separated by commas. Each device has its own context, and so its own context manager.
//
// Without the annotation a sandbox has Android's devices; if the value is empty, it has
// none. The names are distinct file names of at most 255 bytes, without spaces or control
// characters.
var devices = annotation[[]string]{
	key:    Prefix + "devices",
	scope:  ofSandbox,
	absent: []string{"binder", "hwbinder", "vndbinder"},
	parse:  parseDevices,
}

// maxNameLen is the maximum length of a Binder device's name in bytes, Linux's
// BINDERFS_MAX_NAME.
const maxNameLen = 255

// devNames are the names that gVisor and hasAshmem create directly in /dev. A device
// file with such a name would silently be left out.
var devNames = []string{
	ashmem.Name, "block", "char", "fd", "full", "fuse", "kmsg", "mqueue", "net", "null", "ptmx", "pts",
	"random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero",
}

func parseDevices(value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	names := strings.Split(value, ",")
	for i, name := range names {
		why := ""
		switch {
		case name == "":
			why = "a device name can't be empty"
		case len(name) > maxNameLen:
			why = fmt.Sprintf("a device name has at most %d bytes", maxNameLen)
		case name == "." || name == ".." || strings.ContainsRune(name, '/'):
			why = "a device name is a file name"
		case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
			why = "a device name can't have spaces or control characters"
		case slices.Contains(devNames, name):
			return nil, nameTaken(name)
		case slices.Contains(names[:i], name):
			why = "listed twice"
		default:
			continue
		}
		return nil, fmt.Errorf("device %q: %s", name, why)
	}
	return names, nil
}

func nameTaken(name string) error {
	return fmt.Errorf("device %q: the name is taken in /dev", name)
}
