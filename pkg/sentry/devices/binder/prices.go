// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// Prices are the sentry memory that an application's objects take, in bytes, including
// their entries in tables and lists. They are charged to the account of the process that
// creates the object; see package account.
//
// The sender pays for a call, for its buffer in the receiver's mapping until the receiver
// frees that, and for the receiver's references to the nodes in it until the receiver
// releases them. The receiver pays for a reply, which it asked for. So no process can use
// up another's account by sending to it or by calling it.
const (
	// processPrice is that of an open device.
	processPrice = 3 << 10

	// threadPrice is that of a Thread, with its two errors.
	threadPrice = 1664

	// nodePrice is that of a Node, with the work that queues it.
	nodePrice = 208

	// refPrice is that of a Ref, and handleChunkPrice that of a piece of the table
	// of handles.
	refPrice         = 96
	handleChunkPrice = 4 << 10

	// noticePrice is that of a request for notifications of deaths or freezes.
	noticePrice = 352

	// transactionPrice is that of a Transaction, completionPrice that of its sender's
	// completion, and bufferPrice that of a buffer, without its contents.
	transactionPrice = 384
	completionPrice  = 96
	bufferPrice      = 448

	// fileArrayPrice is that of an array of descriptors in a buffer.
	fileArrayPrice = 32

	// filePrice is that of a file in flight: a file of any type that no descriptor
	// leads to takes as much as an open one.
	filePrice = 4 << 10

	// reportListenerPrice is that of a listener to reports, including the unread
	// reports in its socket: 208 KiB of them, of which the smallest have 76 bytes and
	// take 180.
	reportListenerPrice = 512 << 10
)
