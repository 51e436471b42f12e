// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// The service that clients in every language call.

#include "cpp_test.h"

#include <errno.h>

#include <atomic>

#include <binder/IPCThreadState.h>
#include <org/sentrybinder/test/BnEcho.h>

namespace sentrybinder {

namespace {

class Echo : public org::sentrybinder::test::BnEcho {
public:
    explicit Echo(bool print) : mPrint(print) {}

    Status upper(const std::string& text, std::string* reply) override {
        *reply = text;
        for (char& c : *reply) {
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        }
        return Status::ok();
    }

    Status add(int32_t a, int32_t b, int32_t* reply) override {
        *reply = static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
        return Status::ok();
    }

    Status note(const std::string& text) override {
        if (mPrint) {
            const int64_t who = caller();
            say("note " + text + " " + std::to_string(who >> 32) + " " + std::to_string(static_cast<int32_t>(who)));
        }
        const size_t space = text.rfind(' ');
        std::lock_guard lock(mLock);
        mNotes++;
        if (space != std::string::npos) {
            const int32_t number = atoi(text.c_str() + space + 1);
            int32_t& last = mHeard[text.substr(0, space)];
            last = last >= 0 && number == last + 1 ? number : -1;
        }
        return Status::ok();
    }

    Status callBack(const sp<IListener>& listener, const std::string& text, std::string* reply) override {
        if (listener == nullptr) return Status::fromExceptionCode(Status::EX_NULL_POINTER);
        const Status status = listener->onEvent(text, reply);
        *reply += "!";
        return status;
    }

    Status reverse(const std::vector<uint8_t>& data, std::vector<uint8_t>* reply) override {
        reply->assign(data.rbegin(), data.rend());
        return Status::ok();
    }

    Status writeFile(const ParcelFileDescriptor& file, const std::string& text, int32_t* reply) override {
        // If the caller has died, nobody gets the error.
        if (!writeAll(file.get(), text)) return Status::fromStatusT(-errno);
        *reply = static_cast<int32_t>(text.size());
        return Status::ok();
    }

    Status openFile(const std::string& text, ParcelFileDescriptor* reply) override {
        auto [reader, writer] = newPipe();
        if (!writeAll(writer.get(), text)) return Status::fromStatusT(-errno);
        reply->reset(std::move(reader));
        return Status::ok();
    }

    Status caller(int64_t* reply) override {
        *reply = sentrybinder::caller();
        return Status::ok();
    }

    Status fail(int32_t code, const std::string& message) override {
        return Status::fromServiceSpecificError(code, android::String8(message.c_str()));
    }

    Status notes(int32_t* reply) override {
        std::lock_guard lock(mLock);
        *reply = mNotes;
        return Status::ok();
    }

    Status heard(const std::string& tag, int32_t* reply) override {
        std::lock_guard lock(mLock);
        const auto found = mHeard.find(tag);
        *reply = found == mHeard.end() ? 0 : found->second;
        return Status::ok();
    }

private:
    int64_t caller() const { return sentrybinder::caller(); }

    const bool mPrint;
    std::mutex mLock;
    int32_t mNotes = 0;
    // By tag, the last number, or -1.
    std::map<std::string, int32_t> mHeard;
};

}  // namespace

sp<android::IBinder> newEcho(bool print) {
    return sp<Echo>::make(print);
}

int runService(const std::string& name, bool print) {
    open();
    if (!addService(name, newEcho(print))) {
        say("refused");
        return 1;
    }
    say("registered");
    serve();
}

}  // namespace sentrybinder
