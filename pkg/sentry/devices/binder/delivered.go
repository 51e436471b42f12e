// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"gvisor.dev/gvisor/pkg/context"

	"sentrybinder/pkg/binder/list"
)

// deliveredWork holds the notifications that a process has read and not acknowledged,
// and a reference to each. The acknowledgement names the cookie, which several may
// share: it is for the one delivered first. Its user guards it.
//
// +stateify savable
type deliveredWork struct {
	byCookie map[uint64]*workList
}

func (d *deliveredWork) empty() bool { return len(d.byCookie) == 0 }

// add adds w, which is on no list.
func (d *deliveredWork) add(cookie uint64, w work) {
	l := d.byCookie[cookie]
	if l == nil {
		if d.byCookie == nil {
			d.byCookie = make(map[uint64]*workList)
		}
		l = &workList{}
		d.byCookie[cookie] = l
	}
	l.pushBack(w)
}

// first returns the item delivered first with this cookie, or nil.
func (d *deliveredWork) first(cookie uint64) work {
	if l := d.byCookie[cookie]; l != nil {
		for w := range l.items.All() {
			return w
		}
	}
	return nil
}

// has returns whether w, whose cookie is given, is in d.
func (d *deliveredWork) has(cookie uint64, w work) bool {
	on := w.item().on
	return on != nil && on == d.byCookie[cookie]
}

// dequeue takes w off its list, which may be one of d's.
func (d *deliveredWork) dequeue(ctx context.Context, cookie uint64, w work) {
	dequeue(ctx, w)
	if l := d.byCookie[cookie]; l != nil && l.empty() {
		delete(d.byCookie, cookie)
	}
}

// pop removes any item and returns its reference, or returns false if there is
// none.
func (d *deliveredWork) pop() (list.Arc[work], bool) {
	for cookie, l := range d.byCookie {
		w, ok := l.popFront()
		if l.empty() {
			delete(d.byCookie, cookie)
		}
		return w, ok
	}
	return list.Arc[work]{}, false
}
