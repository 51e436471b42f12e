// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

/** What a client passes to be called back. */
interface IListener {
    @utf8InCpp String onEvent(@utf8InCpp String text) = 1;

    oneway void onNote(int number) = 2;
}
