// The explicit command table: id → command. A command that is not here does not exist.

import { AdvisoryNew } from "./advisory/new.ts";
import { AdvisoryPublish } from "./advisory/publish.ts";
import { AdvisoryShow } from "./advisory/show.ts";
import { AdvisorySign } from "./advisory/sign.ts";
import { AdvisoryWithdraw } from "./advisory/withdraw.ts";
import { Apply } from "./apply.ts";
import { Audit } from "./audit.ts";
import { AutoDisable } from "./auto/disable.ts";
import { AutoEnable } from "./auto/enable.ts";
import { AutoRun } from "./auto/run.ts";
import { AutoStatus } from "./auto/status.ts";
import { BootDisable } from "./boot/disable.ts";
import { BootEnable } from "./boot/enable.ts";
import { BootStatus } from "./boot/status.ts";
import { Build } from "./build.ts";
import { CatalogueFetch } from "./catalogue/fetch.ts";
import { CatalogueMake } from "./catalogue/make.ts";
import { CataloguePublish } from "./catalogue/publish.ts";
import { CatalogueShow } from "./catalogue/show.ts";
import { CatalogueSign } from "./catalogue/sign.ts";
import { CatalogueVerify } from "./catalogue/verify.ts";
import { ChannelPublish } from "./channel/publish.ts";
import { ChannelShow } from "./channel/show.ts";
import { ChannelSign } from "./channel/sign.ts";
import { Diff } from "./diff.ts";
import { Dissect } from "./dissect.ts";
import { Doctor } from "./doctor.ts";
import { Explain } from "./explain.ts";
import { Export } from "./export.ts";
import { Gc } from "./gc.ts";
import { History } from "./history.ts";
import { Hold } from "./hold.ts";
import { Import } from "./import.ts";
import { Inspect } from "./inspect.ts";
import { Install } from "./install.ts";
import { KernelKeyEnroll } from "./kernel-key/enroll.ts";
import { KernelKeyGenerate } from "./kernel-key/generate.ts";
import { KernelKeyRemove } from "./kernel-key/remove.ts";
import { KernelKeyStatus } from "./kernel-key/status.ts";
import { KeyGenerate } from "./key/generate.ts";
import { KeyShow } from "./key/show.ts";
import { List } from "./list.ts";
import { LockdownDisable } from "./lockdown/disable.ts";
import { LockdownEnable } from "./lockdown/enable.ts";
import { LockdownStatus } from "./lockdown/status.ts";
import { LogProve } from "./log/prove.ts";
import { LogShow } from "./log/show.ts";
import { LogVerify } from "./log/verify.ts";
import { LogWitness } from "./log/witness.ts";
import { Mirror } from "./mirror.ts";
import { OffloadCheck } from "./offload/check.ts";
import { OffloadDisable } from "./offload/disable.ts";
import { OffloadEnable } from "./offload/enable.ts";
import { OffloadList } from "./offload/list.ts";
import { OffloadProbe } from "./offload/probe.ts";
import { OffloadStatus } from "./offload/status.ts";
import { OffloadWatch } from "./offload/watch.ts";
import { PermitCreate } from "./permit/create.ts";
import { PermitPublish } from "./permit/publish.ts";
import { PermitShow } from "./permit/show.ts";
import { PermitSign } from "./permit/sign.ts";
import { Preflight } from "./preflight.ts";
import { Promote } from "./promote.ts";
import { Publish } from "./publish.ts";
import { RecallCheck } from "./recall/check.ts";
import { RecallNew } from "./recall/new.ts";
import { RecallPublish } from "./recall/publish.ts";
import { RecallShow } from "./recall/show.ts";
import { RecallSign } from "./recall/sign.ts";
import { RecallWithdraw } from "./recall/withdraw.ts";
import { RegistryAccept } from "./registry/accept.ts";
import { RegistryInit } from "./registry/init.ts";
import { RegistryPublisherAdd } from "./registry/publisher/add.ts";
import { RegistryPublisherList } from "./registry/publisher/list.ts";
import { RegistryPublisherRemove } from "./registry/publisher/remove.ts";
import { RegistryPublisherRevoke } from "./registry/publisher/revoke.ts";
import { RegistryServe } from "./registry/serve.ts";
import { RegistryTokenCreate } from "./registry/token/create.ts";
import { RegistryTokenList } from "./registry/token/list.ts";
import { RegistryTokenRevoke } from "./registry/token/revoke.ts";
import { RegistryVendorAdd } from "./registry/vendor/add.ts";
import { RegistryVendorList } from "./registry/vendor/list.ts";
import { RegistryVendorRemove } from "./registry/vendor/remove.ts";
import { RegistryWitness } from "./registry/witness.ts";
import { Remove } from "./remove.ts";
import { Rollback } from "./rollback.ts";
import { RootAddSigner } from "./root/add-signer.ts";
import { RootRemoveSigner } from "./root/remove-signer.ts";
import { RootRotate } from "./root/rotate.ts";
import { RootShow } from "./root/show.ts";
import { RootSign } from "./root/sign.ts";
import { Sign } from "./sign.ts";
import { Status } from "./status.ts";
import { Tag } from "./tag.ts";
import { TrustAdd } from "./trust/add.ts";
import { TrustList } from "./trust/list.ts";
import { TrustRecover } from "./trust/recover.ts";
import { TrustRemove } from "./trust/remove.ts";
import { TrustRootPin } from "./trust/root/pin.ts";
import { TrustRootShow } from "./trust/root/show.ts";
import { TrustVendorAdd } from "./trust/vendor/add.ts";
import { TrustVendorList } from "./trust/vendor/list.ts";
import { TrustVendorRemove } from "./trust/vendor/remove.ts";
import { Unhold } from "./unhold.ts";
import { Upgrade } from "./upgrade.ts";
import { Verify } from "./verify.ts";
import { Yank } from "./yank.ts";

export const COMMANDS = {
	"advisory:new": AdvisoryNew,
	"advisory:publish": AdvisoryPublish,
	"advisory:show": AdvisoryShow,
	"advisory:sign": AdvisorySign,
	"advisory:withdraw": AdvisoryWithdraw,
	apply: Apply,
	audit: Audit,
	"auto:disable": AutoDisable,
	"auto:enable": AutoEnable,
	"auto:run": AutoRun,
	"auto:status": AutoStatus,
	"boot:disable": BootDisable,
	"boot:enable": BootEnable,
	"boot:status": BootStatus,
	build: Build,
	"channel:publish": ChannelPublish,
	"channel:show": ChannelShow,
	"channel:sign": ChannelSign,
	"catalogue:fetch": CatalogueFetch,
	"catalogue:make": CatalogueMake,
	"catalogue:publish": CataloguePublish,
	"catalogue:show": CatalogueShow,
	"catalogue:sign": CatalogueSign,
	"catalogue:verify": CatalogueVerify,
	diff: Diff,
	dissect: Dissect,
	doctor: Doctor,
	explain: Explain,
	export: Export,
	gc: Gc,
	history: History,
	hold: Hold,
	import: Import,
	inspect: Inspect,
	install: Install,
	"kernel-key:enroll": KernelKeyEnroll,
	"kernel-key:generate": KernelKeyGenerate,
	"kernel-key:remove": KernelKeyRemove,
	"kernel-key:status": KernelKeyStatus,
	"key:generate": KeyGenerate,
	"key:show": KeyShow,
	list: List,
	"lockdown:disable": LockdownDisable,
	"lockdown:enable": LockdownEnable,
	"lockdown:status": LockdownStatus,
	"offload:probe": OffloadProbe,
	"log:prove": LogProve,
	"log:show": LogShow,
	"log:verify": LogVerify,
	"log:witness": LogWitness,
	mirror: Mirror,
	"offload:check": OffloadCheck,
	"offload:disable": OffloadDisable,
	"offload:enable": OffloadEnable,
	"offload:list": OffloadList,
	"offload:status": OffloadStatus,
	"offload:watch": OffloadWatch,
	"permit:create": PermitCreate,
	"permit:publish": PermitPublish,
	"permit:show": PermitShow,
	"permit:sign": PermitSign,
	preflight: Preflight,
	promote: Promote,
	publish: Publish,
	"recall:check": RecallCheck,
	"recall:new": RecallNew,
	"recall:publish": RecallPublish,
	"recall:show": RecallShow,
	"recall:sign": RecallSign,
	"recall:withdraw": RecallWithdraw,
	"registry:accept": RegistryAccept,
	"registry:init": RegistryInit,
	"registry:publisher:add": RegistryPublisherAdd,
	"registry:publisher:list": RegistryPublisherList,
	"registry:publisher:remove": RegistryPublisherRemove,
	"registry:publisher:revoke": RegistryPublisherRevoke,
	"registry:serve": RegistryServe,
	"registry:token:create": RegistryTokenCreate,
	"registry:token:list": RegistryTokenList,
	"registry:token:revoke": RegistryTokenRevoke,
	"registry:vendor:add": RegistryVendorAdd,
	"registry:vendor:list": RegistryVendorList,
	"registry:vendor:remove": RegistryVendorRemove,
	"registry:witness": RegistryWitness,
	remove: Remove,
	rollback: Rollback,
	"root:add-signer": RootAddSigner,
	"root:remove-signer": RootRemoveSigner,
	"root:rotate": RootRotate,
	"root:show": RootShow,
	"root:sign": RootSign,
	sign: Sign,
	status: Status,
	tag: Tag,
	"trust:add": TrustAdd,
	"trust:list": TrustList,
	"trust:recover": TrustRecover,
	"trust:remove": TrustRemove,
	"trust:root:pin": TrustRootPin,
	"trust:root:show": TrustRootShow,
	"trust:vendor:add": TrustVendorAdd,
	"trust:vendor:list": TrustVendorList,
	"trust:vendor:remove": TrustVendorRemove,
	unhold: Unhold,
	upgrade: Upgrade,
	verify: Verify,
	yank: Yank,
};
