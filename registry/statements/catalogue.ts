// Catalogues as statements: a vendor's word on its hardware, named by bus and vendor. Refuses one that is not signed for every device
// that it is of, so that no host finds one here which counts for some of them only.
import { demandCatalogueInForce, openCatalogue, parseCatalogueFile } from "#signing/catalogue.ts";
import { malformed } from "#signing/catalogue-payload.ts";
import { hardwareName } from "#signing/hardware.ts";
import type { StatementKind } from "./kind.ts";

/** An id is one line of catalogues, in which a higher serial takes the place of the one before. */
export const CATALOGUE_KIND: StatementKind = {
	most: 64,
	show: "kfn catalogue show",
	parse: parseCatalogueFile,
	async open(envelope, name, { authorities, now }) {
		const catalogue = await openCatalogue(envelope, authorities.vendors);
		demandCatalogueInForce(catalogue, now);
		const own = hardwareName(catalogue.device);
		if (own !== name) throw malformed(`it is of ${own}, not of ${name}`);
		const { id, serial, expires } = catalogue;
		return { id, serial, expires };
	},
};
