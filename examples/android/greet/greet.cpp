// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Waits for the greeter, which starts it, and has it greet each name on standard input,
// one per line. The greeter has a client until the input ends.

#include <stdio.h>

#include <iostream>
#include <string>

#include <binder/IServiceManager.h>
#include <binder/ProcessState.h>
#include <example/IGreeter.h>
#include <utils/String8.h>

using android::sp;
using android::String16;
using android::String8;

int main() {
    android::ProcessState::self()->startThreadPool();
    auto greeter = android::waitForService<example::IGreeter>(String16("example.IGreeter/default"));
    if (greeter == nullptr) {
        fprintf(stderr, "greet: no greeter\n");
        return 1;
    }
    for (std::string name; std::getline(std::cin, name);) {
        String16 greeting;
        android::binder::Status status = greeter->greet(String16(name.c_str()), &greeting);
        if (!status.isOk()) {
            fprintf(stderr, "greet: %s\n", status.toString8().c_str());
            return 1;
        }
        std::cout << String8(greeting).c_str() << std::endl;
    }
    return 0;
}
