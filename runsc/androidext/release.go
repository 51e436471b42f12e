// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"errors"
	"fmt"
	"regexp"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// kernelRelease is the annotation whose value is the Linux release that the sandbox's
// processes see, for example 5.10.0-android13: three numbers and a suffix, 64 bytes at
// most. It doesn't change what the kernel does.
//
// Without the annotation, processes see gVisor's.
var kernelRelease = annotation[string]{
	key:   Prefix + "kernel-release",
	scope: ofSandbox,
	parse: parseRelease,
}

// maxReleaseLen is the maximum length of a release in bytes.
const maxReleaseLen = 64

// validRelease matches three numbers and a suffix, as in Linux's releases.
var validRelease = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+([-+._~][-+._~0-9A-Za-z]*)?$`)

func parseRelease(value string) (string, error) {
	switch {
	case len(value) > maxReleaseLen:
		return "", fmt.Errorf("a release has at most %d bytes", maxReleaseLen)
	case !validRelease.MatchString(value):
		return "", errors.New("a release is three numbers separated by dots, and a suffix: 5.10.0-android13")
	}
	return value, nil
}

// release is the feature of kernelRelease.
type release struct{}

// settings implements feature.settings.
func (release) settings() []setting {
	return []setting{&kernelRelease}
}

// register implements feature.register. The release is part of the checkpoint.
func (release) register(ctx context.Context, _ *vfs.VirtualFilesystem, spec *specs.Spec) error {
	value, err := kernelRelease.of(spec)
	if err != nil || value == "" {
		return err
	}
	k, ok := any(kernel.KernelFromContext(ctx)).(interface{ SetLinuxRelease(release string) error })
	if !ok {
		return errors.New("gVisor lacks the patch for releases")
	}
	return k.SetLinuxRelease(value)
}
