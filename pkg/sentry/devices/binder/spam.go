// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// A sender of one-way transactions is suspected of spam when less than
// 1/lowAsyncFraction of a mapping is left to them, and if it, before, had more
// than suspectBuffers buffers there or more than 1/suspectFraction of the mapping.
const (
	lowAsyncFraction = 10
	suspectBuffers   = 50
	suspectFraction  = 4
)

// asyncShare is what the one-way transactions of one sender occupy.
//
// +stateify savable
type asyncShare struct {
	buffers int
	bytes   uint64
}

// noteAsyncLocked counts b, which is new, for its sender. It returns whether that
// is to be suspected: the first time only, until there's space again.
//
// As with Linux, b itself counts if what was at its place before was also the
// sender's: lastSender is who has sent that.
//
// +checklocks:a.mu
func (a *allocator) noteAsyncLocked(b *buffer, lastSender int32) (suspect bool) {
	share := a.asyncShares[b.sender]
	more := asyncShare{share.buffers + 1, share.bytes + b.size}
	if lastSender == b.sender {
		share = more
	}
	if a.freeAsync >= a.size/lowAsyncFraction {
		a.spamReported = false
	} else if !a.spamReported && (share.buffers > suspectBuffers || share.bytes > a.size/suspectFraction) {
		a.spamReported = true
		suspect = true
	}
	if a.asyncShares == nil {
		a.asyncShares = make(map[int32]asyncShare)
	}
	a.asyncShares[b.sender] = more
	return suspect
}

// forgetAsyncLocked ends what noteAsyncLocked has counted.
//
// +checklocks:a.mu
func (a *allocator) forgetAsyncLocked(b *buffer) {
	share := a.asyncShares[b.sender]
	share.buffers--
	share.bytes -= b.size
	if share.buffers == 0 {
		delete(a.asyncShares, b.sender)
		return
	}
	a.asyncShares[b.sender] = share
}
