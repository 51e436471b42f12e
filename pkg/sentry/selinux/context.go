// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinux

import (
	"math/bits"
	"strconv"
	"strings"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
)

// Unlabeled is the context of objects without a valid one.
const Unlabeled = "u:object_r:unlabeled:s0"

// MaxContextLen is the maximum length of a context, in bytes. With its terminating NUL it
// fits in a page.
const MaxContextLen = 4095

// These bound the levels of a range. Android's policies have one sensitivity, and as
// many categories.
const (
	numSensitivities = 16
	numCategories    = 1024
)

// parsed is a parsed security context.
type parsed struct {
	user, role, typ string

	// low is the level of a task or file, and high its clearance.
	low, high level
}

// level is a sensitivity with a set of categories.
type level struct {
	sensitivity int
	categories  [numCategories / 64]uint64
}

// Canonical returns s as SELinux writes it: categories in ascending order, as ranges
// where possible, and a range of one level as that level.
//
// Errors: EINVAL if s is not a security context.
func Canonical(s string) (string, error) {
	c, err := parse(s)
	if err != nil {
		return "", err
	}
	return c.String(), nil
}

// parse parses a context. A NUL ends it, whatever follows.
func parse(s string) (parsed, error) {
	s, _, _ = strings.Cut(s, "\x00")
	parts := strings.SplitN(s, ":", 4)
	if len(s) > MaxContextLen || len(parts) != 4 {
		return parsed{}, linuxerr.EINVAL
	}
	c := parsed{user: parts[0], role: parts[1], typ: parts[2]}
	if !isName(c.user) || !isName(c.role) || !isName(c.typ) {
		return parsed{}, linuxerr.EINVAL
	}
	low, high, isRange := strings.Cut(parts[3], "-")
	var ok bool
	if c.low, ok = parseLevel(low); !ok {
		return parsed{}, linuxerr.EINVAL
	}
	c.high = c.low
	if isRange {
		if c.high, ok = parseLevel(high); !ok || !c.high.dominates(&c.low) {
			return parsed{}, linuxerr.EINVAL
		}
	}
	return c, nil
}

// isName returns whether s can name a user, a role or a type.
func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '.' || r == '-')
	})
}

// parseLevel parses a level such as s0:c1,c3.c5.
func parseLevel(s string) (level, bool) {
	var l level
	sensitivity, categories, hasCategories := strings.Cut(s, ":")
	var ok bool
	if l.sensitivity, ok = parseIndex(sensitivity, 's', numSensitivities); !ok {
		return l, false
	}
	if !hasCategories {
		return l, true
	}
	for part := range strings.SplitSeq(categories, ",") {
		first, last, isRange := strings.Cut(part, ".")
		from, ok := parseIndex(first, 'c', numCategories)
		if !ok {
			return l, false
		}
		to := from
		if isRange {
			if to, ok = parseIndex(last, 'c', numCategories); !ok || to <= from {
				return l, false
			}
		}
		for i := from; i <= to; i++ {
			l.categories[i/64] |= 1 << (i % 64)
		}
	}
	return l, true
}

// parseIndex parses a letter followed by a number below limit.
func parseIndex(s string, letter byte, limit int) (int, bool) {
	if s == "" || s[0] != letter {
		return 0, false
	}
	n, err := strconv.Atoi(s[1:])
	return n, err == nil && 0 <= n && n < limit && strconv.Itoa(n) == s[1:]
}

// dominates returns whether l is at least as sensitive as other and has all of its
// categories.
func (l *level) dominates(other *level) bool {
	if l.sensitivity < other.sensitivity {
		return false
	}
	for i, categories := range other.categories {
		if categories&^l.categories[i] != 0 {
			return false
		}
	}
	return true
}

// next returns the first category from i on that l has or, if has is false, lacks; or
// numCategories.
func (l *level) next(i int, has bool) int {
	for ; i < numCategories; i++ {
		categories := l.categories[i/64]
		if !has {
			categories = ^categories
		}
		categories >>= i % 64
		if categories != 0 {
			return i + bits.TrailingZeros64(categories)
		}
		i |= 63
	}
	return numCategories
}

// append appends l as text.
func (l *level) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, 's'), int64(l.sensitivity), 10)
	separator := byte(':')
	for first := l.next(0, true); first < numCategories; {
		last := l.next(first, false) - 1
		b = strconv.AppendInt(append(b, separator, 'c'), int64(first), 10)
		separator = ','
		if last > first {
			between := byte('.')
			if last == first+1 {
				between = ','
			}
			b = strconv.AppendInt(append(b, between, 'c'), int64(last), 10)
		}
		first = l.next(last+1, true)
	}
	return b
}

// String returns the context as SELinux writes it.
func (c *parsed) String() string {
	b := []byte(c.user + ":" + c.role + ":" + c.typ + ":")
	b = c.low.append(b)
	if c.high != c.low {
		b = c.high.append(append(b, '-'))
	}
	return string(b)
}
