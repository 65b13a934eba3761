// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Driver of the test device, for VMs only: QEMU's "edu", which is a PCI function
 * without a driver in Linux. What it runs it says through devlink; `devlink dev
 * flash` stores other firmware, `devlink dev reload` makes it run, and the bus
 * takes it away. Refuses nothing that firmware claims: who believes it is at fault.
 */
#include <linux/firmware.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "device.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define SLOTS 8

/* Flash outlives the driver's hold on a device, as it outlives a hot-unplug: by slot. */
static struct flash {
	char slot[32];
	struct firmware_image image;
} flash[SLOTS];

static struct firmware_image *flash_of(struct device *dev)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		if (!strcmp(flash[i].slot, dev_name(dev)))
			return &flash[i].image;
		if (*flash[i].slot)
			continue;
		strscpy(flash[i].slot, dev_name(dev));
		firmware_default(&flash[i].image);
		return &flash[i].image;
	}
	return NULL;
}

static int put_claims(const struct firmware_image *image, struct devlink_info_req *req)
{
	char value[200];
	unsigned int i;
	int err = 0;

	if (!image->claims && image->engine) {
		snprintf(value, sizeof(value), "%s abi=1 config=any", image->engine->tag);
		return devlink_info_version_running_put(req, "fw.app.kfn.tso", value);
	}
	for (i = 0; !err && i < image->claims; i++)
		err = devlink_info_version_running_put(req, image->claim[i].name, image->claim[i].value);
	return err;
}

static int device_info_get(struct devlink *devlink, struct devlink_info_req *req, struct netlink_ext_ack *extack)
{
	struct kfn_device *device = devlink_priv(devlink);
	int err;

	err = devlink_info_version_fixed_put(req, DEVLINK_INFO_VERSION_GENERIC_BOARD_ID, "kfn-test");
	if (!err)
		err = devlink_info_version_running_put(req, DEVLINK_INFO_VERSION_GENERIC_FW, device->running.version);
	if (!err)
		err = put_claims(&device->running, req);
	if (!err)
		err = devlink_info_version_stored_put(req, DEVLINK_INFO_VERSION_GENERIC_FW, device->stored.version);
	return err;
}

static int device_flash_update(struct devlink *devlink, struct devlink_flash_update_params *params,
			       struct netlink_ext_ack *extack)
{
	struct kfn_device *device = devlink_priv(devlink);
	struct firmware_image image;
	int err;

	err = firmware_parse(&image, params->fw->data, params->fw->size, extack);
	if (err)
		return err;
	device->stored = image;
	*flash_of(device->dev) = image;
	devlink_flash_update_status_notify(devlink, "stored", NULL, params->fw->size, params->fw->size);
	return 0;
}

static int device_reload_down(struct devlink *devlink, bool netns_change, enum devlink_reload_action action,
			      enum devlink_reload_limit limit, struct netlink_ext_ack *extack)
{
	if (netns_change)
		return -EOPNOTSUPP;
	port_stop(devlink_priv(devlink));
	return 0;
}

static int device_reload_up(struct devlink *devlink, enum devlink_reload_action action, enum devlink_reload_limit limit,
			    u32 *actions_performed, struct netlink_ext_ack *extack)
{
	struct kfn_device *device = devlink_priv(devlink);
	bool same = device->running.engine == device->stored.engine && device->running.lie == device->stored.lie;

	device->running = device->stored;
	port_start(device, same);
	*actions_performed = BIT(DEVLINK_RELOAD_ACTION_FW_ACTIVATE);
	return 0;
}

static const struct devlink_ops device_ops = {
	.info_get = device_info_get,
	.flash_update = device_flash_update,
	.reload_actions = BIT(DEVLINK_RELOAD_ACTION_FW_ACTIVATE),
	.reload_down = device_reload_down,
	.reload_up = device_reload_up,
};

static int device_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct devlink *devlink = devlink_alloc(&device_ops, sizeof(struct kfn_device), &pdev->dev);
	struct firmware_image *image = flash_of(&pdev->dev);
	struct kfn_device *device;
	int err = -ENOMEM;

	if (!devlink || !image)
		goto free;
	device = devlink_priv(devlink);
	device->dev = &pdev->dev;
	device->running = *image;
	device->stored = *image;
	pci_set_drvdata(pdev, devlink);
	err = port_add(device, devlink);
	if (err)
		goto free;
	devlink_register(devlink);
	return 0;

free:
	if (devlink)
		devlink_free(devlink);
	return err;
}

static void device_remove(struct pci_dev *pdev)
{
	struct devlink *devlink = pci_get_drvdata(pdev);

	devlink_unregister(devlink);
	port_remove(devlink_priv(devlink));
	devlink_free(devlink);
}

static const struct pci_device_id device_ids[] = { { PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) }, {} };
MODULE_DEVICE_TABLE(pci, device_ids);

static struct pci_driver device_driver = {
	.name = "kfn_device",
	.id_table = device_ids,
	.probe = device_probe,
	.remove = device_remove,
};

static int __init kfn_device_init(void)
{
	int err = engine_memory_init();

	if (err)
		return err;
	err = pci_register_driver(&device_driver);
	if (err)
		engine_memory_exit();
	return err;
}

static void __exit kfn_device_exit(void)
{
	pci_unregister_driver(&device_driver);
	engine_memory_exit();
}

module_init(kfn_device_init);
module_exit(kfn_device_exit);
MODULE_DESCRIPTION("A network device that says which kernel function it runs, for tests in VMs");
MODULE_LICENSE("Dual BSD/GPL");
