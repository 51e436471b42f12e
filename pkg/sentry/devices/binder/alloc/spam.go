// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

// A sender of one-way transactions is suspected of spam when less than
// 1/lowAsyncFraction of a mapping is left to them, and the sender already had more
// than suspectBuffers buffers there or more than 1/suspectFraction of the mapping.
const (
	lowAsyncFraction = 10
	suspectBuffers   = 50
	suspectFraction  = 4
)

// asyncShare is the space that one sender's one-way transactions occupy.
//
// +stateify savable
type asyncShare struct {
	buffers int
	bytes   uint64
}

// noteAsync adds the new rec to its sender's share. It returns whether the sender is
// suspected: only the first time, until there's space again.
//
// As on Linux, rec itself counts only if its sender is lastSender, which sent the last
// buffer at its place.
func (in *inner) noteAsync(rec *record, lastSender int32) (suspect bool) {
	share := in.asyncShares[rec.sender]
	more := asyncShare{share.buffers + 1, share.bytes + rec.size}
	if lastSender == rec.sender {
		share = more
	}
	if in.freeAsync >= in.size/lowAsyncFraction {
		in.spamReported = false
	} else if !in.spamReported && (share.buffers > suspectBuffers || share.bytes > in.size/suspectFraction) {
		in.spamReported = true
		suspect = true
	}
	if in.asyncShares == nil {
		in.asyncShares = make(map[int32]asyncShare)
	}
	in.asyncShares[rec.sender] = more
	return suspect
}

// forgetAsync removes rec from its sender's share.
func (in *inner) forgetAsync(rec *record) {
	share := in.asyncShares[rec.sender]
	share.buffers--
	share.bytes -= rec.size
	if share.buffers == 0 {
		delete(in.asyncShares, rec.sender)
		return
	}
	in.asyncShares[rec.sender] = share
}
