// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderext

import (
	"fmt"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// MemoryAnnotation is the OCI annotation whose value is how much of the sandbox's
// own memory the processes of a container can make the driver keep, in bytes: for
// nodes, references, threads, buffers without their contents, files in flight and
// whatever else they own. At the limit, calls fail as on Linux without memory.
//
// Without the annotation it is an eighth of the sandbox's memory, but at least
// minDefaultMemory and at most maxDefaultMemory.
const MemoryAnnotation = "dev.sentrybinder.memory"

// These are the bounds of the default, in bytes. A process of Android with all its
// threads takes about 100 KiB.
const (
	minDefaultMemory = 16 << 20
	maxDefaultMemory = 1 << 30
)

// memoryLimit returns the limit for a container, in bytes. total is the sandbox's
// memory, or zero if that is not limited.
func memoryLimit(spec *specs.Spec, total uint64) (int64, error) {
	value, ok := spec.Annotations[MemoryAnnotation]
	if !ok {
		if total == 0 {
			return maxDefaultMemory, nil
		}
		return int64(min(max(total/8, minDefaultMemory), maxDefaultMemory)), nil
	}
	limit, err := strconv.ParseInt(value, 10, 64)
	if err != nil || limit <= 0 {
		return 0, fmt.Errorf("annotation %s=%q: this is a number of bytes, at least 1", MemoryAnnotation, value)
	}
	return limit, nil
}
