// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// A service manager, in each dialect that libgbinder's client side knows:
// those of Android 8 (aidl), 9 and 10 (aidl2), 11 to 14 (aidl3, aidl4) and 15
// (aidl5) on binder, and hidl, the hwservicemanager's, on hwbinder. It does
// only what libgbinder needs: anybody may use any name. Without notifications
// (aidl and aidl2) libgbinder polls the list.
//
// The library cannot make an object the context manager: the one ioctl(2) here
// does.

#define _GNU_SOURCE
#include "gb_test.h"

#include <errno.h>
#include <linux/android/binder.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define AIDL_INTERFACE "android.os.IServiceManager"
#define HIDL_INTERFACE "android.hidl.manager@1.0::IServiceManager"
#define AIDL_CALLBACK "android.os.IServiceCallback"
#define HIDL_BASE "android.hidl.base@1.0::IBase"
#define HIDL_NOTIFICATION "android.hidl.manager@1.0::IServiceNotification"

// IBase.interfaceChain().
#define HIDL_INTERFACE_CHAIN GBINDER_FOURCC(0x0f, 'C', 'H', 'N')

typedef enum { NONE, GET, ADD, LIST, NOTIFY } Method;

typedef struct {
	const char *name;
	// Whether a list is requested name by name, and replies have no exception.
	gboolean old;
	// The meanings of the transaction codes from 1 on.
	Method methods[8];
} Dialect;

static const Dialect dialects[] = {
	{ "aidl", TRUE, { GET, GET, ADD, LIST } },
	{ "aidl2", TRUE, { GET, GET, ADD, LIST } },
	{ "aidl3", FALSE, { GET, GET, ADD, LIST, NOTIFY } },
	{ "aidl4", FALSE, { GET, GET, ADD, LIST, NOTIFY } },
	{ "aidl5", FALSE, { GET, NONE, GET, ADD, LIST, NOTIFY } },
	{ "hidl", FALSE, { GET, ADD, NONE, LIST, NONE, NOTIFY } },
};

typedef struct {
	char *name;
	GBinderRemoteObject *remote;
	gulong death;
} Service;

typedef struct {
	// A name or, for hidl, an interface, which stands for all of its instances.
	char *name;
	GBinderRemoteObject *callback;
} Watch;

static const Dialect *dialect;
static GPtrArray *services, *watches;

static Service *lookup(const char *name)
{
	guint i;

	for (i = 0; i < services->len; i++) {
		Service *service = services->pdata[i];

		if (!g_strcmp0(service->name, name)) {
			return service;
		}
	}
	return NULL;
}

static void service_free(gpointer data)
{
	Service *service = data;

	gbinder_remote_object_remove_handler(service->remote, service->death);
	gbinder_remote_object_unref(service->remote);
	g_free(service->name);
	g_free(service);
}

static void died(GBinderRemoteObject *remote, void *data)
{
	g_ptr_array_remove(services, data);
}

// Notifies one watch of a service. instance is NULL unless the dialect is hidl.
static void tell(Watch *watch, const char *name, const char *instance, GBinderRemoteObject *remote)
{
	GBinderClient *client = gbinder_client_new(watch->callback, instance ? HIDL_NOTIFICATION : AIDL_CALLBACK);
	GBinderLocalRequest *req = gbinder_client_new_request(client);
	GBinderWriter writer;

	gbinder_local_request_init_writer(req, &writer);
	if (instance) {
		gbinder_writer_append_hidl_string_copy(&writer, name);
		gbinder_writer_append_hidl_string_copy(&writer, instance);
		gbinder_writer_append_bool(&writer, FALSE);
	} else {
		gbinder_writer_append_string16(&writer, name);
		gbinder_writer_append_remote_object(&writer, remote);
	}
	gbinder_client_transact_sync_oneway(client, 1, req);
	gbinder_local_request_unref(req);
	gbinder_client_unref(client);
}

static void notify(const char *name, const char *instance, GBinderRemoteObject *remote)
{
	guint i;

	for (i = 0; i < watches->len; i++) {
		Watch *watch = watches->pdata[i];

		if (!g_strcmp0(watch->name, name)) {
			tell(watch, name, instance, remote);
		}
	}
}

static void add(char *name, GBinderRemoteObject *remote)
{
	Service *service = lookup(name);

	if (service) {
		g_ptr_array_remove(services, service);
	}
	service = g_new0(Service, 1);
	service->name = name;
	service->remote = gbinder_remote_object_ref(remote);
	service->death = gbinder_remote_object_add_death_handler(remote, died, service);
	g_ptr_array_add(services, service);
}

// Adds a HIDL service under each interface that it declares, except the one that all
// services have.
static gboolean add_hidl(GBinderReader *reader)
{
	char *instance = gbinder_reader_read_hidl_string(reader), **chain = NULL, **interface;
	GBinderRemoteObject *remote = gbinder_reader_read_object(reader);
	GBinderClient *client = remote ? gbinder_client_new(remote, HIDL_BASE) : NULL;

	if (instance && client) {
		GBinderLocalRequest *req = gbinder_client_new_request(client);
		GBinderRemoteReply *reply = gbinder_client_transact_sync_reply(client, HIDL_INTERFACE_CHAIN, req, NULL);
		GBinderReader chain_reader;

		gbinder_remote_reply_init_reader(reply, &chain_reader);
		if (gbinder_reader_read_int32(&chain_reader, NULL)) {
			chain = gbinder_reader_read_hidl_string_vec(&chain_reader);
		}
		gbinder_remote_reply_unref(reply);
		gbinder_local_request_unref(req);
	}
	for (interface = chain; interface && *interface; interface++) {
		if (strcmp(*interface, HIDL_BASE)) {
			add(g_strconcat(*interface, "/", instance, NULL), remote);
			notify(*interface, instance, remote);
		}
	}
	gbinder_client_unref(client);
	gbinder_remote_object_unref(remote);
	g_strfreev(chain);
	g_free(instance);
	return interface != chain;
}

static GBinderLocalReply *handle(GBinderLocalObject *object, GBinderRemoteRequest *req, guint code, guint flags,
	int *status, void *data)
{
	const gboolean hidl = !strcmp(dialect->name, "hidl");
	const Method method = code >= 1 && code <= G_N_ELEMENTS(dialect->methods) ? dialect->methods[code - 1] : NONE;
	GBinderLocalReply *reply = gbinder_local_object_new_reply(object);
	GBinderReader reader;
	GBinderWriter writer;
	Service *service;
	Watch *watch;
	char *name, *instance, *full;
	gint32 index;
	guint i;

	gbinder_remote_request_init_reader(req, &reader);
	gbinder_local_reply_init_writer(reply, &writer);
	*status = GBINDER_STATUS_OK;
	if (!dialect->old) {
		gbinder_writer_append_int32(&writer, 0);
	}
	switch (method) {
	case GET:
		if (hidl) {
			name = gbinder_reader_read_hidl_string(&reader);
			instance = gbinder_reader_read_hidl_string(&reader);
			full = g_strconcat(name ? name : "", "/", instance, NULL);
			g_free(name);
			g_free(instance);
		} else {
			full = gbinder_reader_read_string16(&reader);
		}
		service = lookup(full);
		gbinder_writer_append_remote_object(&writer, service ? service->remote : NULL);
		g_free(full);
		return reply;
	case ADD:
		if (hidl) {
			gbinder_writer_append_bool(&writer, add_hidl(&reader));
		} else {
			GBinderRemoteObject *remote;

			name = gbinder_reader_read_string16(&reader);
			remote = gbinder_reader_read_object(&reader);
			if (!name || !remote) {
				break;
			}
			add(name, remote);
			notify(name, NULL, remote);
			gbinder_remote_object_unref(remote);
			if (dialect->old) {
				gbinder_writer_append_int32(&writer, 0);
			}
		}
		return reply;
	case LIST:
		if (hidl) {
			const char **names = g_new(const char *, services->len + 1);

			for (i = 0; i < services->len; i++) {
				names[i] = gbinder_writer_strdup(&writer, ((Service *) services->pdata[i])->name);
			}
			names[i] = NULL;
			gbinder_writer_add_cleanup(&writer, g_free, names);
			gbinder_writer_append_hidl_string_vec(&writer, names, -1);
		} else if (dialect->old) {
			if (!gbinder_reader_read_int32(&reader, &index) || index < 0 || (guint) index >= services->len) {
				// This ends a list.
				break;
			}
			gbinder_writer_append_string16(&writer, ((Service *) services->pdata[index])->name);
		} else {
			gbinder_writer_append_int32(&writer, services->len);
			for (i = 0; i < services->len; i++) {
				gbinder_writer_append_string16(&writer, ((Service *) services->pdata[i])->name);
			}
		}
		return reply;
	case NOTIFY:
		watch = g_new0(Watch, 1);
		if (hidl) {
			watch->name = gbinder_reader_read_hidl_string(&reader);
			g_free(gbinder_reader_read_hidl_string(&reader));
			gbinder_writer_append_bool(&writer, TRUE);
		} else {
			watch->name = gbinder_reader_read_string16(&reader);
		}
		watch->callback = gbinder_reader_read_object(&reader);
		g_ptr_array_add(watches, watch);
		service = hidl ? NULL : lookup(watch->name);
		if (service) {
			tell(watch, watch->name, NULL, service->remote);
		}
		return reply;
	case NONE:
		break;
	}
	gbinder_local_reply_unref(reply);
	*status = -EINVAL;
	return NULL;
}

// Returns libgbinder's descriptor of a device that it has opened.
static int descriptor_of(const char *path)
{
	char *real = realpath(path, NULL), link[64], target[512];
	int fd;

	for (fd = 0; real && fd < 1024; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = 0;
			if (!strcmp(target, real)) {
				free(real);
				return fd;
			}
		}
	}
	free(real);
	return -1;
}

int run_manager(int argc, char **argv)
{
	GBinderServiceManager *sm = manager_of(argv[0]);
	struct flat_binder_object object = { .hdr.type = BINDER_TYPE_BINDER, .flags = 0x7f | FLAT_BINDER_FLAG_ACCEPTS_FDS };
	guint i;

	for (i = 0; i < G_N_ELEMENTS(dialects); i++) {
		if (!strcmp(dialects[i].name, argv[1])) {
			dialect = dialects + i;
		}
	}
	if (!dialect) {
		fprintf(stderr, "gb_test: no dialect %s\n", argv[1]);
		return 2;
	}
	services = g_ptr_array_new_with_free_func(service_free);
	watches = g_ptr_array_new();
	// In a transaction, libgbinder finds the object by its address.
	object.binder = (uintptr_t) gbinder_servicemanager_new_local_object(sm,
		strcmp(dialect->name, "hidl") ? AIDL_INTERFACE : HIDL_INTERFACE, handle, NULL);
	if (ioctl(descriptor_of(argv[0]), BINDER_SET_CONTEXT_MGR_EXT, &object) < 0) {
		perror("gb_test: BINDER_SET_CONTEXT_MGR_EXT");
		return 1;
	}
	say("ready");
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
