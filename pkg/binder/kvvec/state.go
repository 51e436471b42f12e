// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec

import (
	"context"
	"reflect"

	"gvisor.dev/gvisor/pkg/state"
	"gvisor.dev/gvisor/pkg/sync"
)

// registered holds the types that package state knows.
var registered sync.Map

// Register registers Vec[T] with package state. Each package that has a savable
// type with a Vec[T] calls it from an init function.
func Register[T any]() {
	v := (*Vec[T])(nil)
	if _, again := registered.LoadOrStore(reflect.TypeOf(v), nil); !again {
		state.Register(v)
	}
}

// StateTypeName implements state.Type.StateTypeName.
func (v *Vec[T]) StateTypeName() string {
	// The name includes T's, with its package's path.
	return "pkg/binder/kvvec." + reflect.TypeFor[Vec[T]]().Name()
}

// StateFields implements state.Type.StateFields.
func (v *Vec[T]) StateFields() []string {
	return []string{"s"}
}

// StateSave implements state.SaverLoader.StateSave.
func (v *Vec[T]) StateSave(sink state.Sink) {
	sink.Save(0, &v.s)
}

// StateLoad implements state.SaverLoader.StateLoad.
func (v *Vec[T]) StateLoad(_ context.Context, source state.Source) {
	source.Load(0, &v.s)
}
