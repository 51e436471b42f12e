// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"errors"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// memory is the annotation whose value limits how much of the sandbox's own memory, in
// bytes, a container's processes can make the Binder driver keep: for nodes, references,
// threads, buffers without their contents, files in flight and whatever else they own.
// At the limit, calls fail as on Linux when it is out of memory.
//
// Without the annotation, for which zero stands, the limit is an eighth of the sandbox's
// memory, but at least minDefaultMemory and at most maxDefaultMemory.
var memory = annotation[int64]{
	key:   Prefix + "memory",
	scope: ofContainer,
	parse: func(value string) (int64, error) {
		limit, err := strconv.ParseInt(value, 10, 64)
		if err != nil || limit <= 0 {
			return 0, errors.New("want a number of bytes, at least 1")
		}
		return limit, nil
	},
}

// These are the bounds of the default, in bytes. An Android process with all its threads
// takes about 100 KiB.
const (
	minDefaultMemory = 16 << 20
	maxDefaultMemory = 1 << 30
)

// memoryLimit returns a container's limit in bytes. total is the sandbox's memory, or
// zero if that is unlimited.
func memoryLimit(spec *specs.Spec, total uint64) (int64, error) {
	limit, err := memory.of(spec)
	switch {
	case limit > 0 || err != nil:
		return limit, err
	case total == 0:
		return maxDefaultMemory, nil
	}
	return int64(min(max(total/8, minDefaultMemory), maxDefaultMemory)), nil
}
