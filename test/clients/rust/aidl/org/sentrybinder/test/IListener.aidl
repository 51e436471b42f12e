// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

/** What a client passes to be called back. */
interface IListener {
    String onEvent(String text) = 1;

    oneway void onNote(int number) = 2;
}
