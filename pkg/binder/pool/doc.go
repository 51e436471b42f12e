// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pool recycles objects, so that those made for each call of an application
// are not allocated on the heap.
//
// A pool brings use after free into a language without it: whoever keeps a pointer
// to an object that was put back shares it with its next user. Builds with the race
// detector look for such pointers. They hand out no object twice, and overwrite one
// that is put back, in a goroutine that nothing is ordered after: each later access
// is a data race, reported with the stack of the access and that of the Put. A second
// Put is such an access.
package pool
