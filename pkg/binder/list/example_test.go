// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list_test

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sync"
	"sentrybinder/pkg/binder/list"
)

// todo names the lists of work to do.
type todo struct{}

// work is a value on those lists.
type work interface {
	list.Counted
	deliver()
}

// A transaction is one kind of work.
type transaction struct {
	list.Count
	todo list.Links[work, todo]
	data string
}

func (t *transaction) deliver()                { fmt.Println("transaction:", t.data) }
func (t *transaction) Destroy(context.Context) { fmt.Println("destroyed:", t.data) }

// A death is another.
type death struct {
	list.Count
	todo   list.Links[work, todo]
	cookie uint64
}

func (d *death) deliver()                { fmt.Println("death:", d.cookie) }
func (d *death) Destroy(context.Context) {}

// A thread has a list of work that its lock guards.
type thread struct {
	mu sync.Mutex

	// +checklocks:mu
	todo list.List[work, todo]
}

// A value is allocated before the lock is taken. It is put onto a list, and
// taken off it again, under the lock. Neither can fail.
func Example() {
	ctx := context.Background()
	var th thread

	// The sender keeps one reference. The list gets the other.
	t := &transaction{data: "hello"}
	unique := list.NewUnique(t)
	sent, ref := list.Pair(&unique, &t.todo, work(t))

	d := &death{cookie: 42}
	building := list.NewUnique(d)
	died := building.Share()

	th.mu.Lock()
	th.todo.PushBack(ref)
	if ref, ok := d.todo.Claim(d); ok { // Not if it is on a list already.
		th.todo.PushFront(ref)
	}
	th.mu.Unlock()
	died.Release(ctx)

	for {
		th.mu.Lock()
		ref, ok := th.todo.PopFront()
		th.mu.Unlock()
		if !ok {
			break
		}
		ref.Get().deliver()
		ref.Release(ctx)
	}

	sent.Release(ctx)
	// Output:
	// death: 42
	// transaction: hello
	// destroyed: hello
}

func ExampleCursor() {
	ctx := context.Background()
	var l list.List[work, todo]
	for i := range 5 {
		d := &death{cookie: uint64(i)}
		unique := list.NewUnique(d)
		a, ref := list.Pair(&unique, &d.todo, work(d))
		a.Release(ctx)
		l.PushBack(ref)
	}

	// Remove some while walking.
	for c := l.Front(); c.Ok(); {
		if d, ok := c.Value().(*death); ok && d.cookie%2 == 1 {
			ref, _ := c.Remove() // Moves on to the next.
			ref.Release(ctx)
			continue
		}
		c.Next()
	}
	for w := range l.All() {
		w.deliver()
	}
	// Output:
	// death: 0
	// death: 2
	// death: 4
}
