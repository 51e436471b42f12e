// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// Prices are what the objects of an application take of the sentry's memory, in
// bytes, with what refers to them in tables and on lists. They are charged to the
// account of the process that makes the object: see package account.
//
// A call is paid for by its sender: with the buffer in the receiver's mapping, until
// the receiver frees that, and with the receiver's references to the nodes in it,
// until the receiver releases them. A reply is paid for by its receiver, who has
// asked for it. So nobody can use up the account of another by sending to it, nor by
// calling it.
const (
	// processPrice is that of an open device.
	processPrice = 3 << 10

	// threadPrice is that of a Thread, with its two errors.
	threadPrice = 1664

	// nodePrice is that of a Node, with the work by which it is queued.
	nodePrice = 208

	// refPrice is that of a Ref, and handleChunkPrice that of a piece of the table
	// of handles.
	refPrice         = 96
	handleChunkPrice = 4 << 10

	// noticePrice is that of a request for notifications of deaths or freezes.
	noticePrice = 352

	// transactionPrice is that of a Transaction, completionPrice that of what its
	// sender is told, and bufferPrice that of a buffer, without its contents.
	transactionPrice = 384
	completionPrice  = 96
	bufferPrice      = 448

	// fileArrayPrice is that of an array of descriptors in a buffer.
	fileArrayPrice = 32

	// filePrice is that of a file in flight: a file that no descriptor leads to,
	// of any type, takes what an open one does.
	filePrice = 4 << 10

	// reportListenerPrice is that of a listener to reports, with those that its socket
	// keeps until it has read them: 208 KiB of them, the smallest of which are of 76
	// bytes and take 180.
	reportListenerPrice = 512 << 10
)
