// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

import org.sentrybinder.test.Record;
import rsbinder.stream.StreamEndpoint;

/** What an rsbinder service offers only to rsbinder's clients. */
interface IStreams {
    /** Sends records numbered from 0 into the stream. */
    void stream(in StreamEndpoint<Record> records, int count);
}
