// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! Generates the interfaces in ../aidl/, and those in aidl/, which only rsbinder uses.

fn main() {
    let generated = rsbinder_aidl::Builder::new()
        .source("../aidl")
        .source("aidl")
        .include_dir("../aidl")
        .include_dir("aidl")
        .output("interfaces.rs")
        .generate();
    if let Err(err) = generated {
        eprintln!("{:?}", miette::Report::new(err));
        std::process::exit(1);
    }
}
