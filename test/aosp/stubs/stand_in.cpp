// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Usage: stand_in NAME...
//
// A service with these names, for AOSP's tests and tools to find. Waits for the service
// manager, prints "ready", logs that the names are registered, and serves: a dump prints
// "NAME here", a shell command its arguments, and transaction 1 adds two numbers.

#define LOG_TAG "stand_in"

#include <binder/IPCThreadState.h>
#include <binder/IResultReceiver.h>
#include <binder/IServiceManager.h>
#include <binder/ProcessState.h>
#include <log/log.h>

#include <stdio.h>

using namespace android;

namespace {

class StandIn : public BBinder {
public:
    explicit StandIn(std::string name) : mName(std::move(name)) {}

    const String16& getInterfaceDescriptor() const override {
        static const String16 kDescriptor("sentrybinder.test.IStandIn");
        return kDescriptor;
    }

private:
    status_t dump(int fd, const Vector<String16>&) override {
        dprintf(fd, "%s here\n", mName.c_str());
        return OK;
    }

    status_t onTransact(uint32_t code, const Parcel& data, Parcel* reply, uint32_t flags) override {
        switch (code) {
            case IBinder::FIRST_CALL_TRANSACTION: {
                if (!data.enforceInterface(getInterfaceDescriptor())) return PERMISSION_DENIED;
                int32_t a = data.readInt32(), b = data.readInt32();
                return reply->writeInt32(a + b);
            }
            case IBinder::SHELL_COMMAND_TRANSACTION: {
                (void)data.readFileDescriptor();  // Its input.
                int out = data.readFileDescriptor();
                (void)data.readFileDescriptor();  // Its errors.
                for (int32_t count = data.readInt32(); count > 0; count--) {
                    dprintf(out, "%s\n", String8(data.readString16()).c_str());
                }
                (void)data.readStrongBinder();  // What opens files for it.
                auto receiver = IResultReceiver::asInterface(data.readStrongBinder());
                if (receiver) receiver->send(0);
                return OK;
            }
            default:
                return BBinder::onTransact(code, data, reply, flags);
        }
    }

    const std::string mName;
};

}  // namespace

int main(int argc, char** argv) {
    // Polls more often than libbinder.
    while (!ProcessState::self()->getContextObject(nullptr)) usleep(5000);
    for (int i = 1; i < argc; i++) {
        if (defaultServiceManager()->addService(String16(argv[i]), sp<StandIn>::make(argv[i])) != OK) return 1;
        ALOGI("%s is there", argv[i]);
    }
    puts("ready");
    fflush(stdout);
    ProcessState::self()->startThreadPool();
    IPCThreadState::self()->joinThreadPool();
}
