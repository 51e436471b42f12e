// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"context"
	"reflect"

	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/sync"
)

// The generic types are saved by hand, since go_stateify does not support type
// parameters. Of a list, its head and the chain of next pointers are saved; the
// rest follows from them. Package state follows pointers without recursion, so a
// list may be long. Loading an object waits for no other, so values may be on
// each other's lists in any way.

// registered holds the types that have been registered with package state.
var registered sync.Map

// register registers a type with package state, once.
func register(t state.Type) {
	if _, dup := registered.LoadOrStore(reflect.TypeOf(t), true); !dup {
		state.Register(t)
	}
}

// RegisterArc registers Arc[T] with package state. The package that has savable
// types with an Arc[T] calls it from an init function.
func RegisterArc[T Counted]() {
	register((*Arc[T])(nil))
}

// Register registers List[T, ID], Links[T, ID], Ref[T, ID] and Arc[T] with
// package state. The package that has savable types with any of these calls it
// from an init function.
func Register[T Counted, ID any]() {
	RegisterArc[T]()
	register((*List[T, ID])(nil))
	register((*Links[T, ID])(nil))
	register((*Ref[T, ID])(nil))
}

// typeName returns a name for X that no other instantiation has.
func typeName[X any]() string {
	t := reflect.TypeFor[X]()
	return t.PkgPath() + "." + t.Name()
}

func init() {
	register((*Count)(nil))
}

// StateTypeName implements state.Type.StateTypeName.
func (c *Count) StateTypeName() string {
	return typeName[Count]()
}

// StateFields implements state.Type.StateFields.
func (c *Count) StateFields() []string {
	return []string{"n"}
}

// StateSave implements state.SaverLoader.StateSave.
func (c *Count) StateSave(m state.Sink) {
	m.Save(0, &c.n)
}

// StateLoad implements state.SaverLoader.StateLoad.
func (c *Count) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &c.n)
}

// StateTypeName implements state.Type.StateTypeName.
func (a *Arc[T]) StateTypeName() string {
	return typeName[Arc[T]]()
}

// StateFields implements state.Type.StateFields.
func (a *Arc[T]) StateFields() []string {
	return []string{"value", "ok"}
}

// StateSave implements state.SaverLoader.StateSave.
func (a *Arc[T]) StateSave(m state.Sink) {
	ok := a.Ok()
	m.Save(0, &a.value)
	m.Save(1, &ok)
}

// StateLoad implements state.SaverLoader.StateLoad.
func (a *Arc[T]) StateLoad(_ context.Context, m state.Source) {
	var ok bool
	m.Load(0, &a.value)
	m.Load(1, &ok)
	if ok {
		a.count = a.value.counter()
	}
}

// StateTypeName implements state.Type.StateTypeName.
func (r *Ref[T, ID]) StateTypeName() string {
	return typeName[Ref[T, ID]]()
}

// StateFields implements state.Type.StateFields.
func (r *Ref[T, ID]) StateFields() []string {
	return []string{"links"}
}

// StateSave implements state.SaverLoader.StateSave.
func (r *Ref[T, ID]) StateSave(m state.Sink) {
	m.Save(0, &r.links)
}

// StateLoad implements state.SaverLoader.StateLoad.
func (r *Ref[T, ID]) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &r.links)
}

// StateTypeName implements state.Type.StateTypeName.
func (k *Links[T, ID]) StateTypeName() string {
	return typeName[Links[T, ID]]()
}

// StateFields implements state.Type.StateFields.
func (k *Links[T, ID]) StateFields() []string {
	return []string{"value", "taken", "next"}
}

// StateSave implements state.SaverLoader.StateSave.
func (k *Links[T, ID]) StateSave(m state.Sink) {
	m.Save(0, &k.value)
	m.Save(1, &k.taken)
	m.Save(2, &k.next)
}

// StateLoad implements state.SaverLoader.StateLoad.
func (k *Links[T, ID]) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &k.value)
	m.Load(1, &k.taken)
	m.Load(2, &k.next)
	if k.taken.Load() != 0 {
		k.place.Store(claimed)
		k.count = k.value.counter()
	}
}

// StateTypeName implements state.Type.StateTypeName.
func (l *List[T, ID]) StateTypeName() string {
	return typeName[List[T, ID]]()
}

// StateFields implements state.Type.StateFields.
func (l *List[T, ID]) StateFields() []string {
	return []string{"head"}
}

// StateSave implements state.SaverLoader.StateSave.
func (l *List[T, ID]) StateSave(m state.Sink) {
	m.Save(0, &l.head)
}

// StateLoad implements state.SaverLoader.StateLoad.
func (l *List[T, ID]) StateLoad(_ context.Context, m state.Source) {
	m.Load(0, &l.head)
	m.AfterLoad(l.afterLoad)
}

// afterLoad rebuilds what was not saved. Every next pointer is loaded by then.
func (l *List[T, ID]) afterLoad() {
	l.label = lastLabel.Add(1)
	for k := l.head; k != nil; k = k.next {
		if !k.held() {
			state.Failf("list: value is on a list twice or has no list reference")
		}
		k.place.Store(l.place())
		k.prev = l.tail
		l.tail = k
	}
}
