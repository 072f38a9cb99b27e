import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Licences of packages that go into the image; another one is looked at by a person, and added here or not. */
const allowed: ReadonlySet<string> = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'CC-BY-4.0', 'ISC', 'MIT', 'Python-2.0', 'Unlicense']);

/** Packages whose manifest names no licence, and whose licence file somebody has read: unionfs is given to the public domain. */
const seenByPeople: ReadonlySet<string> = new Set(['unionfs']);

interface Component {
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly { readonly license?: { readonly id?: string; readonly name?: string }; readonly expression?: string }[];
}

export interface LicensedPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX ids or an expression; `unknown` when the package says nothing. */
  readonly licence: string;
}

/** What a CycloneDX document says of each package, sorted by name. */
export function licencesIn(sbom: { readonly components: readonly Component[] }): LicensedPackage[] {
  const licenceOf = ({ licenses = [] }: Component) => licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name ?? 'unknown').join(' OR ') || 'unknown';
  return sbom.components.map((component) => ({ name: [component.group, component.name].filter(Boolean).join('/'), version: component.version, licence: licenceOf(component) })).toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Packages whose licence is not allowed: of alternatives one must be, of those that hold together all. */
export const notAllowed = (packages: readonly LicensedPackage[]): LicensedPackage[] => packages.filter((one) => !isAllowed(one));

const isAllowed = ({ name, licence }: LicensedPackage): boolean =>
  seenByPeople.has(name) || licence.replaceAll(/[()]/g, '').split(' OR ').some((alternative) => alternative.split(' AND ').every((id) => allowed.has(id)));

/** Writes the list beside the bill of materials it comes from: `dist/licences.md` beside `dist/sbom.cdx.json`. */
function main(): void {
  const file = path.resolve('dist/sbom.cdx.json');
  const packages = licencesIn(JSON.parse(readFileSync(file, 'utf8')) as { components: Component[] });
  const rows = packages.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`);
  writeFileSync(path.resolve('dist/licences.md'), ['# Packages in the image', '', '| package | version | licence |', '|---|---|---|', ...rows, ''].join('\n'));
  const bad = notAllowed(packages);
  for (const { name, version, licence } of bad) console.error(`${name}@${version} has the licence ${licence}: look at it, and add it to src/local/licences.ts or do without.`);
  console.log(`${packages.length} packages, ${bad.length} with a licence nobody has allowed: dist/licences.md, dist/sbom.cdx.json`);
  process.exitCode = bad.length > 0 ? 1 : 0;
}

if (require.main === module) main();
