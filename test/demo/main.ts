// npm run demo: the main job end to end, with real parts, in a throw-away folder and throw-away namespaces.

import { refuseWithoutRoot } from "../harness/feature.ts";
import { step } from "./show.ts";
import * as steps from "./steps.ts";
import { openWorld } from "./world.ts";

refuseWithoutRoot("the demo (namespaces, bpffs, BPF programs)");
step(1, "Set up: packages, loader, command line and bundles are in place");
await using world = await openWorld();
step(2, "Make a key, build and sign 1.0.0, and recompute its tag without kfn");
await steps.buildBundles(world);
step(3, "Start a registry, make a token, publish");
await steps.publishFirst(world);
step(4, "Install it in a fresh network namespace");
await steps.installFirst(world);
step(5, "Real traffic through the installed program");
await steps.dissectTraffic(world);
step(6, "Publish the fixed 1.0.1 and upgrade while the traffic runs");
await steps.upgradeUnderTraffic(world);
step(7, "Tamper with one byte in the store");
await steps.tamper(world);
step(8, "Roll back, remove");
await steps.leaveNothing(world);
