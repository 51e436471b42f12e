// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"
	"slices"

	"gvisor.dev/gvisor/pkg/sync"
)

// selected is the number of elements that a selection has.
const selected = 512

// selection has the first of many elements, in the order of compare, without holding
// all of them.
type selection[T any] struct {
	compare func(a, b T) int
	elems   []T

	// more is true if elements were added that it has no room for.
	more bool
}

func (s *selection[T]) add(e T) {
	if len(s.elems) == 2*selected {
		s.trim()
	}
	s.elems = append(s.elems, e)
}

func (s *selection[T]) trim() {
	slices.SortFunc(s.elems, s.compare)
	if len(s.elems) > selected {
		clear(s.elems[selected:])
		s.elems, s.more = s.elems[:selected], true
	}
}

// sorted returns the elements.
func (s *selection[T]) sorted() []T {
	s.trim()
	return s.elems
}

// visit calls f for each element of m, which mu guards: for a batch at a time. What
// comes or goes between the batches may be visited or not.
func visit[K comparable, V any](mu *sync.Mutex, m *map[K]V, f func(K, V)) {
	visited := 0
	mu.Lock()
	defer mu.Unlock()
	for k, v := range *m {
		f(k, v)
		if visited++; visited%batchSize == 0 {
			mu.Unlock()
			yieldToWaiters()
			mu.Lock()
		}
	}
}

// keysFrom returns the lowest keys of m that are at least from, in order, and whether
// there are others. See visit.
func keysFrom[K cmp.Ordered, V any](mu *sync.Mutex, m *map[K]V, from K) (found []K, more bool) {
	s := selection[K]{compare: cmp.Compare[K]}
	visit(mu, m, func(k K, _ V) {
		if k >= from {
			s.add(k)
		}
	})
	return s.sorted(), s.more
}

// threadsFrom returns the lowest IDs of p's threads that are at least from, in order,
// and whether there are others.
func (p *Process) threadsFrom(from int32) ([]int32, bool) {
	return keysFrom(&p.mu, &p.threads, from) // +checklocksignore: it is locked there.
}
