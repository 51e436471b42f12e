// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// refSet holds the Refs to a node, at most one per process. Most nodes are known to
// one process: for these it is a pointer. Its user guards it.
//
// +stateify savable
type refSet struct {
	// only is the Ref if there is one; many maps processes to Refs if there are more.
	only *Ref
	many map[*Process]*Ref
}

func (s *refSet) len() int {
	if s.only != nil {
		return 1
	}
	return len(s.many)
}

func (s *refSet) empty() bool { return s.len() == 0 }

// of returns the Ref of p, or nil.
func (s *refSet) of(p *Process) *Ref {
	if s.only != nil && s.only.proc == p {
		return s.only
	}
	return s.many[p]
}

// insert adds r.
//
// Preconditions: s holds no Ref of r's process.
func (s *refSet) insert(r *Ref) {
	switch {
	case s.empty():
		s.only = r
		return
	case s.only != nil:
		s.many = map[*Process]*Ref{s.only.proc: s.only}
		s.only = nil
	}
	s.many[r.proc] = r
}

// remove removes r, which is in s.
func (s *refSet) remove(r *Ref) {
	if s.only != nil {
		s.only = nil
		return
	}
	delete(s.many, r.proc)
	if len(s.many) == 1 {
		for _, s.only = range s.many {
		}
		s.many = nil
	}
}
