// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package alloc

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

// noteAsync counts rec, which is new, for its sender. It returns whether that
// is to be suspected: the first time only, until there's space again.
//
// As with Linux, rec itself counts if what was at its place before was also the
// sender's: lastSender is who has sent that.
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

// forgetAsync ends what noteAsync has counted.
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
