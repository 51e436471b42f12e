// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

import org.sentrybinder.test.Kind;

/** A field of each type. */
@RustDerive(Clone=true, PartialEq=true)
parcelable Record {
    boolean flag;
    byte small;
    int number;
    long wide;
    float real;
    double precise;
    @utf8InCpp String text;
    Kind kind = Kind.PLAIN;
    int[] numbers;
    @utf8InCpp String[] texts;
    @nullable Record[] nested;
}
