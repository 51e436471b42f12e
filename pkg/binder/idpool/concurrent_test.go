// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package idpool

import (
	"math/rand"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const numThreads = 32

// users is a Pool with its lock and its table, and threads that use them.
type users struct {
	mu    sync.Mutex
	locks int // how often mu was locked
	grown int // how often Grow returned true
	pool  Pool
	table map[int]int
}

// +checklocksacquire:u.mu
func (u *users) lock() {
	u.mu.Lock()
	u.locks++
}

// add puts value in the table under a new id. If requested isn't nil, it is
// called before memory is allocated.
func (u *users) add(t *testing.T, value int, requested func()) int {
	u.lock()
	defer u.mu.Unlock()
	for {
		if id, ok := u.pool.FindUnused(1); ok {
			if _, ok := u.table[id.ID()]; ok {
				t.Errorf("id %d is in use", id.ID())
			}
			u.table[id.ID()] = value
			if err := id.Acquire(); err != nil {
				t.Error(err)
			}
			return id.ID()
		}
		q, ok := u.pool.GrowRequest()
		if !ok {
			t.Error("cannot grow")
			return -1
		}
		u.mu.Unlock()
		if requested != nil {
			requested()
		}
		z := q.Alloc()
		u.lock()
		if u.pool.Grow(z) {
			u.grown++
		}
	}
}

func (u *users) remove(t *testing.T, id int) {
	u.lock()
	delete(u.table, id)
	if err := u.pool.Release(id); err != nil {
		t.Error(err)
	}
	q, ok := u.pool.ShrinkRequest()
	u.mu.Unlock()
	if ok {
		z := q.Alloc()
		u.lock()
		u.pool.Shrink(z)
		u.mu.Unlock()
	}
}

// newFullUsers returns users whose Pool has no free id but 0.
func newFullUsers(t *testing.T) *users {
	u := &users{table: make(map[int]int)}
	for i := range MinCap - 1 {
		u.add(t, i, nil)
	}
	require.Equal(t, MinCap, u.pool.Cap())
	u.locks = 0
	return u
}

// asleepInAlloc returns the number of goroutines waiting in Alloc.
func asleepInAlloc() int {
	buf := make([]byte, 1<<20)
	n := 0
	for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		header, frames, _ := strings.Cut(stack, "\n")
		if strings.Contains(frames, "(*resizing).alloc") && !strings.Contains(header, "[run") {
			n++
		}
	}
	return n
}

// While one thread allocates, the others sleep: they neither allocate in vain nor
// take the lock until it is done.
func TestThreadsWaitForAllocation(t *testing.T) {
	u := newFullUsers(t)

	// Keep the first thread allocating.
	q, ok := u.pool.GrowRequest()
	require.True(t, ok)
	allocations := 0
	allocating, proceed := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		q.r.once.Do(func() {
			allocations++
			close(allocating)
			<-proceed
			q.r.words = make([]uint64, treeWords(q.r.cap))
		})
	})
	<-allocating
	for i := range numThreads {
		wg.Go(func() { u.add(t, i, nil) })
	}
	for asleepInAlloc() < numThreads {
		runtime.Gosched()
	}
	u.mu.Lock()
	require.Equal(t, numThreads, u.locks, "each has locked once")
	u.mu.Unlock()

	close(proceed)
	wg.Wait()
	require.Equal(t, 2*numThreads, u.locks, "and once more")
	require.Equal(t, 1, allocations)
	require.Equal(t, 1, u.grown)
	require.Equal(t, 128, u.pool.Cap())
	require.Equal(t, MinCap-1+numThreads, u.pool.Len())
	checkLevels(t, &u.pool)
}

// Threads that all see that the pool is full before any of them allocates share
// one allocation, which one of them applies.
func TestThreadsThatAllGrow(t *testing.T) {
	u := newFullUsers(t)
	var requested, done sync.WaitGroup
	requested.Add(numThreads)
	for i := range numThreads {
		done.Go(func() {
			first := true
			u.add(t, i, func() {
				if first {
					first = false
					requested.Done()
					requested.Wait()
				}
			})
		})
	}
	done.Wait()
	require.Equal(t, 1, u.grown)
	require.Equal(t, 2*numThreads, u.locks)
	require.Equal(t, 128, u.pool.Cap())
	checkLevels(t, &u.pool)
}

// A thread that has requested growth may vanish at any point. The others go on.
func TestThreadsThatGiveUp(t *testing.T) {
	for _, allocated := range []bool{false, true} {
		u := newFullUsers(t)
		q, ok := u.pool.GrowRequest()
		require.True(t, ok)
		if allocated {
			q.Alloc()
		}
		var wg sync.WaitGroup
		for i := range numThreads {
			wg.Go(func() { u.add(t, i, nil) })
		}
		wg.Wait()
		require.Equal(t, MinCap-1+numThreads, u.pool.Len())
		require.Equal(t, 1, u.grown)
		require.False(t, u.pool.Grow(q.Alloc()), "too late")
		require.Equal(t, 128, u.pool.Cap())
	}
}

// Threads that all shrink share the memory, too.
func TestThreadsThatAllShrink(t *testing.T) {
	var p Pool
	for range 10 {
		grow(t, &p)
	}
	fill(t, &p, 1)
	var mu sync.Mutex
	var requested, done sync.WaitGroup
	requested.Add(numThreads)
	shrunk := 0
	memory := make(map[*uint64]bool)
	for range numThreads {
		done.Go(func() {
			mu.Lock()
			q, ok := p.ShrinkRequest()
			mu.Unlock()
			requested.Done()
			requested.Wait()
			z := q.Alloc()
			mu.Lock()
			defer mu.Unlock()
			memory[&z.r.words[0]] = ok
			if p.Shrink(z) {
				shrunk++
			}
		})
	}
	done.Wait()
	require.Len(t, memory, 1)
	require.Equal(t, 1, shrunk)
	require.Equal(t, 1<<15, p.Cap())
	checkLevels(t, &p)
}

// Threads add and remove enough ids to make the pool grow and shrink.
func TestThreadsAtRandom(t *testing.T) {
	u := &users{table: make(map[int]int)}
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	var wg sync.WaitGroup
	for thread := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewSource(int64(thread)))
			mine := make(map[int]int)
			for range rounds {
				for range rng.Intn(100) {
					value := rng.Int()
					mine[u.add(t, value, nil)] = value
				}
				keep := rng.Intn(3) * 10
				for id, value := range mine {
					if len(mine) <= keep {
						break
					}
					u.mu.Lock()
					if u.table[id] != value {
						t.Errorf("id %d has two owners", id)
					}
					u.mu.Unlock()
					u.remove(t, id)
					delete(mine, id)
				}
			}
			for id := range mine {
				u.remove(t, id)
			}
		})
	}
	wg.Wait()
	require.Zero(t, u.pool.Len())
	require.Empty(t, u.table)
	require.Equal(t, MinCap, u.pool.Cap())
	require.Positive(t, u.grown)
	checkLevels(t, &u.pool)
}
