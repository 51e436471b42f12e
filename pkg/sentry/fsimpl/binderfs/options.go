// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"fmt"
	"strconv"
	"strings"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// MountOptions are the names of the options of a mount in a container's config. Those of
// mount(2) are Linux's, without mode.
var MountOptions = []string{"max", "stats", modeOption}

// modeOption is the permissions, in octal, of an instance's initial devices. A config has
// no other way to change them.
const modeOption = "mode"

// CheckMountOptions returns an error that tells users what is wrong with the options, from
// among MountOptions, of a mount in a container's config. devices are the instance's
// initial devices.
func CheckMountOptions(options []string, devices []string) error {
	for _, o := range options {
		if _, _, err := parseConfigOptions(o, 0); err != nil {
			return fmt.Errorf("option %q: the options of binderfs are max=N, up to %d, stats=global, and mode=OCTAL, up to 0777", o, numMinors)
		}
	}
	o, _, err := parseConfigOptions(strings.Join(options, ","), 0)
	if err == nil && o.max < len(devices) {
		return fmt.Errorf("option max=%d leaves no room for the initial devices: %s", o.max, strings.Join(devices, ", "))
	}
	return err
}

// parseConfigOptions is parseOptions for a mount in a container's config. It returns mode
// unless data sets another.
//
// Errors: as parseOptions.
func parseConfigOptions(data string, mode linux.FileMode) (options, linux.FileMode, error) {
	var rest []string
	for _, opt := range strings.Split(data, ",") {
		value, ok := strings.CutPrefix(opt, modeOption+"=")
		if !ok {
			rest = append(rest, opt)
			continue
		}
		n, err := strconv.ParseUint(value, 8, 16)
		if err != nil || n > 0777 {
			return options{}, 0, linuxerr.EINVAL
		}
		mode = linux.FileMode(n)
	}
	o, err := parseOptions(strings.Join(rest, ","), true)
	return o, mode, err
}

// options are the mount options of an instance.
//
// +stateify savable
type options struct {
	// max is how many devices the instance can have, including the initial ones but
	// not binder-control.
	max int

	// globalStats is true if the instance has the driver's logs.
	globalStats bool
}

// parseOptions returns the options in data. Unlike Linux, where a machine has one
// owner, an instance without max doesn't get all numbers. An unprivileged caller
// can't have the logs, which show the processes of everybody who uses the instance.
//
// Errors: EINVAL if an option is unknown or malformed, EPERM if the caller may not
// use it.
func parseOptions(data string, privileged bool) (options, error) {
	o := options{max: defaultMax}
	for _, opt := range vfs.GenericParseMountOptionsOrdered(data) {
		switch opt.Key {
		case "max":
			n, err := parseUint(opt.Value)
			if err != nil || n > numMinors {
				return o, linuxerr.EINVAL
			}
			o.max = int(n)
		case "stats":
			if opt.Value != "global" {
				return o, linuxerr.EINVAL
			}
			if !privileged {
				return o, linuxerr.EPERM
			}
			o.globalStats = true
		default:
			return o, linuxerr.EINVAL
		}
	}
	return o, nil
}

// parseUint parses a number as Linux does in options: decimal, octal after 0, or
// hexadecimal after 0x.
func parseUint(s string) (uint64, error) {
	s = strings.TrimPrefix(s, "+")
	base := 10
	if len(s) > 1 && s[0] == '0' {
		base = 8
		if s[1] == 'x' || s[1] == 'X' {
			s, base = s[2:], 16
		}
	}
	return strconv.ParseUint(s, base, 32)
}

// String returns the options in the format of parseOptions, as in /proc/mounts.
func (o options) String() string {
	s := fmt.Sprintf("max=%d", o.max)
	if o.globalStats {
		s += ",stats=global"
	}
	return s
}
