// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	pkgprogram "sentrybinder/test/differential/program"
)

// smaller returns programs that are slightly smaller than steps.
func smaller(steps []pkgprogram.Step) []pkgprogram.Program {
	var all []pkgprogram.Program
	add := func(s []pkgprogram.Step) {
		all = append(all, pkgprogram.Program{Name: fmt.Sprint(len(all)), Steps: s})
	}
	// The last step, which shows the divergence, stays.
	last := len(steps) - 1
	for n := last / 2; n >= 1; n /= 2 {
		for at := 0; at+n <= last; at += n {
			add(slices.Concat(steps[:at], steps[at+n:]))
		}
	}
	if len(steps) > 40 {
		return all
	}
	with := func(i int, edit func(s *pkgprogram.Step)) {
		changed := slices.Clone(steps)
		edit(&changed[i])
		if changed[i].String() != steps[i].String() {
			add(changed)
		}
	}
	for i, s := range steps {
		for j := range s.Write {
			with(i, func(s *pkgprogram.Step) { s.Write = slices.Delete(slices.Clone(s.Write), j, j+1) })
			if s.Write[j].Transaction == nil {
				continue
			}
			withTransaction := func(edit func(t *pkgprogram.Transaction)) {
				with(i, func(s *pkgprogram.Step) {
					s.Write = slices.Clone(s.Write)
					t := *s.Write[j].Transaction
					t.Parts = slices.Clone(t.Parts)
					edit(&t)
					s.Write[j].Transaction = &t
				})
			}
			for k := range s.Write[j].Transaction.Parts {
				withTransaction(func(t *pkgprogram.Transaction) { t.Parts = slices.Delete(t.Parts, k, k+1) })
				withTransaction(func(t *pkgprogram.Transaction) { t.Parts[k].Flags = 0 })
			}
			withTransaction(func(t *pkgprogram.Transaction) { t.Flags = 0 })
			withTransaction(func(t *pkgprogram.Transaction) { t.Code = 0 })
		}
		with(i, func(s *pkgprogram.Step) { s.ReadSize, s.ReadConsumed = 0, 0 })
		with(i, func(s *pkgprogram.Step) { s.Excess, s.WriteConsumed, s.ReadConsumed = 0, 0, 0 })
		with(i, func(s *pkgprogram.Step) { s.Fault = 0 })
		with(i, func(s *pkgprogram.Step) {
			if s.ReadSize > 0 {
				s.ReadSize = 256
			}
		})
	}
	return all
}
