// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// A thread that handles a call does so at the caller's nice value, or at that of
// the node's minimum priority if it is more urgent. It gets its own back when it
// replies, and its process's when it looks for other work. The sentry has no
// scheduler, so that this is only what applications see.

// setNice changes the caller's nice value as far as it may.
func setNice(task Task, nice int) {
	if task.Niceness() != nice {
		task.SetNiceness(nice)
	}
}

// inherit makes task, which is about to read t, a call, as urgent as that asks
// for. A one-way call has no caller who waits, but makes the task no less urgent
// than the node.
func (t *Transaction) inherit(task Task) {
	least := int(t.targetNode().minPriority)
	t.savedNice = task.Niceness()
	switch {
	case t.oneWay():
		if t.savedNice > least {
			setNice(task, least)
		}
	case t.nice < least:
		setNice(task, t.nice)
	default:
		setNice(task, least)
	}
}

// maxNice is the least urgent nice value.
const maxNice = 19

// permittedNice returns the nice value that a task gets if it is to get nice, and
// its RLIMIT_NICE is limit. It returns false if it keeps what it has. As in Linux,
// the limit counts whether nice is more or less urgent than that.
func permittedNice(nice int, limit uint64, privileged bool) (int, bool) {
	// The limit is the number of values that the task may have.
	if needed := maxNice + 1 - nice; privileged || uint64(needed) <= limit {
		return nice, true
	}
	return maxNice + 1 - int(limit), limit != 0
}
