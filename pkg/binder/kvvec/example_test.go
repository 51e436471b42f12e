// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package kvvec_test

import (
	"fmt"

	"sentrybinder/pkg/binder/kvvec"
)

func Example() {
	var procs kvvec.Vec[string]
	for i := range 3000 {
		procs.Append(fmt.Sprint("process ", i))
	}
	full := procs.Cap()
	for procs.Len() > 10 {
		procs.SwapRemove(procs.Len() - 1)
		procs.ShrinkAfterRemoval()
	}
	fmt.Println(procs.Len(), "left")
	fmt.Println(procs.Cap() < full/4)
	// Output:
	// 10 left
	// true
}

func ExampleVec_ShrinkTo() {
	var v kvvec.Vec[int]
	for i := range 1000 {
		v.Append(i)
	}
	for v.Len() > 10 {
		v.SwapRemove(0)
	}
	v.ShrinkTo(20)
	fmt.Println(v.Len(), v.Cap())
	v.ShrinkTo(0)
	fmt.Println(v.Len(), v.Cap())
	v.Clear()
	v.ShrinkTo(0)
	fmt.Println(v.Len(), v.Cap())
	// Output:
	// 10 20
	// 10 10
	// 0 0
}
