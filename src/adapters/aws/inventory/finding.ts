import type { OwnedResource, ResourceCheck } from '../../../contracts/inventory';
import { tenantOfResource } from '../../../contracts/names';

/** All of what pages hold. */
export async function allOf<Page, Item>(pages: AsyncIterable<Page>, itemsOf: (page: Page) => readonly Item[] | undefined): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of pages) items.push(...(itemsOf(page) ?? []));
  return items;
}

export const resource = (service: string, type: string, name: string, state?: string): OwnedResource => ({
  service,
  type,
  name,
  ...(state !== undefined && { state }),
});

/** How a service is asked for each kind of thing it has: by type, the call. */
export const checksOf = (service: string, calls: Readonly<Record<string, string>>): ResourceCheck[] =>
  Object.entries(calls).map(([type, call]) => ({ service, type, call }));

/** The tenants that names of this kind belong to. */
export const tenantsOf = (kind: Parameters<typeof tenantOfResource>[0], names: readonly (string | undefined)[]): string[] =>
  names.flatMap((name) => tenantOfResource(kind, name ?? '') ?? []);

/** Large sets are not counted to the end: whether there is something left is what is asked. */
export const countOf = (items: readonly unknown[] | undefined, isMore: boolean | undefined): string | undefined =>
  items?.length ? `${items.length}${isMore ? '+' : ''}` : undefined;
