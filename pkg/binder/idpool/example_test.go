// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool_test

import (
	"errors"
	"fmt"
	"sync"

	"sentrybinder/pkg/binder/idpool"
)

// registry assigns numbers to names.
type registry struct {
	mu sync.Mutex
	// +checklocks:mu
	ids idpool.Pool
	// +checklocks:mu
	names map[int]string
}

func (r *registry) add(name string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if unused, ok := r.ids.FindUnused(1); ok {
			r.names[unused.ID()] = name
			return unused.ID(), unused.Acquire()
		}
		request, ok := r.ids.GrowRequest()
		if !ok {
			return 0, errors.New("all numbers are in use")
		}
		// Others may use the registry while memory is allocated.
		r.mu.Unlock()
		resizer := request.Alloc()
		r.mu.Lock()
		r.ids.Grow(resizer)
	}
}

func (r *registry) remove(id int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ids.Release(id); err != nil {
		return err
	}
	delete(r.names, id)
	if request, ok := r.ids.ShrinkRequest(); ok {
		r.mu.Unlock()
		resizer := request.Alloc()
		r.mu.Lock()
		r.ids.Shrink(resizer)
	}
	return nil
}

func (r *registry) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d of %d", r.ids.Len(), r.ids.Cap())
}

func Example() {
	r := registry{names: make(map[int]string)}
	for i := range 100 {
		r.add(fmt.Sprint("name ", i))
	}
	fmt.Println(&r)

	r.remove(42)
	fmt.Println(r.remove(42))
	fmt.Println(r.add("another name"))

	for id := range 100 {
		r.remove(id + 1)
	}
	fmt.Println(&r)
	// Output:
	// 100 of 128
	// idpool: released id is not in use
	// 42 <nil>
	// 0 of 64
}

// An id that was found is free until it is acquired.
func ExamplePool_FindUnused() {
	var p idpool.Pool
	a, _ := p.FindUnused(1)
	b, _ := p.FindUnused(1)
	fmt.Println(a.ID(), b.ID())
	fmt.Println(a.Acquire())
	fmt.Println(b.Acquire())
	// Output:
	// 1 1
	// <nil>
	// idpool: acquired id is no longer free
}
