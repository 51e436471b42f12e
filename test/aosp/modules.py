# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""What is built of AOSP: the parts of its Android.bp files that matter here.

Paths are relative to AOSP's source, or, with "stubs/" in front, to this
directory. ninja.py makes a ninja file of it.
"""

from dataclasses import dataclass, field

NATIVE = "frameworks/native/"
BINDER = NATIVE + "libs/binder/"
NDK = BINDER + "ndk/"
TESTS = BINDER + "tests/"
FUZZER = TESTS + "parcel_fuzzer/"
CMDS = NATIVE + "cmds/"

# Where Android has them. A test's path is NATIVE_TESTS/NAME/NAME.
LIBRARIES = "/system/lib64"
NATIVE_TESTS = "/data/nativetest64"

# Before and after what a module includes itself.
INCLUDES = [
    "stubs",
    BINDER + "include",
    NDK + "include_cpp",
    "system/core/libprocessgroup/include",
    "system/core/libutils/include",
    "system/core/libcutils/include",
    "system/core/libsystem/include",
    "system/core/include",
    "system/libbase/include",
    "system/logging/liblog/include",
    "external/fmtlib/include",
    "libnativehelper/include_jni",
]
INCLUDES_NDK = [NDK + "include_ndk", NDK + "include_platform"]

# For what is not in the source. These are other versions of what is.
DEBIAN_HEADERS = "-idirafter /usr/include/android"

# Debian's libraries, of the same source.
ANDROID = ["utils", "cutils", "base", "log"]


@dataclass
class Aidl:
    """Interfaces of which C++ is made.

    Attributes:
        name: of the directory that what is made is in
        root: what the packages' directories are in
        files: relative to root
        lang: cpp or ndk
        imports: where else to look for a type
        flags: of the compiler
    """

    name: str
    root: str
    files: list[str]
    lang: str = "cpp"
    imports: list[str] = field(default_factory=list)
    flags: str = ""


@dataclass
class Module:
    """A library or a program.

    Attributes:
        out: its path in the root, or lib*.a for one that is linked into others
        srcs: files, or glob-free paths; an Aidl stands for what is made of it
        uses: other modules whose symbols it needs, and whose headers it may include
        aidl: interfaces whose C++ is a part of it
        flags: for all its files
        file_flags: for some
        includes: directories, for itself
        exports: directories, for itself and for those that use it
        proto: a protocol buffer whose C++ is in gen/, in a directory of its name
        libs: of Debian, besides ANDROID
    """

    out: str
    srcs: list[str]
    uses: list["Module"] = field(default_factory=list)
    aidl: list[Aidl] = field(default_factory=list)
    flags: str = ""
    file_flags: dict[str, str] = field(default_factory=dict)
    includes: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    proto: str = ""
    libs: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.out.strip("/").replace("/", "_")

    @property
    def static(self) -> bool:
        return self.out.endswith(".a")

    @property
    def shared(self) -> bool:
        return ".so" in self.out


MODULES: list[Module] = []


def module(*args, **kwargs) -> Module:
    MODULES.append(Module(*args, **kwargs))
    return MODULES[-1]


def under(directory: str, names: str) -> list[str]:
    return [directory + name for name in names.split()]


# The libraries.

libbinder = module(
    f"{LIBRARIES}/libbinder.so",
    under(
        BINDER,
        # libbinder_common_defaults
        "Binder.cpp BpBinder.cpp Debug.cpp FdTrigger.cpp IInterface.cpp IResultReceiver.cpp Parcel.cpp"
        " ParcelFileDescriptor.cpp RecordedTransaction.cpp RpcSession.cpp RpcServer.cpp RpcState.cpp Stability.cpp"
        " Status.cpp TextOutput.cpp Trace.cpp Utils.cpp"
        # libbinder_android_defaults
        " OS.cpp RpcTransportRaw.cpp UtilsHost.cpp"
        # libbinder_kernel_defaults
        " BufferedTextOutput.cpp IPCThreadState.cpp IServiceManager.cpp ProcessState.cpp Static.cpp"
        " ServiceManagerHost.cpp IPermissionController.cpp PermissionCache.cpp PermissionController.cpp"
        # libbinder
        " IMemory.cpp IShellCallback.cpp LazyServiceRegistrar.cpp MemoryBase.cpp MemoryDealer.cpp"
        " MemoryHeapBase.cpp ParcelableHolder.cpp PersistableBundle.cpp",
    )
    # Debian's libutils goes without.
    + ["system/core/libutils/Errors.cpp"],
    aidl=[
        Aidl(
            "libbinder",
            BINDER + "aidl/",
            under(
                "android/os/",
                "ConnectionInfo.aidl IClientCallback.aidl IServiceCallback.aidl IServiceManager.aidl"
                " ServiceDebugInfo.aidl",
            )
            # packagemanager_aidl-cpp, a library of its own
            + under(
                "android/content/pm/",
                "IPackageChangeObserver.aidl IPackageManagerNative.aidl PackageChangeEvent.aidl"
                " IStagedApexObserver.aidl ApexStagedEvent.aidl StagedApexInfo.aidl",
            ),
        )
    ],
    flags="-DBINDER_WITH_KERNEL_IPC -DBINDER_RPC_DEV_SERVERS -DBINDER_ENABLE_RECORDING"
    " -DANDROID_UTILS_REF_BASE_DISABLE_IMPLICIT_CONSTRUCTION -DANDROID_BASE_UNIQUE_FD_DISABLE_IMPLICIT_CONVERSION",
    # The ioctls are for Android alone.
    file_flags={BINDER + "IPCThreadState.cpp": "-D__ANDROID__"},
)

libbinder_ndk = module(
    f"{LIBRARIES}/libbinder_ndk.so",
    under(
        NDK,
        "ibinder.cpp ibinder_jni.cpp libbinder.cpp parcel.cpp parcel_jni.cpp process.cpp stability.cpp status.cpp"
        " service_manager.cpp",
    )
    + [NATIVE + "libs/android_runtime_lazy/android_runtime_lazy.cpp"],
    uses=[libbinder],
    includes=[NATIVE + "libs/android_runtime_lazy/include"],
    exports=INCLUDES_NDK,
)

# The service managers. Android's Access.cpp asks SELinux.

manager = dict(uses=[libbinder], flags="-DANDROID_UTILS_REF_BASE_DISABLE_IMPLICIT_CONSTRUCTION")
manager_srcs = [CMDS + "servicemanager/ServiceManager.cpp", "stubs/access.cpp"]
manager_main = [CMDS + "servicemanager/main.cpp", "stubs/set_property.cpp"]
module("/system/bin/servicemanager", manager_srcs + manager_main, includes=[CMDS + "servicemanager"], **manager)
module(
    "/vendor/bin/vndservicemanager",
    manager_srcs + manager_main,
    includes=[CMDS + "servicemanager"],
    uses=[libbinder],
    flags=manager["flags"] + " -DVENDORSERVICEMANAGER=1",
)

# The same, unmodified, as for Android: SELinux is asked. Access.cpp alone is told that
# this is Android.
module(
    "/vendor/bin/vndservicemanager.selinux",
    [
        CMDS + "servicemanager/ServiceManager.cpp",
        CMDS + "servicemanager/Access.cpp",
        "stubs/selinux_android.cpp",
        *manager_main,
    ],
    includes=[CMDS + "servicemanager"],
    uses=[libbinder],
    flags=manager["flags"] + " -DVENDORSERVICEMANAGER=1",
    file_flags={
        CMDS + "servicemanager/Access.cpp": f"-D__ANDROID__ {DEBIAN_HEADERS}",
        "stubs/selinux_android.cpp": DEBIAN_HEADERS,
    },
    # In android/ there is another one, which lacks most.
    libs=["/usr/lib/x86_64-linux-gnu/libselinux.so.1"],
)

# The tools.

# For another system it asks adb for a device.
android = "-D__ANDROID__ -DXP_UNIX"
module("/system/bin/service", [CMDS + "service/service.cpp"], uses=[libbinder], flags=android)
module(
    "/vendor/bin/vndservice", [CMDS + "service/service.cpp"], uses=[libbinder], flags=android + " -DVENDORSERVICES"
)

binderdebug = module(
    "libbinderdebug.a",
    [NATIVE + "libs/binderdebug/BinderDebug.cpp"],
    uses=[libbinder],
    exports=[NATIVE + "libs/binderdebug/include"],
)
module(
    "/system/bin/dumpsys",
    [CMDS + "dumpsys/dumpsys.cpp", CMDS + "dumpsys/main.cpp", NATIVE + "services/utils/PriorityDumper.cpp"],
    uses=[binderdebug, libbinder],
    includes=[NATIVE + "services/utils/include"],
)
module(
    "/system/bin/cmd",
    [CMDS + "cmd/cmd.cpp", CMDS + "cmd/main.cpp", "stubs/selinux.cpp"],
    uses=[libbinder],
    # libstdc++ of C++20 does not compare what cmd compares.
    flags=f"-std=gnu++17 -DXP_UNIX {DEBIAN_HEADERS}",
)


# The log. Debian's liblog writes to the standard error, as it does on any system
# but Android. This one writes to logd, for programs that are run with
# LD_LIBRARY_PATH=/system/lib64/logd.

LOG = "system/logging/"
event_tags = "-DAUDITD_LOG_TAG=1003 -DTAG_DEF_LOG_TAG=1005 -DLIBLOG_LOG_TAG=1006 -DSNET_EVENT_LOG_TAG=1397638484"


def log_library(out: str) -> Module:
    return module(
        out,
        under(
            LOG + "liblog/",
            "log_event_list.cpp log_event_write.cpp logger_name.cpp logger_read.cpp logger_write.cpp logprint.cpp"
            " properties.cpp event_tag_map.cpp log_time.cpp pmsg_reader.cpp pmsg_writer.cpp logd_reader.cpp"
            " logd_writer.cpp",
        )
        + ["stubs/log_security.cpp"],
        flags=event_tags + " -DANDROID_DEBUGGABLE=0",
        # What writes and reads; its properties would be bionic's.
        file_flags={
            LOG + "liblog/logger_read.cpp": "-D__ANDROID__",
            LOG + "liblog/logger_write.cpp": "-D__ANDROID__ -include android/set_abort_message.h",
        },
        includes=["stubs/bionic"],
    )


log_library(f"{LIBRARIES}/logd/liblog.so.0")
liblog = log_library("liblog.a")

module(
    "/system/bin/logd",
    under(
        LOG + "logd/",
        # liblogd
        "CompressionEngine.cpp LogBufferElement.cpp LogReaderList.cpp LogReaderThread.cpp LogSize.cpp"
        " LogStatistics.cpp LogTags.cpp LogdLock.cpp PruneList.cpp SerializedFlushToState.cpp SerializedLogBuffer.cpp"
        " SerializedLogChunk.cpp SimpleLogBuffer.cpp"
        # logd
        " libaudit.cpp main.cpp CommandListener.cpp LogdNativeService.cpp LogAudit.cpp LogKlog.cpp LogListener.cpp"
        " LogPermissions.cpp LogReader.cpp TrustyLog.cpp PkgIds.cpp",
    )
    + under("system/core/libsysutils/src/", "FrameworkCommand.cpp FrameworkListener.cpp SocketClient.cpp SocketListener.cpp")
    + under("system/core/", "libpackagelistparser/packagelistparser.cpp libcutils/android_get_control_file.cpp")
    + ["stubs/sched_policy.cpp"],
    uses=[liblog, libbinder],
    flags=event_tags + " -include test.h",
    # glibc's header has no names for them.
    file_flags={LOG + "logd/main.cpp": "-DKLOG_READ=2 -DKLOG_READ_ALL=3 -DKLOG_SIZE_UNREAD=9 -DKLOG_SIZE_BUFFER=10"},
    aidl=[
        Aidl("liblogd_binder", LOG + "logd/binder/", ["android/os/ILogd.aidl"]),
        Aidl("ILogcatManagerService", "stubs/aidl/", ["android/os/logcat/ILogcatManagerService.aidl"]),
    ],
    includes=[LOG + "logd", "stubs/bionic", "system/core/libsysutils/include", "system/core/libpackagelistparser/include"],
    libs=["-lz", "-lzstd", "-lcap"],
)

module(
    "/system/bin/logcat",
    [LOG + "logcat/logcat.cpp", LOG + "logcat/process_names.cpp", "gen/logcat/logcat.pb.cc", "stubs/sched_policy.cpp"],
    uses=[liblog],
    flags="-include test.h -include bionic/wait_for_property.h -DM_PURGE_ALL=-104"
    " -DANDROID_BASE_UNIQUE_FD_DISABLE_IMPLICIT_CONVERSION=1",
    proto=LOG + "logcat/logcat.proto",
    libs=["-Wl,-Bstatic -lprotobuf-lite -Wl,-Bdynamic"],
)


# The tests.

gtest = ["/usr/lib/x86_64-linux-gnu/libgtest.a"]
gtest_main = ["/usr/lib/x86_64-linux-gnu/libgtest_main.a", *gtest]
gmock = ["/usr/lib/x86_64-linux-gnu/libgmock.a", *gtest]
gmock_main = ["/usr/lib/x86_64-linux-gnu/libgmock_main.a", *gmock]


def test(
    name: str, srcs: list[str], uses: list[Module], libs: list[str] = gtest, flags: str = "", where: str = "", **kwargs
) -> Module:
    """Adds a program to NATIVE_TESTS/where, by default a directory of its own."""
    flags = f"-include test.h {flags}".strip()
    return module(f"{NATIVE_TESTS}/{where or name}/{name}", srcs, uses, libs=libs, flags=flags, **kwargs)


def simple_test(name: str, libs: list[str] = gtest, **kwargs) -> Module:
    return test(name, [f"{TESTS}{name}.cpp"], [libbinder], libs, **kwargs)


def ndk_and_cpp(name: str, root: str, files: list[str]) -> list[Aidl]:
    return [Aidl(name, root, files), Aidl(name + "-ndk", root, files, lang="ndk")]


simple_test("binderDriverInterfaceTest")
simple_test("binderSafeInterfaceTest")
simple_test("binderClearBufTest")
simple_test("binderTextOutputTest", gtest_main)
simple_test("binderUtilsHostTest", gmock_main)
simple_test("binderRpcWireProtocolTest", gtest_main)
simple_test("binderThroughputTest", libs=[])
simple_test("schd-dbg", libs=[])

test("binderLibTest", [TESTS + "binderLibTest.cpp", "stubs/debuggable.cpp"], [libbinder], gmock)

test(
    "binderUnitTest",
    under(
        TESTS,
        "binderParcelUnitTest.cpp binderBinderUnitTest.cpp binderStatusUnitTest.cpp binderMemoryHeapBaseUnitTest.cpp"
        " binderRecordedTransactionTest.cpp",
    ),
    [libbinder],
    gtest_main,
)

test(
    "binderStabilityTest",
    [TESTS + "binderStabilityTest.cpp"],
    [libbinder_ndk, libbinder],
    aidl=ndk_and_cpp("binderStabilityTestIface", TESTS, ["IBinderStabilityTest.aidl"]),
)

random_parcel = module(
    "libbinder_random_parcel.a",
    under(
        FUZZER,
        "random_binder.cpp random_fd.cpp random_parcel.cpp libbinder_driver.cpp libbinder_ndk_driver.cpp"
        " random_parcel_seeds.cpp",
    ),
    [libbinder_ndk, libbinder],
    exports=[FUZZER + "include_random_parcel", FUZZER + "include_random_parcel_seeds"],
)
test(
    "binderRecordReplayTest",
    [TESTS + "binderRecordReplayTest.cpp"],
    [random_parcel, libbinder_ndk, libbinder],
    aidl=[
        Aidl(
            "binderRecordReplayTestIface", TESTS, ["IBinderRecordReplayTest.aidl"], imports=[FUZZER]
        ),
        Aidl(
            "binderReadParcelIface",
            FUZZER,
            under("parcelables/", "EmptyParcelable.aidl SingleDataParcelable.aidl GenericDataParcelable.aidl"),
        ),
    ],
)

test(
    "libbinderdebug_test",
    [NATIVE + "libs/binderdebug/tests/binderdebug_test.cpp"],
    [binderdebug, libbinder],
    aidl=[Aidl("libbinderdebug_test", NATIVE + "libs/binderdebug/tests/", ["android/binderdebug/test/IControl.aidl"])],
)

test(
    "libbinder_ndk_unit_test",
    [NDK + "tests/libbinder_ndk_unit_test.cpp", NDK + "tests/iface.cpp"],
    [libbinder_ndk, libbinder],
    includes=[NDK + "tests/include"],
    aidl=ndk_and_cpp("IBinderNdkUnitTest", NDK + "tests/", ["IBinderNdkUnitTest.aidl", "IEmpty.aidl"]),
)

test(
    "servicemanager_test",
    [CMDS + "servicemanager/test_sm.cpp", *manager_srcs],
    [libbinder],
    gmock_main,
    flags=manager["flags"],
    includes=[CMDS + "servicemanager"],
)

fakeservicemanager = module(
    "libfakeservicemanager.a",
    [NATIVE + "libs/fakeservicemanager/FakeServiceManager.cpp"],
    [libbinder],
    exports=[NATIVE + "libs/fakeservicemanager/include"],
)
test("fakeservicemanager_test", [NATIVE + "libs/fakeservicemanager/test_sm.cpp"], [fakeservicemanager, libbinder], gmock_main)
test(
    "libbinder_ndk_unit_test_host",
    [NDK + "tests/libbinder_ndk_unit_test_host.cpp"],
    [fakeservicemanager, libbinder_ndk, libbinder],
    gmock,
)

# What is over sockets, and TLS.

ssl = ["-lssl", "-lcrypto"]
binder_tls = module(
    "libbinder_tls.a",
    [BINDER + "RpcTransportTls.cpp", BINDER + "RpcTlsUtils.cpp", TESTS + "RpcTlsTestUtils.cpp"],
    [libbinder],
    flags="-include test.h " + DEBIAN_HEADERS,
    exports=[BINDER + "include_tls", TESTS + "include_tls_test_utils"],
)
test("RpcTlsUtilsTest", [TESTS + "RpcTlsUtilsTest.cpp"], [binder_tls, libbinder], gtest_main + ssl, flags=DEBIAN_HEADERS)

rpc = module(
    "libbinderRpcTest.a",
    [TESTS + "binderRpcTestCommon.cpp"],
    [binder_tls, libbinder_ndk, libbinder],
    flags="-include test.h -DBINDER_WITH_KERNEL_IPC " + DEBIAN_HEADERS,
    aidl=ndk_and_cpp(
        "binderRpcTestIface",
        TESTS,
        under(
            "",
            "BinderRpcTestClientInfo.aidl BinderRpcTestServerConfig.aidl BinderRpcTestServerInfo.aidl"
            " IBinderRpcCallback.aidl IBinderRpcSession.aidl IBinderRpcTest.aidl ParcelableCertificateData.aidl",
        ),
    ),
)
rpc_flags = "-DBINDER_WITH_KERNEL_IPC " + DEBIAN_HEADERS
rpc_uses = [rpc, binder_tls, libbinder_ndk, libbinder]
test(
    "binderRpcTest",
    [TESTS + "binderRpcTest.cpp", TESTS + "binderRpcUniversalTests.cpp", "stubs/debuggable.cpp"],
    rpc_uses,
    gtest + ssl,
    flags=rpc_flags,
)
test(
    "binder_rpc_test_service",
    [TESTS + "binderRpcTestService.cpp"],
    rpc_uses,
    gtest + ssl,
    flags=rpc_flags,
    where="binderRpcTest",
)

# Ours.
module(f"{NATIVE_TESTS}/stand_in", ["stubs/stand_in.cpp"], [libbinder])
