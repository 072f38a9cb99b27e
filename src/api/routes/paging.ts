import { z } from 'zod';
import { queryInteger } from '../query-values';

export const Page = z.object({ limit: queryInteger({ min: 1, max: 200 }).default(50), cursor: z.string().min(1).max(2_000).optional() });

/** `nextCursor` is absent on the last page. */
export const pageOf = <Item extends z.ZodType>(item: Item) => z.object({ data: z.array(item), nextCursor: z.string().optional() });
