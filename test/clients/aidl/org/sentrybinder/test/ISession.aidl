// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

/** An object that is created for one client and lives until the client releases it. */
interface ISession {
    @utf8InCpp String name();

    /** 1, 2, 3 and so on. */
    int next();

    /** Opens a session within this one. */
    ISession open(@utf8InCpp String name);

    /** How many sessions this one is nested in. */
    int depth();
}
