// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const someDifferences = `package p

const (
	onOne   difference = "one"
	onOther difference = "other"
)

var asRust = map[difference]bool{onOther: true}
`

func TestDifferences(t *testing.T) {
	const (
		head  = "### A group\n| difference | in C | in Rust | here | why |\n| --- | --- | --- | --- | --- |\n"
		one   = "| `one` | a | b | as in C | why |\n"
		other = "| `other` | a | b | as in Rust | why |\n"
		third = "| `third` * | a | b | as in C | why |\n"
	)
	for name, tc := range map[string]struct{ page, want string }{
		"valid":                          {head + one + other + third, ""},
		"a row is missing":               {head + one + third, "has no row other, which tests name"},
		"no test names a row":            {head + one + other + "| `fourth` | a | b | as in C | why |\n", "row fourth must have a *"},
		"a row that is named has a mark": {head + "| `one` * | a | b | as in C | why |\n" + other, "row one must have a *"},
		"another decision":               {head + one + "| `other` | a | b | as in C | why |\n", "row other and the tests' asRust"},
		"no decision":                    {head + one + "| `other` | a | b | | why |\n", "invalid row of other"},
		"a row twice":                    {head + one + one + other, "invalid row of one"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{"differences_test.go": someDifferences, "page.md": tc.page})
			known, err := readDifferences(dir, filepath.Join(dir, "page.md"))
			if tc.want != "" {
				require.ErrorContains(t, err, tc.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, differences{
				"one":   {group: "A group"},
				"other": {group: "A group", asRust: true},
				"third": {group: "A group", told: true},
			}, known)
		})
	}
}
